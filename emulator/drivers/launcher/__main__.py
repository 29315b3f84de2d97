"""
Serve MiniStack, made durable, on an inherited socket until SIGTERM.

MiniStack keeps its state in modules, so one process is one account. It is configured by the environ that
``emulator.drivers.embedded`` gives to this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import tempfile
from pathlib import Path

from emulator import ports, process
from emulator.drivers.launcher.functions.variables import Surroundings


def main() -> None:
    """Parse the driver's arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument(
        "--key-fd", type=int, help="where it listens beyond this machine: a pipe with its key, or nothing"
    )
    parser.add_argument("--engine", type=json.loads, default={})
    parser.add_argument("--node-sdk", type=Path)
    parser.add_argument("--interpreters", nargs="*", default=[], metavar="FOLDER")
    arguments = parser.parse_args()
    # State holds secrets and data: whatever this process writes, MiniStack's part too, is for its owner only.
    os.umask(0o077)
    # Before the slow imports: whoever looks must be able to tell which process holds the folder.
    process.write_record(arguments.folder, port=arguments.port, settings=arguments.settings)
    asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    from ministack.app import app

    from emulator.drivers.launcher import durable, gaps, key_guard, loopback_guard, server
    from emulator.drivers.launcher.functions import install, tracing

    key = None if arguments.key_fd is None else _read_key(arguments.key_fd)
    gaps.apply()
    actions = install.install(
        _surroundings(arguments), arguments.interpreters, engine=arguments.engine, node_sdk=arguments.node_sdk
    )
    traced = tracing.traced(app)
    application = durable.make_durable(
        traced, arguments.folder, arguments.settings, port=arguments.port, actions=actions, key=key
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # A line for each of its hundred state files and a banner would bury what a person looks for in the log.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    # What functions print is in CloudWatch Logs; here it would be seen twice.
    logging.getLogger("lambda").setLevel(logging.WARNING)
    logging.getLogger("ministack").addFilter(lambda record: "Local AWS Service Emulator" not in str(record.msg))
    guarded = (
        loopback_guard.guard(application)
        if key is None
        else key_guard.guard(application, key=key, account=arguments.settings["account_id"], port=arguments.port)
    )
    await server.serve(guarded, listen_fd=arguments.listen_fd, stopping=stopping)
    # State is saved. A call that still runs would be waited for, up to a quarter of an hour; the driver ends functions.
    os._exit(0)


def _read_key(pipe: int) -> str:
    with os.fdopen(pipe, "rb") as file:
        return file.read().decode()


def _surroundings(arguments: argparse.Namespace) -> Surroundings:
    """What functions are told of this process; its own environ holds no more of the machine than this."""
    return Surroundings(
        endpoint=f"http://{ports.HOST}:{arguments.port}",
        label=str(arguments.folder),
        path=os.pathsep.join(os.get_exec_path()),
        home=Path.home(),
        temporary=Path(tempfile.gettempdir()),
    )


if __name__ == "__main__":
    main()
