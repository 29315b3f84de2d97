"""What the pods of an environment, as the cluster's API tells of them, mean for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.model import Status

# Why a container waits that will wait for ever, unless somebody does something.
_HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


def health_of(
    pods: Sequence[Mapping[str, Any]], warnings: Sequence[Mapping[str, Any]], *, since: str = ""
) -> tuple[Status, str]:
    """
    How an environment is that should have a pod.

    Args:
        pods: Its own; one that ends doesn't count.
        warnings: Events about its workload, which say why there is no pod.
        since: When it was started, as the API writes times: events are kept for an hour, those of earlier starts too.

    Returns:
        ``UNHEALTHY`` only where it will not be ready by itself.
    """
    current = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if not current:
        # To the second: the API has microseconds in some of them only.
        recent = [one for one in warnings if _time_of(one)[:19] >= since[:19]]
        newest = max(recent, key=_time_of, default=None)
        return (Status.STARTING, "") if newest is None else (Status.UNHEALTHY, f"it has no pod: {newest['message']}")
    pod = max(current, key=lambda one: str(one["metadata"].get("creationTimestamp", "")))
    status, conditions = pod.get("status", {}), _conditions(pod)
    if status.get("phase") in ("Failed", "Succeeded"):
        return Status.UNHEALTHY, f"its pod ended: {status.get('reason') or status.get('message') or status['phase']}"
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        # Room may be made for it, by a cluster that grows too.
        return Status.STARTING, f"{scheduled.get('reason', 'Pending')}: {scheduled.get('message', '')}"
    container: Mapping[str, Any] = next(iter(status.get("containerStatuses", [])), {})
    waiting = container.get("state", {}).get("waiting", {})
    if waiting.get("reason") in _HOPELESS:
        return Status.UNHEALTHY, _waits(container, waiting)
    if conditions.get("Ready", {}).get("status") == "True":
        return Status.READY, _restarts(container)
    return Status.STARTING, _restarts(container)


def _time_of(event: Mapping[str, Any]) -> str:
    """When it happened last; which of its fields says so depends on who reported it."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return str(next((time for time in times if time), event.get("metadata", {}).get("creationTimestamp", "")))


def _conditions(pod: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["type"]: one for one in pod.get("status", {}).get("conditions", [])}


def _waits(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    last = _last_end(container)
    rest = [part for part in (waiting.get("message", ""), f"it ended with {last}" if last else "") if part]
    return ": ".join([waiting["reason"], "; ".join(rest)] if rest else [waiting["reason"]])


def _restarts(container: Mapping[str, Any]) -> str:
    count, last = container.get("restartCount", 0), _last_end(container)
    if not count:
        return ""
    times = "once" if count == 1 else f"{count} times"
    return f"its container was started anew {times}" + (f", after {last}" if last else "")


def _last_end(container: Mapping[str, Any]) -> str:
    """Why the container before ended, e.g. ``OOMKilled (137)``."""
    ended = container.get("lastState", {}).get("terminated", {})
    return f"{ended.get('reason', 'exit')} ({ended.get('exitCode', '?')})" if ended else ""
