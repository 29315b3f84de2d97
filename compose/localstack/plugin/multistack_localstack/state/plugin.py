"""What LocalStack calls: entry points of this package."""

from __future__ import annotations

import logging
import os
import socket
import sys

from localstack import config
from localstack.constants import VERSION
from localstack.runtime import get_current_runtime, hooks
from localstack.services.plugins import SERVICE_PLUGINS

from multistack_localstack import gateway as entrance
from multistack_localstack import tracing
from multistack_localstack.loopback_guard import Hosts
from multistack_localstack.state import regions
from multistack_localstack.state.checkpoint import ForeignCheckpoint
from multistack_localstack.state.durable import VARIABLE, Durable, Settings
from multistack_localstack.state.services import Services
from multistack_localstack.supported import is_supported

# After LocalStack's own hooks, which load services and let it call itself; its patches come first of all.
_AFTER_SERVICES = -50
_FIRST = 100
_REFUSED = 3
_log = logging.getLogger("multistack.state")
_durable: list[Durable] = []


@hooks.on_infra_start(priority=_AFTER_SERVICES)
def guard_gateway() -> None:
    """Let web pages not reach this LocalStack."""
    if is_supported("the guard against web pages"):
        own = (config.LOCALSTACK_HOST.host, socket.gethostname())
        entrance.guard(get_current_runtime().components.gateway, Hosts.allowed(os.environ, *own))
        tracing.tell(get_current_runtime().components.gateway)


@hooks.on_infra_start(priority=_AFTER_SERVICES - 1)
def restore_state() -> None:
    """Restore the newest state before anything is served, and keep it from then on."""
    if not _is_wanted() or not is_supported("state that outlives it"):
        return
    regions.look_up_with_one_session()
    settings = Settings.read(os.environ, version=VERSION)
    try:
        durable = Durable(settings, Services(SERVICE_PLUGINS))
        durable.restore(get_current_runtime().components.gateway)
    except ForeignCheckpoint as error:
        # Going on would put an empty state in the place of one that is only unknown here.
        _leave(str(error))
    except OSError as error:
        _leave(f"the state can't be kept: {error.filename or settings.folder}: {error.strerror or error}")
    except Exception as error:  # of any kind: LocalStack would log it, and start without its state
        _log.exception("the state can't be restored")
        _leave(f"the state can't be restored: {type(error).__name__}: {error}")
    else:
        _durable.append(durable)


@hooks.on_infra_ready(priority=_FIRST)
def open_gateway() -> None:
    """LocalStack listens."""
    for durable in _durable:
        durable.open()


@hooks.on_infra_shutdown(priority=_FIRST)
def save_state() -> None:
    """Write a last checkpoint while all services are still there."""
    for durable in _durable:
        durable.end()


def _is_wanted() -> bool:
    """Where the variable is set, which it is in the image: nobody else's LocalStack is to write below /var."""
    return bool(os.environ.get(VARIABLE))


def _leave(reason: str) -> None:
    sys.stderr.write(f"ERROR: LocalStack does not start: {reason}\n")
    sys.stderr.flush()
    os._exit(_REFUSED)  # an exception would only be logged, and LocalStack would start without its state
