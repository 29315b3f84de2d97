"""Whether this LocalStack is one whose insides this package knows."""

from __future__ import annotations

import logging

from localstack.constants import VERSION

KNOWN = "4.14."

LOG = logging.getLogger(__name__)


def is_supported(part: str, *, version: str = VERSION) -> bool:
    """
    Whether *part* of this package may replace insides of LocalStack; says in the log when it may not.

    Args:
        part: What stays undone, e.g. ``CloudFormation updates``.
    """
    if version.startswith(KNOWN):
        return True
    LOG.warning("LocalStack is %s and not %sx: left as it is, without %s", version, KNOWN, part)
    return False
