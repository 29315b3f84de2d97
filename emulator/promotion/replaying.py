"""A replay as a gate: requests that were recorded must be answered as they were then."""

from __future__ import annotations

from collections.abc import Callable

from emulator.model import Gate, GateResult, Phase, Project
from emulator.promotion.verification import Checked
from emulator.replay.performing import Options, open_corpus, perform
from emulator.replay.results import Replay, Verdict
from emulator.workspace import Workspace

_LINES = 20


def check_replayable(project: Project) -> None:
    """
    Find what is wrong with the corpus before anything is deployed.

    Raises:
        ConfigError: It is missing, broken or empty.
    """
    if project.verification.replay is not None:
        open_corpus(project, project.verification.replay)


def replay_of(workspace: Workspace, name: str, release: str) -> Callable[[], Checked] | None:
    """What replays the project's corpus in environment *name*; None when the project has none for that."""
    project = workspace.project
    verification, corpus = project.verification, project.verification.replay
    if corpus is None:
        return None
    (environment,) = workspace.environments([name])
    url = workspace.front.url() or ""

    def run() -> Checked:
        found = perform(
            project,
            open_corpus(project, corpus),
            url=url,
            environment=environment,
            release=release,
            options=Options(writes=verification.replay_writes and not environment.protected),
            emit=workspace.emit,
            check=workspace.cancellation.check,
        )
        return _judged(found)

    return run


def _judged(found: Replay) -> Checked:
    """Good is only what was compared: a corpus of which nothing can be sent proves nothing."""
    counts = found.counts
    bad, equal, skipped = len(found.bad), counts[Verdict.EQUAL], counts[Verdict.SKIPPED]
    detail = f"{equal} answers as recorded" + (f", {skipped} requests skipped" if skipped else "")
    if bad:
        detail = f"{bad} of {bad + equal} answers differ from what was recorded"
    elif not equal:
        detail = f"no answer was compared, {skipped} requests skipped"
    result = GateResult.PASSED if found.is_equal else GateResult.FAILED
    gate = Gate(name=f"replay {found.corpus}", phase=Phase.AFTER, result=result, detail=detail)
    return gate, [line for one in found.bad for line in one.lines()][:_LINES]
