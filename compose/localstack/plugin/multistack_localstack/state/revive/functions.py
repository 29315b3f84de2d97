"""Lambda: functions can be called, event source mappings poll, and events that nobody has handled yet are handled."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from localstack.aws.api.lambda_ import State
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmState
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.services.lambda_.invocation.internal_sqs_queue import get_fake_sqs_client
from localstack.services.lambda_.invocation.lambda_models import Function
from localstack.services.lambda_.invocation.models import LambdaStore, lambda_stores
from localstack.services.lambda_.provider_utils import get_function_version_from_arn
from localstack.services.sqs.models import SqsMessage

from multistack_localstack.state.revive.streams import StreamPositions, follow_readers

_log = logging.getLogger("multistack.state")


class PendingEvents:
    """
    Events of asynchronous calls that are not handled yet; see :class:`services.Part`.

    One whose function was running is among them, and is handled again: AWS promises at least once, too.
    """

    key = "pending"

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._loaded: dict[str, list[tuple[str, int]]] = {}

    def save(self) -> dict[str, list[tuple[str, int]]]:
        """By the ARN of the function's version: the event, and the second since the epoch before which it rests."""
        queues = get_fake_sqs_client().queue_manager.queues
        saved = {}
        for arn, manager in list(self._provider.lambda_service.event_managers.items()):
            queue = queues.get(manager.event_queue_url)
            if queue is None:
                continue
            waiting = [*list(queue.visible.queue), *list(queue.inflight), *list(queue.delayed)]
            events = [(message.message["Body"], _resting_until(message)) for message in waiting if not message.deleted]
            if events:
                saved[arn] = events
        return saved

    def load(self, saved: dict[str, list[tuple[str, int]]]) -> None:
        """Keep *saved* until the functions are there."""
        self._loaded = saved

    def enqueue(self) -> None:
        """Hand the loaded events to their functions."""
        loaded, self._loaded = self._loaded, {}
        for arn, events in loaded.items():
            manager = self._provider.lambda_service.event_managers.get(arn)
            if manager is None:
                _log.warning("%d events for %s are lost: it is not there any more", len(events), arn)
                continue
            for body, until in events:
                delay = max(0, until - int(time.time()))
                get_fake_sqs_client().send_message(
                    QueueUrl=manager.event_queue_url, MessageBody=body, DelaySeconds=delay
                )


def _resting_until(message: SqsMessage) -> int:
    return int(message.created + message.delay_seconds) + 1 if message.delay_seconds else 0


class Functions:
    """
    Lambda's state beside its stores.

    Attributes:
        parts: See :class:`services.Part`.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._pending, self._positions = PendingEvents(provider), StreamPositions(provider)
        self.parts = (self._pending, self._positions)
        follow_readers()

    def revive(self) -> None:
        """Let functions be called again, and what calls them go on."""
        revive_versions(self._provider)
        self._pending.enqueue()
        start_mappings(self._provider, self._positions)


def revive_versions(provider: Any) -> None:
    """
    Let functions be called again.

    LocalStack does so itself, and leaves behind versions with new revision ids: those that were ready get their own
    back. Event source mappings are kept from it, since what they call must not run before LocalStack listens.
    """
    mappings = {}
    for store in _stores():
        _remove_deleted(store)
        mappings[id(store)], store.event_source_mappings = store.event_source_mappings, {}
    ready = [
        (function, qualifier, version)
        for function in _functions()
        for qualifier, version in function.versions.items()
        if version.config.state.state == State.Active
    ]
    provider.on_before_state_load()
    provider.on_after_state_load()
    for function, qualifier, version in ready:
        if function.versions[qualifier].config.state.state == State.Active:
            function.versions[qualifier] = version
    for store in _stores():
        store.event_source_mappings = mappings.get(id(store), {})


def start_mappings(provider: Any, positions: StreamPositions) -> None:
    """Let event source mappings poll again, from *positions* where they read streams."""
    for store in _stores():
        for mapping in list(store.event_source_mappings.values()):
            name, target = str(mapping["UUID"]), str(mapping["FunctionArn"])
            if mapping.get("State") == EsmState.DELETING:
                del store.event_source_mappings[name]
                continue
            is_enabled = mapping.get("State") not in (EsmState.DISABLED, EsmState.DISABLING)
            try:
                role = get_function_version_from_arn(target).config.role
                worker: Any = _worker(mapping, role, is_enabled)
                positions.give(worker)
                worker.create()
            except Exception as error:  # of any kind: the other ones can poll
                _log.warning("event source mapping %s does not poll: %s", name, error)
                continue
            provider.esm_workers[worker.uuid] = worker


def _worker(mapping: Any, role: str, is_enabled: bool) -> Any:
    factory: Any = EsmWorkerFactory
    return factory(mapping, role, is_enabled).get_esm_worker()


def _stores() -> Iterator[LambdaStore]:
    for _account, _region, store in list(lambda_stores.iter_stores()):
        yield store


def _functions() -> Iterator[Function]:
    for store in _stores():
        yield from store.functions.values()


def _remove_deleted(store: LambdaStore) -> None:
    """LocalStack removes what was deleted half a second later; that moment is past."""
    for name, function in list(store.functions.items()):
        for qualifier, version in list(function.versions.items()):
            if version.config.state.state == State.Deleting:
                del function.versions[qualifier]
        if "$LATEST" not in function.versions:
            del store.functions[name]
