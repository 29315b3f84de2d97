"""Whoever asks for a store that is away is answered at once, for a while."""

from __future__ import annotations

import threading

import psycopg
import pytest

from emulator.store.absence import Absence

PATIENCE = 60.0


class Server:
    """Something to connect to, and the clock."""

    def __init__(self) -> None:
        self.time = 0.0
        self.asked = 0
        self.takes = 2.0
        self.problem: Exception | None = psycopg.OperationalError("timed out")
        self.absence = Absence(lambda error: isinstance(error, psycopg.OperationalError), now=lambda: self.time)

    def connect(self) -> None:
        """As a store does."""
        with self.absence.trying():
            self.asked += 1
            self.time += self.takes
            if self.problem:
                raise self.problem


@pytest.fixture
def server() -> Server:
    """One that is away."""
    return Server()


def test_it_is_asked_once_in_a_while(server: Server) -> None:
    """And everybody else is told what it said then."""
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError, match="timed out"):
            server.connect()
    assert server.asked == 1
    server.time = 60.0
    with pytest.raises(psycopg.OperationalError):
        server.connect()
    assert server.asked == 2


def test_it_is_back_for_everybody_as_soon_as_one_saw_it(server: Server) -> None:
    """Without a further wait."""
    with pytest.raises(psycopg.OperationalError):
        server.connect()
    server.time, server.problem = 60.0, None
    for _ in range(3):
        server.connect()
    assert server.asked == 4


def test_what_is_told_at_once_is_asked_again(server: Server) -> None:
    """Nobody waits for that, and a server that starts may soon be there."""
    server.takes = 0.0
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            server.connect()
    assert server.asked == 2


def test_what_it_refuses_does_not_make_it_away(server: Server) -> None:
    """Somebody else may ask for something else."""
    server.problem = psycopg.ProgrammingError("no such thing")
    for _ in range(2):
        with pytest.raises(psycopg.ProgrammingError):
            server.connect()
    assert server.asked == 2


def test_one_looks_again_and_the_others_do_not_wait_for_it(server: Server) -> None:
    """Although what is known is old by then."""
    with pytest.raises(psycopg.OperationalError):
        server.connect()
    server.time = 60.0
    looks, may_end = threading.Event(), threading.Event()

    def look() -> None:
        with server.absence.trying():
            looks.set()
            assert may_end.wait(PATIENCE)

    thread = threading.Thread(target=look)
    thread.start()
    assert looks.wait(PATIENCE)
    with pytest.raises(psycopg.OperationalError, match="timed out"):
        server.connect()
    may_end.set()
    thread.join(PATIENCE)
    server.problem = None
    server.connect()
