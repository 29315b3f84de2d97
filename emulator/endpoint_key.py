"""
The key that an emulator which listens beyond this machine asks of every request.

Only multistack's own clients and its proxy know it, so nobody reaches an emulator past the proxy by its open port.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Multistack-Key"
# Where such an emulator listens in its container, and its functions find it.
PORT_INSIDE = 4566


def headers_of(key: str) -> dict[str, str]:
    """What a request carries to an emulator whose key is *key*; nothing to one that asks for none."""
    return {HEADER: key} if key else {}


def control_token(key: str) -> str:
    """The token for an emulator's control routes, where no file can be shared with it."""
    return hmac.new(key.encode(), b"multistack control", hashlib.sha256).hexdigest()
