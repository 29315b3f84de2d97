"""
The container's health check: the emulator answers.

Run by path by an interpreter without site packages, every few seconds for as long as a container lives: it imports next
to nothing.
"""

from __future__ import annotations

import socket
import sys

_TIMEOUT = 4.0
_ASK = b"GET /_localstack/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def main() -> int:
    """Ask once; returns the exit status that Docker wants."""
    try:
        with socket.create_connection(("127.0.0.1", 4566), timeout=_TIMEOUT) as connection:
            connection.sendall(_ASK)
            said = connection.recv(64)
    except OSError as error:
        sys.stdout.write(f"the emulator does not answer: {error}\n")
        return 1
    return 0 if b" 200 " in said else 1


if __name__ == "__main__":
    sys.exit(main())
