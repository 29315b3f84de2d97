"""The proxy's process and its routing table, seen from the commands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from emulator import ports, process
from emulator.apis import default_among
from emulator.endpoint import ca_file
from emulator.errors import NotReady
from emulator.events import Emit, Event
from emulator.faults.file import FAULTS_FILE, remove_faults
from emulator.known import Known
from emulator.model import (
    OWN_TOPOLOGY,
    DriverName,
    Environment,
    Instance,
    ProcessId,
    Project,
    ProxySettings,
    Route,
    Status,
)
from emulator.proxy_health import answers, ask, health, reached_at
from emulator.proxy_password import (
    PASSWORD_FILE,
    is_guarded,
    keep_password,
    public_form,
    reaches_others,
    read_password,
)
from emulator.replay.recording import RECORDING_FILE, end_recording
from emulator.routes import ROUTES_FILE, kept_routes, load_routes, publish_routes
from emulator.rules import RULES_FILE, publish_rules
from emulator.state import is_lab
from emulator.store.address import shown_url, store_environ
from emulator.store.opening import publish_routes_of

_MODULE = "emulator.proxy"
# Seconds between two looks at how far the proxy is.
_LOOK = 0.05
_SPACES_PATH = "/_multistack/spaces"
# Where an automatic port starts to look.
_PORTS = range(8080, 8180)
_TIMEOUT = 15.0


class Front:
    """
    Starts, stops and feeds the proxy of one project.

    Args:
        environ: The whole environ of the proxy process, whose pages run commands with it: the caller's, without AWS's.
    """

    def __init__(self, project: Project, *, environ: Mapping[str, str], emit: Emit) -> None:
        self._project = project
        self._environ = environ
        self._emit = emit

    @property
    def folder(self) -> Path:
        """What the proxy keeps: its record and its log, the requests that passed it."""
        return self._project.state / "proxy"

    @property
    def _routes(self) -> Path:
        return self._project.state / ROUTES_FILE

    @property
    def faults_file(self) -> Path:
        """Where the proxy reads which faults are set."""
        return self.folder / FAULTS_FILE

    @property
    def _password_file(self) -> Path:
        return self.folder / PASSWORD_FILE

    def running_process(self) -> ProcessId | None:
        """The proxy's process, or None when it does not run."""
        record = process.read_record(self.folder) if process.is_running(self.folder) else None
        return record.process if record else None

    def url(self) -> str | None:
        """Where the proxy listens, or None when it does not run."""
        record = process.read_record(self.folder) if process.is_running(self.folder) else None
        return f"http://{reached_at(record.settings.get('host', ports.HOST))}:{record.port}" if record else None

    def public_url(self) -> str | None:
        """Where others reach the proxy: its own domain, should it have one; None when it does not run."""
        url = self.url()
        return public_form(url, self._project.proxy) if url else None

    def environment_url(self, name: str) -> str | None:
        """Where an environment's API answers, or None when the proxy does not run."""
        url = self.url()
        return f"{url}/{name}/" if url else None

    def recording_problem(self) -> str | None:
        """Why requests that pass the proxy are not kept although they should be; None also when it does not run."""
        url = self.url()
        if url is None:
            return None
        content = health(self._project.proxy.host, int(url.rpartition(":")[2]))
        return str(content.get("recording") or "") or None if content else None

    def space_uses(self) -> Mapping[str, Mapping[str, float]] | None:
        """Per space how it is used, see :class:`emulator.proxy.spaces.Use`; None when the proxy does not answer."""
        record = process.read_record(self.folder) if process.is_running(self.folder) else None
        content = ask(record.settings.get("host", ports.HOST), record.port, _SPACES_PATH) if record else None
        return {name: use for name, use in content.items() if isinstance(use, Mapping)} if content is not None else None

    def await_exchanges(self, *, timeout: float) -> bool:
        """
        Whether what the proxy had answered when this was called is written, also to the corpus being recorded.

        Args:
            timeout: Seconds to wait for that; a proxy that does not answer keeps nothing, and isn't waited for.
        """
        url = self.url()
        if url is None:
            return False
        port, wanted, until = int(url.rpartition(":")[2]), None, time.monotonic() + timeout
        while True:
            progress = (health(self._project.proxy.host, port) or {}).get("exchanges")
            if not isinstance(progress, Mapping):
                return False
            wanted = progress["offered"] if wanted is None else wanted
            if progress["done"] >= wanted:
                return True
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK)

    def ensure_running(self, *, cancelled: Callable[[], None]) -> bool:
        """
        Start the proxy, or replace one that runs with other settings or does not answer; True if it did.

        Raises:
            NotReady: Its port is taken, or it does not answer in time.
        """
        made = is_guarded(self._project.proxy) and keep_password(self._password_file, self._project.proxy.password)
        did = self._start_unless_running(cancelled=cancelled)
        if did or made:
            self._tell_password(made=made)
        return did

    def is_serving(self) -> bool:
        """Whether the proxy runs and answers, whatever it was started with."""
        record = process.read_record(self.folder) if process.is_running(self.folder) else None
        return record is not None and answers(record.settings.get("host", ports.HOST), record.port)

    def _start_unless_running(self, *, cancelled: Callable[[], None]) -> bool:
        record = process.read_record(self.folder) if process.is_running(self.folder) else None
        host = self._project.proxy.host
        if record is not None and self._is_as_wanted(record) and answers(host, record.port):
            return False
        started = time.monotonic()
        self._emit(Event(None, "starting proxy"))
        process.stop(self.folder, grace=2.0)
        candidates = process.candidate_ports(self.folder, _PORTS)
        try:
            with ports.listen(
                port=self._project.proxy.port, candidates=candidates, purpose="the proxy", host=host
            ) as listener:
                port = listener.getsockname()[1]
                process.spawn(
                    _MODULE,
                    folder=self.folder,
                    listener=listener,
                    arguments=[f"--{name}={value}" for name, value in self._settings().items()],
                    environ={**self._environ, **store_environ(self._project.store)},
                )
            self._await_answer(host, port, cancelled=cancelled)
        except BaseException:
            process.stop(self.folder, grace=0.0)
            raise
        self._emit(Event(None, "proxy ready", f"http://{reached_at(host)}:{port}", time.monotonic() - started))
        if self._project.proxy.port is None and port != candidates[0]:  # whoever has the usual address must not miss it
            taken = f"port {candidates[0]} is taken{ports.holder(candidates[0])}"
            self._emit(Event(None, "note:", f"{taken}: the proxy listens on {port}"))
        return True

    def _tell_password(self, *, made: bool) -> None:
        """Say how other machines get in; a password that was made just now is shown this once."""
        if is_guarded(self._project.proxy):
            password = f"{read_password(self._password_file)}, kept in" if made else "in"
            self._emit(Event(None, "password", f"of other machines: {password} {self._password_file}"))
        elif reaches_others(self._project.proxy):
            self._emit(Event(None, "note:", "the proxy asks for no password: whoever reaches it may use it"))

    def _is_as_wanted(self, record: process.ServerRecord) -> bool:
        wanted = {name.replace("-", "_"): value for name, value in self._settings().items()}
        return self._project.proxy.port in (None, record.port) and record.settings == wanted

    def _settings(self) -> Mapping[str, str]:
        """What the proxy is started with, by option."""
        settings, urls = self._project.proxy, [one.url or "" for one in self._project.environments]
        store = self._project.store
        file = self._project.home / self._project.file.name
        return {
            "routes": str(self._routes),
            "host": settings.host,
            "timeout": str(settings.timeout),
            "max-body": str(settings.max_body),
            "allow-remote": "yes" if self._project.allow_remote else "no",
            # Environments that belong to another folder are none that a command of a person would find.
            "project": str(file) if pages_act(settings) and file.is_file() else "",
            # Whoever wakes a space has its token, also where the pages are for reading only.
            "waking": str(file) if file.is_file() else "",
            "domains": ",".join(one.partition(":")[0] for one in settings.domains),
            "trusted": ",".join(settings.trusted),
            "password-file": str(self._password_file) if is_guarded(settings) else "",
            # The whole URL, which may hold a password, is among its variables.
            "store": shown_url(store.url) if store else "",
            "store-project": self._project.service if store else "",
            "ca-file": (ca_file() or "") if any(url.startswith("https:") for url in urls) else "",
        }

    def _await_answer(self, host: str, port: int, *, cancelled: Callable[[], None]) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not answers(host, port):
            cancelled()
            is_dead = not process.is_running(self.folder)
            if is_dead or time.monotonic() >= deadline:
                raise NotReady(
                    "the proxy ended while starting" if is_dead else f"the proxy does not answer after {_TIMEOUT:g} s",
                    hint=f"its log is {self.folder / process.LOG_FILE}",
                    details=_tail(self.folder / process.LOG_FILE),
                )
            time.sleep(0.02)

    def stop(self) -> bool:
        """
        Stop the proxy; True if it was running.

        Its faults go first: requests that one holds back go on. What was being recorded ends with it: nobody would
        expect the next proxy to go on with that.
        """
        self.faults_file.unlink(missing_ok=True)
        did = process.stop(self.folder, grace=2.0)
        end_recording(self.folder / RECORDING_FILE)
        return did

    def publish(
        self, instances: Mapping[str, Instance], known: Mapping[str, Known], *, others: Collection[str] = frozenset()
    ) -> None:
        """
        Tell the proxy what runs where.

        Args:
            instances: Environments that are not in it are none any more.
            known: What they serve.
            others: Environments that were created after this project was loaded: what was published of them holds, as
                does what the lab published of environments that are laid out otherwise.
        """
        routes = kept_routes(self._routes, routes_of(self._project, instances, known), instances)
        # One that somebody broke is written anew, without those that only it knew.
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            before = load_routes(self._routes).items()
            routes += [route for name, route in before if name in others or route.topology != OWN_TOPOLOGY]
        publish_routes(self._routes, routes)
        publish_routes_of(self._project, routes, emit=self._emit)
        self.clear_faults(lambda name: name not in {route.environment for route in routes if route.url is not None})
        self.publish_rules()

    def publish_laid_out(self, routes: Sequence[Route]) -> None:
        """Tell the proxy where environments of the lab run that are laid out otherwise; it keeps the project's own."""
        own = [route for route in load_routes(self._routes).values() if route.topology == OWN_TOPOLOGY]
        publish_routes(self._routes, [*own, *routes])

    def clear_faults(self, is_over: Callable[[str], bool]) -> None:
        """Clear the faults of the environments for which *is_over*."""
        proxy = self.running_process()
        if proxy is not None and self.faults_file.exists():
            remove_faults(self.faults_file, proxy, lambda fault: is_over(fault.environment))

    def publish_rules(self) -> None:
        """Tell the proxy what the project file says now about requests that are compared and kept."""
        publish_rules(self.folder / RULES_FILE, self._project.rules)


