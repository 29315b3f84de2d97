"""
EventBridge: what acts for each bus, rule and target, and the clock of scheduled rules.

LocalStack keeps its data apart from what acts on it, and has nothing that makes the one from the other.
"""

from __future__ import annotations

import logging
from typing import Any

from localstack.services.events.api_destination import APIDestinationService
from localstack.services.events.archive import ArchiveService
from localstack.services.events.connection import ConnectionService
from localstack.services.events.event_bus import EventBusService
from localstack.services.events.models import EventBus, EventsStore, Rule, events_stores
from localstack.services.events.replay import ReplayService
from localstack.services.events.rule import RuleService
from localstack.services.events.utils import extract_connection_name, is_archive_arn

_log = logging.getLogger("multistack.state")


def revive(provider: Any) -> None:
    """Let the buses and rules that are in the stores act again."""
    for _account, _region, store in list(events_stores.iter_stores()):
        for bus in store.event_buses.values():
            provider._event_bus_services_store[bus.arn] = EventBusService(bus)
            _revive_rules(provider, bus)
        _revive_others(provider, store)


def _revive_rules(provider: Any, bus: EventBus) -> None:
    for rule in bus.rules.values():
        service = RuleService(rule)
        provider._rule_services_store[rule.arn] = service
        for target in rule.targets.values():
            if is_archive_arn(target["Arn"]):
                continue  # its events are put into the archive without a sender
            try:
                provider.create_target_sender(target, rule.arn, rule.name, rule.region, rule.account_id)
            except Exception as error:  # of any kind: the other targets get their events
                _log.warning("the target %s of rule %s gets no events: %s", target["Arn"], rule.name, error)
        _schedule(provider, rule, service)


def _schedule(provider: Any, rule: Rule, service: RuleService) -> None:
    """LocalStack begins to run a schedule when its rule gets a target."""
    if service.schedule_cron and rule.targets:
        job = provider._get_scheduled_rule_job_function(rule.account_id, rule.region, rule)
        service.create_schedule_job(job)


def _revive_others(provider: Any, store: EventsStore) -> None:
    for archive in store.archives.values():
        created = archive.creation_time
        provider._archive_service_store[archive.arn] = ArchiveService(archive)
        archive.creation_time = created  # which that has set to now
    for connection in store.connections.values():
        service = ConnectionService.restore_from_connection(connection)
        provider._connection_service_store[connection.arn] = service
    for destination in store.api_destinations.values():
        used = store.connections.get(extract_connection_name(destination.connection_arn))
        if used is not None:
            revived = APIDestinationService.restore_from_api_destination_and_connection(destination, used)
            provider._api_destination_service_store[destination.arn] = revived
    for replay in store.replays.values():
        acting = ReplayService.__new__(ReplayService)
        acting.replay = replay
        provider._replay_service_store[replay.arn] = acting
