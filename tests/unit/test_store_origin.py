"""Where processes and loopback addresses mean the same."""

from __future__ import annotations

import platform
from pathlib import Path

from emulator.store.origin import place


def test_it_is_a_boot_and_namespaces_where_the_system_tells(tmp_path: Path) -> None:
    """A name says nothing there: others may have it as well."""
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("b007\n")
    (tmp_path / "self/ns").mkdir(parents=True)
    for name in ("net", "pid"):
        (tmp_path / "self/ns" / name).symlink_to(f"{name}:[17]")
    assert place(tmp_path) == "b007 net:[17] pid:[17]"


def test_it_is_told_where_the_system_has_no_such_files(tmp_path: Path) -> None:
    """As on macOS: the same each time, of this machine."""
    assert place(tmp_path) == place(tmp_path)
    assert place(tmp_path).startswith(f"{platform.node()} ")