def routes_of(project: Project, instances: Mapping[str, Instance], known: Mapping[str, Known]) -> list[Route]:
    """Where the proxy finds the environments of *project* that are among *instances*, in its order."""
    return [
        _route(project, environment, instances[environment.name], known.get(environment.name) or Known())
        for environment in project.environments
        if environment.name in instances
    ]


def _route(project: Project, environment: Environment, instance: Instance, known: Known) -> Route:
    apis = tuple(known.apis)
    return Route(
        environment=environment.name,
        account_id=environment.account_id,
        region=environment.region,
        driver=environment.driver.value,
        url=_upstream_of(environment, instance),
        process=instance.process,
        # Beside a canary nobody outside can tell which of the two a call got.
        release=None if known.canary else known.release,
        digest=known.digest,
        apis=apis,
        # A wrong `api` is refused when it is deployed; until then what is deployed serves on.
        default_api=default_among(apis, project.api),
        protected=environment.protected,
        started_by="multistack lab up" if is_lab(project.root) else "",
        key=instance.endpoint.key if instance.endpoint else "",
    )


def pages_act(settings: ProxySettings) -> bool:
    """Whether the proxy's pages may run commands: not where other machines come in without a password."""
    return is_guarded(settings) or not reaches_others(settings)


def _upstream_of(environment: Environment, instance: Instance) -> str | None:
    """Where the proxy asks; also while nothing answers there, for an emulator that comes back without our doing."""
    if instance.endpoint is not None:
        return instance.endpoint.url
    is_away = environment.driver is DriverName.EXTERNAL and instance.status is Status.STOPPED
    return environment.url if is_away else None


def _tail(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()[-10:]
    except FileNotFoundError:
        return []
