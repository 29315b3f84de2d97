"""
Lambda's readers of streams: where each of them is.

LocalStack keeps that in memory, and begins again where the event source mapping says: what was handled would be handled
again, or what came meanwhile skipped.
"""

from __future__ import annotations

from typing import Any

from localstack.services.lambda_.event_source_mapping.pollers.stream_poller import StreamPoller

_SETTLED = "multistack_settled"


def follow_readers() -> None:
    """
    Let each reader remember up to where all records were handled.

    A reader moves on before its function was called; who saves its position then would lose the records if the call
    did not end.
    """
    poll = StreamPoller.poll_events_from_shard

    def poll_and_settle(self: Any, shard_id: str, shard_iterator: str) -> None:
        settled = vars(self).setdefault(_SETTLED, {})
        settled.setdefault(shard_id, shard_iterator)
        poll(self, shard_id, shard_iterator)
        if self.shards.get(shard_id) and not self.shard_batcher[shard_id]._batch:
            settled[shard_id] = self.shards[shard_id]

    setattr(StreamPoller, "poll_events_from_shard", poll_and_settle)  # noqa: B010 (it is no method to a type checker)


class StreamPositions:
    """Shard iterators by shard by event source mapping; see :class:`services.Part`."""

    key = "positions"

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._loaded: dict[str, dict[str, str]] = {}

    def save(self) -> dict[str, dict[str, str]]:
        """Of the mappings that read streams."""
        pollers = {uuid: worker.poller for uuid, worker in list(self._provider.esm_workers.items())}
        found = {uuid: dict(vars(poller).get(_SETTLED, {})) for uuid, poller in pollers.items()}
        # Those that do not read yet are where they were.
        return self._loaded | {uuid: shards for uuid, shards in found.items() if shards}

    def load(self, saved: dict[str, dict[str, str]]) -> None:
        """Keep *saved* until the mappings are there."""
        self._loaded = dict(saved)

    def give(self, worker: Any) -> None:
        """Let a reader go on where it was."""
        if shards := self._loaded.pop(worker.uuid, None):
            worker.poller.shards = dict(shards)
            setattr(worker.poller, _SETTLED, dict(shards))
