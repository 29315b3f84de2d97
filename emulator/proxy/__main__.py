"""The proxy's process: ``python -m emulator.proxy``, started by :func:`emulator.process.spawn`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from emulator.model import StoreSettings
from emulator.process import write_record

if TYPE_CHECKING:
    from emulator.proxy.spaces import SpaceGate
    from emulator.proxy.waking import Start

# Longer than the server gives requests to finish: after that a worker still waits for an upstream's answer.
_SHUTDOWN_TIMEOUT = 4.0


def main() -> None:
    """Serve until SIGTERM."""
    options = _parse_options()
    signal.signal(signal.SIGTERM, _leave)
    listener = socket.socket(fileno=options.listen_fd)
    settings = {
        "routes": options.routes,
        "host": options.host,
        "timeout": options.timeout,
        "max_body": options.max_body,
        "allow_remote": options.allow_remote,
        "domains": options.domains,
        "trusted": options.trusted,
        "password_file": options.password_file,
        "ca_file": options.ca_file,
        "project": options.project,
        "waking": options.waking,
        "store": options.store,
        "store_project": options.store_project,
    }
    write_record(options.folder, port=listener.getsockname()[1], settings=settings)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    _serve(listener, options)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator.proxy", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--routes", required=True)
    parser.add_argument("--host", default="127.0.0.1", help="the address of the socket")
    parser.add_argument("--timeout", required=True, help="seconds to wait for an environment's answer")
    parser.add_argument("--max-body", required=True, help="largest request body in bytes")
    parser.add_argument("--allow-remote", default="no", choices=["yes", "no"], help="emulators on other machines")
    parser.add_argument("--project", default="", help="the project file; empty when its pages are for reading only")
    parser.add_argument("--waking", default="", help="the project file whose spaces are woken; empty for none")
    parser.add_argument("--store", default="", help="the store, as it is shown; its URL is a variable; empty for none")
    parser.add_argument("--store-project", default="", help="what the project is called there")
    parser.add_argument("--ca-file", default="", help="authorities to trust; empty for the system's")
    parser.add_argument("--domains", default="", help="names it answers to, with commas")
    parser.add_argument("--trusted", default="", help="reverse proxies to believe, with commas")
    parser.add_argument("--password-file", default="", help="the password of other machines; empty for none")
    return parser.parse_args()


def _listed(text: str) -> list[str]:
    return [one for one in text.split(",") if one]


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    watchdog = threading.Timer(_SHUTDOWN_TIMEOUT, os._exit, [0])
    watchdog.daemon = True
    watchdog.start()
    raise SystemExit(0)


def _serve(listener: socket.socket, options: argparse.Namespace) -> None:
    # Late, so that the record is written before anything slow.
    from emulator.dashboard.jobs import own_command
    from emulator.faults.file import FAULTS_FILE
    from emulator.proxy.app import Settings, create_app
    from emulator.proxy.caretaking import Caretaker
    from emulator.proxy.keeping import Keeping, sharing
    from emulator.proxy.server import Server
    from emulator.replay.recording import RECORDING_FILE, watch_recording
    from emulator.replay.writing import CorpusWriter
    from emulator.rules import RULES_FILE
    from emulator.store.opening import open_store

    recorded = CorpusWriter(watch_recording(options.folder / RECORDING_FILE))
    store = _store() if options.store else None
    share = sharing(open_store(store, patience=0), options.store_project, options.folder) if store else None
    keeping = Keeping(options.folder, sinks=[recorded], share=share)
    waking = own_command(Path(options.waking)) if options.waking else None
    app = create_app(
        Settings(
            routes=Path(options.routes),
            password_file=Path(options.password_file) if options.password_file else None,
            faults=options.folder / FAULTS_FILE,
            timeout=float(options.timeout),
            max_body=int(options.max_body),
            allow_remote=options.allow_remote == "yes",
            ca_file=options.ca_file or None,
            host=options.host,
            domains=_listed(options.domains),
            trusted=_listed(options.trusted),
            command=own_command(Path(options.project)) if options.project else None,
            waking=waking,
            rules=options.folder / RULES_FILE,
            store=store,
            project=options.store_project,
        ),
        keeping=keeping,
    )
    server = Server(listener, app, closing=app.extensions["dashboard"].close)
    gate, run = app.extensions["spaces"], app.extensions["run"]
    if store is not None:
        _listen_to_replicas(store, options, gate, app.extensions["start"])
    if run is not None:
        Caretaker(gate.spaces, gate.idle, run).start()
    app.extensions["bringing back"].start()
    try:
        server.start()
    finally:
        server.stop()
        keeping.close()


def _listen_to_replicas(
    settings: StoreSettings, options: argparse.Namespace, gate: SpaceGate, start: Start | None
) -> None:
    from emulator.proxy.replicas import Listener
    from emulator.store.opening import open_store, shared_published

    store, project = open_store(settings, patience=0), options.store_project
    published, state = shared_published(settings, project), Path(options.routes).parent
    listener = Listener(published, state, note_use=gate.note_use, start=start)
    arguments = (store, project, threading.Event())
    threading.Thread(target=listener.follow, args=arguments, name="replicas", daemon=True).start()


def _store() -> StoreSettings | None:
    from emulator.config import process_environ
    from emulator.store.address import store_in

    return store_in(process_environ())


if __name__ == "__main__":
    main()
