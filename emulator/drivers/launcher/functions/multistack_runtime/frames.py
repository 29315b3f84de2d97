"""Frames on a stream: four bytes of length, most significant first, then so many bytes of UTF-8 JSON."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEAD = struct.Struct(">I")
_CHUNK = 1024 * 1024


def encode(content: bytes) -> bytes:
    """*content* as a frame."""
    return HEAD.pack(len(content)) + content


class Frames:
    """The frames of one socket, which blocks."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def read(self) -> Any:
        """
        The next frame.

        Raises:
            EOFError: The emulator has closed its end.
        """
        self._fill(HEAD.size)
        (length,) = HEAD.unpack_from(self._buffer)
        self._fill(HEAD.size + length)
        content = bytes(self._buffer[HEAD.size : HEAD.size + length])
        del self._buffer[: HEAD.size + length]
        return json.loads(content)

    def write(self, content: bytes) -> None:
        """Send *content* as one frame."""
        self._stream.sendall(encode(content))

    def _fill(self, length: int) -> None:
        while len(self._buffer) < length:
            chunk = self._stream.recv(_CHUNK)
            if not chunk:
                raise EOFError
            self._buffer += chunk
