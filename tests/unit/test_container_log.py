"""A container's log, followed."""

from __future__ import annotations

from typing import Any

from docker.errors import NotFound

from emulator.drivers.container_log import ContainerLog


class Container:
    """A container whose engine has *said*; asked since when."""

    def __init__(self, *said: str) -> None:
        self.said = list(said)
        self.asked: list[int | None] = []
        self.is_gone = False

    def logs(self, *, timestamps: bool, since: int | None) -> bytes:
        """All lines with their times from the second *since* on."""
        assert timestamps
        if self.is_gone:
            raise NotFound("404", explanation="No such container")
        self.asked.append(since)
        return "".join(f"{line}\n" for line in self.said).encode()


def test_every_line_comes_once_with_its_time() -> None:
    """LocalStack's own time is the same once more, so it is left out."""
    container = Container(
        "2026-11-26T12:00:00.123456789Z 2026-11-26T12:00:00.123  INFO --- [main] Ready.",
        "2026-11-26T12:00:00.5Z plain",
    )
    log = ContainerLog(lambda: container, bytes)
    assert log.new_lines() == [
        "2026-11-26T12:00:00.123456Z INFO --- [main] Ready.",
        "2026-11-26T12:00:00.500000Z plain",
    ]
    assert log.new_lines() == []
    container.said.append("2026-11-26T12:00:01.000000001Z more")
    assert log.new_lines() == ["2026-11-26T12:00:01.000000Z more"]


def test_only_what_is_new_is_asked_for() -> None:
    """From the last line's second on: the engine knows no finer one."""
    container = Container("2026-11-26T12:00:00.9Z a")
    log = ContainerLog(lambda: container, bytes)
    log.new_lines()
    log.new_lines()
    assert container.asked == [None, 1795694400]


def test_line_that_was_stored_late_is_not_lost() -> None:
    """What goes to stdout and to stderr is stored in any order."""
    container = Container("2026-11-26T12:00:00.5Z later")
    log = ContainerLog(lambda: container, bytes)
    log.new_lines()
    container.said.append("2026-11-26T12:00:00.4Z earlier")
    assert log.new_lines() == ["2026-11-26T12:00:00.400000Z earlier"]


def test_times_of_podman_are_turned_into_utc() -> None:
    """It writes them in the machine's zone."""
    log = ContainerLog(lambda: Container("2026-11-26T13:00:00.5+01:00 a"), bytes)
    assert log.new_lines() == ["2026-11-26T12:00:00.500000Z a"]


def test_lines_without_a_time_are_left_out() -> None:
    """Such as the rest of a line that was too long for the engine; odd characters end no line."""
    log = ContainerLog(
        lambda: Container("rest", "2026-13-99T12:00:00Z no date", "2026-11-26T12:00:00Z a\x0bb\u2028c"), bytes
    )
    assert log.new_lines() == ["2026-11-26T12:00:00.000000Z a\x0bb\u2028c"]


def test_container_that_is_gone_says_nothing() -> None:
    """Whether it is found or not; the next one goes on."""
    found: list[Any] = [None]
    log = ContainerLog(lambda: found[0], bytes)
    assert log.new_lines() == []
    found[0] = Container("2026-11-26T12:00:00Z a")
    assert log.new_lines() == ["2026-11-26T12:00:00.000000Z a"]
    found[0].is_gone = True
    assert log.new_lines() == []
    found[0] = Container("2026-11-26T12:00:09Z b")
    assert log.new_lines() == ["2026-11-26T12:00:09.000000Z b"]


def test_log_of_the_last_container_is_shown_when_it_is_gone() -> None:
    """What it had said already is not repeated, also when a new one goes on."""
    first = Container("2026-11-26T12:00:00.1Z a")
    found: list[Any] = [first]
    log = ContainerLog(lambda: found[0], lambda: b"2026-11-26T12:00:00.1Z a\n2026-11-26T12:00:05Z stopping\n")
    assert log.new_lines() == ["2026-11-26T12:00:00.100000Z a"]
    found[0] = None
    assert log.new_lines() == ["2026-11-26T12:00:05.000000Z stopping"]
    found[0] = Container("2026-11-26T12:00:09Z b")
    assert log.new_lines() == ["2026-11-26T12:00:09.000000Z b"]
    found[0] = None
    assert log.new_lines() == []
