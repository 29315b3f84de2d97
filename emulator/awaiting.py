"""Waits for an emulator that somebody else started, or stopped."""

from __future__ import annotations

import time

from emulator.drivers.registry import Drivers
from emulator.errors import NotReady
from emulator.model import CLUSTERS, Endpoint, Environment, Status
from emulator.parallel import Cancellation, Deadline

LOG_LINES = 10
# Seconds between two looks; a cluster's manager has many to answer.
_LOOK, _CLUSTER_LOOK = 0.05, 1.0


def settled(
    drivers: Drivers, environment: Environment, *, deadline: Deadline, cancellation: Cancellation
) -> Endpoint | None:
    """
    Where *environment* answers, as soon as it does; None as soon as it has ended, as after a command that was killed.

    Raises:
        NotReady: It is neither at the end of *deadline*.
        KeyboardInterrupt: *cancellation* says so.
    """
    while True:
        instance = drivers.of(environment).observe(environment)
        if instance.status is Status.READY and instance.endpoint is not None:
            return instance.endpoint
        if instance.status is Status.STOPPED:
            return None
        if deadline.is_over:
            raise NotReady(
                f"environment {environment.name} is not ready: {instance.reason or instance.status.value}",
                hint=f"multistack up {environment.name}",
                details=drivers.of(environment).logs(environment, tail=LOG_LINES),
            )
        cancellation.check()
        time.sleep(_CLUSTER_LOOK if environment.driver in CLUSTERS else _LOOK)
