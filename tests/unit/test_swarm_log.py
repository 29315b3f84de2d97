"""What containers of a swarm say is asked of nodes that can tell it, and of no others."""

from __future__ import annotations

from typing import Any

from emulator.drivers.swarm_log import ServiceLog


class Manager:
    """The API client of an engine whose swarm has two nodes, of which one is down."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.api = self

    def nodes(self) -> list[dict[str, Any]]:
        """As the engine tells of them."""
        return [
            {"ID": name, "Status": {"State": state, "Addr": "10.0.0.1"}, "Spec": {"Availability": "active"}}
            for name, state in (("one", "ready"), ("two", "down"))
        ]

    def tasks(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        """One that moved, after one that never had a container; the next one has no node yet."""
        assert filters == {"service": "s"}
        tasks = [("t1", "two", "running"), ("t2", "one", "rejected"), ("t3", "one", "running"), ("t4", "", "pending")]
        return [{"ID": name, "NodeID": node, "Status": {"State": state}} for name, node, state in tasks]

    def _url(self, path: str, name: str) -> str:
        return path.format(name)

    def _get(self, url: str, *, params: dict[str, Any], timeout: float) -> bytes:
        assert params == {"stdout": True, "stderr": True, "timestamps": True, "since": 7}
        assert timeout < 60
        self.asked.append(url)
        return b"2026 second\n2026 first\n"

    def _get_result_tty(self, stream: bool, answer: bytes, is_tty: bool) -> bytes:
        assert (stream, is_tty) == (False, False)
        return answer


def test_the_log_of_a_lost_node_is_not_asked_for() -> None:
    """The swarm would wait for it, and whoever asks would never get an answer."""
    manager = Manager()
    said = ServiceLog(manager, "s").logs(timestamps=True, since=7)  # type: ignore[arg-type]
    assert said == b"2026 first\n2026 second\n"
    assert manager.asked == ["/tasks/t3/logs"]
