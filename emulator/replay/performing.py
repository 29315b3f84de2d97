"""A replay as a project has it: its rules, its proxy, its environments."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from emulator.differences import unused
from emulator.differences.json_paths import first_value
from emulator.endpoint import ca_file
from emulator.errors import ConfigError
from emulator.events import Emit, Event
from emulator.faults.file import FAULTS_FILE, watch_faults
from emulator.inspector.redaction import Redaction
from emulator.model import Environment, ExpectedDifference, Project
from emulator.process import read_record
from emulator.proxy.disturb import Disturber
from emulator.proxy.forward import Forwarder
from emulator.proxy.upstream import Upstreams
from emulator.replay.carrying import Carried
from emulator.replay.corpus import FOLDER, Corpus, corpus_path, read_corpus
from emulator.replay.judging import Judge
from emulator.replay.results import BAD, RECORDED, Replay, Replayed
from emulator.replay.running import Plan, Runner
from emulator.replay.sending import Sender
from emulator.replay.writing import MOST_BYTES
from emulator.routes import ROUTES_FILE, load_routes

# Seconds between two lines of progress.
_TOLD_EVERY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    Attributes:
        headers: Sent in place of those of the same name, e.g. an ``Authorization`` that no recording keeps.
        protected: The second word that writing into a protected environment needs.
    """

    rate: float | None = None
    concurrency: int = 4
    headers: Sequence[tuple[str, str]] = ()
    writes: bool = False
    protected: bool = False


def open_corpus(project: Project, name: str) -> Corpus:
    """
    Read a corpus of the project.

    Raises:
        ConfigError: It is missing, broken or empty.
    """
    path = corpus_path(project, name)
    corpus = read_corpus(path, shown=f"{FOLDER}/{path.name}")
    if not corpus.entries:
        raise ConfigError(f"{FOLDER}/{path.name} holds no requests", hint=f"multistack record start {name} --append")
    return corpus


def check_may_write(corpus: Corpus, environments: Sequence[Environment], options: Options) -> None:
    """
    Whether what the corpus would change may be changed.

    Raises:
        ConfigError: An environment is protected, and nobody said the second word.
    """
    if not options.writes or options.protected or not any(entry.is_write for entry in corpus.entries):
        return
    if protected := next((one.name for one in environments if one.protected), None):
        raise ConfigError(
            f"environment {protected} is protected, and {corpus.name} has requests that may change it",
            hint="leave --writes out, or add --protected",
        )


def perform(
    project: Project,
    corpus: Corpus,
    *,
    url: str,
    environment: Environment,
    release: str | None,
    baseline: Environment | None = None,
    options: Options | None = None,
    emit: Emit,
    check: Callable[[], None],
) -> Replay:
    """
    Send a corpus to *environment*, and compare.

    Args:
        url: Of the proxy.
        release: What the environment serves, for the report.
        baseline: Gets the same requests; by default the recorded answers are held against.
        check: Raises when the command was interrupted.

    Raises:
        ConfigError: See :func:`check_may_write`.
    """
    options = options or Options()
    check_may_write(corpus, [one for one in (environment, baseline) if one], options)
    plan = Plan(
        corpus=corpus,
        environment=environment.name,
        baseline=baseline.name if baseline else RECORDED,
        concurrency=options.concurrency,
        rate=options.rate,
        writes=options.writes,
    )
    between = (baseline.name if baseline else corpus.environment or environment.name, environment.name)
    at = datetime.now(UTC)
    with _sender(project, url, options) as sender:
        runner = Runner(
            plan,
            sender=sender,
            carried=lambda: Carried(project.carry, find=first_value),
            judge=_judge(project, between, is_recorded=baseline is None),
            check=check,
            tell=_Teller(environment.name, len(corpus.entries), emit),
        )
        requests = runner.run()
    return Replay(
        corpus=corpus.name,
        environment=environment.name,
        release=release,
        baseline=plan.baseline,
        at=at,
        seconds=runner.seconds,
        requests=requests,
        lost=corpus.lost,
        unused=_unused(project, requests, between),
    )


@contextlib.contextmanager
def _sender(project: Project, url: str, options: Options) -> Iterator[Sender]:
    """Passes requests on as the proxy does, faults included, over connections of its own."""
    upstreams = Upstreams(timeout=project.proxy.timeout, allow_remote=project.allow_remote, ca_file=ca_file())
    forwarder = Forwarder(upstreams, timeout=project.proxy.timeout, max_body=project.proxy.max_body)
    routes = load_routes(project.state / ROUTES_FILE)
    forward, proxy = forwarder.forward, read_record(project.state / "proxy")
    if proxy is not None:
        faults = watch_faults(project.state / "proxy" / FAULTS_FILE, proxy.process)
        forward = Disturber(forward, faults).forward
    try:
        yield Sender(
            forward,
            routes,
            host=urlsplit(url).netloc,
            most=MOST_BYTES,
            timeout=project.proxy.timeout,
            extra=options.headers,
        )
    finally:
        upstreams.keep_only(())


def _judge(project: Project, between: tuple[str, str], *, is_recorded: bool) -> Judge:
    redaction = Redaction.of(project.rules.inspector.redact)
    return Judge(rules=project.rules.comparison, redaction=redaction, between=between, is_recorded=is_recorded)


def _unused(project: Project, requests: Sequence[Replayed], between: tuple[str, str]) -> list[str]:
    """Declarations that no answer had a use for."""
    explained = [one for request in requests if request.difference for one in request.difference.expected]
    return [_shown(rule) for rule in unused(project.rules.comparison.expected, explained, between)]


def _shown(rule: ExpectedDifference) -> str:
    parts = {"json_path": rule.json_path, "header": rule.header, "regex": rule.regex}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value) or "any difference"


class _Teller:
    """Says from time to time how far a replay is."""

    def __init__(self, environment: str, count: int, emit: Emit) -> None:
        self._environment = environment
        self._count = count
        self._emit = emit
        self._next = time.monotonic() + _TOLD_EVERY

    def __call__(self, done: Sequence[Replayed]) -> None:
        """Tell, unless that was done just now."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _TOLD_EVERY
        bad = sum(one.verdict in BAD for one in done)
        said = f"{len(done)} of {self._count}" + (f", {bad} with a difference" if bad else "")
        self._emit(Event(self._environment, "replaying", said))
