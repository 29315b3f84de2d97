"""The artifacts of saves: those stay that something needs, so that a day of saving doesn't fill the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from emulator.created import read_created
from emulator.errors import MultistackError
from emulator.model import Artifact, Outcome
from emulator.workspace import Workspace

# Releases of an environment that a rollback can still reach, though they were only saved.
KEPT = 10
# It serves, serves a share, or is just being deployed.
_SERVING = (Outcome.SUCCEEDED, Outcome.CANARY, None)


def build_passing(workspace: Workspace) -> Artifact:
    """Build what stands on disk; what nobody has built before may go again."""
    asked_for = set(workspace.store.digests()) - workspace.store.passing()
    artifact = workspace.build()
    if artifact.digest not in asked_for:
        workspace.store.set_passing(artifact.digest, is_passing=True)
    return artifact


def prune(workspace: Workspace, latest: Artifact) -> list[str]:
    """
    Remove the artifacts of saves that nothing needs, also those of earlier watches; returns their digests.

    Args:
        latest: What was just built: the next build takes archives from it, deployed or not.
    """
    passing = workspace.store.passing() - {latest.digest}
    # Not with each save: the whole ledger is read.
    gone = sorted(passing - set(_needed(workspace))) if len(passing) >= 2 * KEPT else []
    for digest in gone:
        workspace.store.remove(digest)
    return gone


def _needed(workspace: Workspace) -> Iterator[str]:
    """Digests that environments serve or served lately, were created with or approved for, and those of snapshots."""
    served: dict[str, dict[str, None]] = {}
    for one in reversed(workspace.history.deployments()):  # also of environments that the project file lacks right now
        if one.outcome in _SERVING:
            served.setdefault(one.environment, {})[one.release.digest] = None
    for digests in served.values():
        yield from list(digests)[:KEPT]
    for name in served.keys() | {one.name for one in workspace.project.environments}:
        yield from (approval.digest for approval in workspace.permits.approvals(name))
    yield from (one.digest for one in read_created(workspace.project.state).environments.values() if one.digest)
    snapshots = workspace.snapshots
    for snapshot in snapshots.names():
        for name in snapshots.environments(snapshot):
            with contextlib.suppress(MultistackError):  # a broken one can't be restored anyway
                if (release := snapshots.find(snapshot, name).release) is not None:
                    yield release.digest
