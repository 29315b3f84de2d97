"""A further proxy of a project, in the foreground: on any machine, fed by the project's store alone."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from emulator import ports
from emulator.endpoint import ca_file
from emulator.errors import ConfigError, StoreAway
from emulator.model import Project
from emulator.proxy.mirror import Mirror
from emulator.proxy.replicas import follow_as_replica, tell_uses, waking_elsewhere
from emulator.proxy_health import reached_at
from emulator.proxy_password import PASSWORD_FILE, is_guarded, keep_password, reaches_others, read_password
from emulator.routes import ROUTES_FILE
from emulator.rules import RULES_FILE, publish_rules
from emulator.state import make_state_folder
from emulator.store.opening import open_store, shared_published

if TYPE_CHECKING:
    from emulator.proxy.app import Settings
    from emulator.proxy.waking import Start

# Below the project's state folder: a folder for each port.
REPLICAS = "replicas"
# Where an automatic port starts to look.
_PORTS = range(8080, 8180)


def run_replica(project: Project, *, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """
    Serve until a signal comes.

    Args:
        say: Called with what somebody should know.
        ready: Called with the URL once it listens.

    Raises:
        ConfigError: The project has no store.
        NotReady: The port is taken. Or the store is away, and there is no earlier copy of what is in it.
    """
    if project.store is None:
        raise ConfigError(
            "a further proxy needs a store that it shares with the project",
            hint='set store = "postgresql://HOST/DATABASE", see the guide on the shared store',
        )
    host, port = project.proxy.host, project.proxy.port
    with ports.listen(port=port, candidates=_PORTS, purpose="the proxy", host=host) as listener:
        folder = project.state / REPLICAS / str(listener.getsockname()[1])
        make_state_folder(project.state)
        folder.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
        _serve(project, listener, folder, say=say, ready=ready)


def _serve(
    project: Project,
    listener: socket.socket,
    folder: Path,
    *,
    say: Callable[[str], None],
    ready: Callable[[str], None],
) -> None:
    from emulator.proxy.app import create_app
    from emulator.proxy.keeping import Keeping, sharing
    from emulator.proxy.server import Server

    if project.store is None:
        raise AssertionError("the caller looked")
    store, published = open_store(project.store, patience=0), shared_published(project.store, project.service)
    mirror, stop = Mirror(published, folder), threading.Event()
    try:
        mirror.take_all()
    except StoreAway as error:
        if not mirror.is_filled:
            raise
        say(f"{error.message}: it begins with what is in {folder}")
    start = waking_elsewhere(published, mirror.is_awake)
    keeping = Keeping(folder, share=sharing(store, project.service, folder))
    app = create_app(_settings(project, folder, start=start, say=say), keeping=keeping)
    gate = app.extensions["spaces"]

    def counts() -> dict[str, int]:
        return {name: use.requests for name, use in gate.uses().items()}

    threads = [
        threading.Thread(target=follow_as_replica, args=(store, project.service, mirror, stop), daemon=True),
        threading.Thread(target=tell_uses, args=(published, counts, stop), daemon=True),
    ]
    for thread in threads:
        thread.start()
    app.extensions["bringing back"].start()  # it runs nothing here, and tells what it sees
    server = Server(listener, app, closing=app.extensions["dashboard"].close)
    ready(f"http://{reached_at(project.proxy.host)}:{listener.getsockname()[1]}")
    try:
        server.start()
    finally:
        stop.set()
        server.stop()
        keeping.close()
        with contextlib.suppress(RuntimeError):
            threads[0].join(timeout=2.0)


def _settings(project: Project, folder: Path, *, start: Start, say: Callable[[str], None]) -> Settings:
    from emulator.proxy.app import Settings

    settings, password = project.proxy, project.state / "proxy" / PASSWORD_FILE
    if is_guarded(settings):
        made = keep_password(password, settings.password)
        say(f"password of other machines: {read_password(password) if made else 'that'} in {password}")
    elif reaches_others(settings):
        say("it asks for no password: whoever reaches it may use it")
    publish_rules(folder / RULES_FILE, project.rules)
    uses_tls = any((one.url or "").startswith("https:") for one in project.environments)
    return Settings(
        routes=folder / ROUTES_FILE,
        host=settings.host,
        domains=[one.partition(":")[0] for one in settings.domains],
        trusted=settings.trusted,
        timeout=settings.timeout,
        max_body=settings.max_body,
        allow_remote=project.allow_remote,
        password_file=password if is_guarded(settings) else None,
        ca_file=ca_file() if uses_tls else None,
        rules=folder / RULES_FILE,
        store=project.store,
        project=project.service,
        start=start,
        is_replica=True,
    )
