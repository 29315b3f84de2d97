"""Snapshots on disk."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.errors import ConfigError, MultistackError
from emulator.model import Api, Release
from emulator.snapshots import FORMAT, Snapshot, Snapshots, describe

RELEASE = Release(id="r1", digest="d1", config_hash="c1", config={"Size": "s"})
TAKEN = Snapshot(
    name="before",
    environment="test",
    service="orders",
    driver="embedded",
    driver_version="ministack 1.5.33",
    account_id="111111111111",
    region="eu-west-1",
    at=datetime(2026, 11, 25, 17, 40, tzinfo=UTC),
    release=RELEASE,
    apis=(Api(logical_id="Rest", path="/rest", stage="live"),),
    skipped=("Foo (X)",),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the snapshots will be."""
    return tmp_path / "snapshots"


@pytest.fixture
def snapshots(root: Path) -> Snapshots:
    """None yet."""
    return Snapshots(root)


def take(snapshots: Snapshots, name: str, *environments: str, content: str = "data", replace: bool = False) -> None:
    """Save *environments*, each with a file as its state."""
    with snapshots.making(name, environments, replace=replace) as folder:
        for environment in environments:
            one = Snapshot(
                name=name,
                environment=environment,
                service="orders",
                driver="embedded",
                driver_version="ministack 1.5.33",
                account_id="111111111111",
                region="eu-west-1",
                at=TAKEN.at,
            )
            state = describe(folder, one)
            state.mkdir()
            (state / "checkpoint").write_text(content)


def content_of(snapshots: Snapshots, name: str, environment: str) -> str:
    """The saved state that :func:`take` wrote."""
    return (snapshots.state(name, environment) / "checkpoint").read_text()


def test_there_is_none_at_first(snapshots: Snapshots) -> None:
    """Nothing is made by looking."""
    assert snapshots.names() == []
    snapshots.sweep()
    with pytest.raises(ConfigError, match="there is no snapshot before") as caught:
        snapshots.environments("before")
    assert caught.value.hint == "there is none yet; `multistack snapshot save NAME` takes one"


def test_what_was_described_is_found(snapshots: Snapshots) -> None:
    """With all that a restore needs."""
    with snapshots.making("before", ["test"], replace=False) as folder:
        describe(folder, TAKEN).mkdir()
    assert snapshots.find("before", "test") == TAKEN
    assert (snapshots.names(), snapshots.environments("before")) == (["before"], ["test"])


def test_it_is_for_its_owner_only(snapshots: Snapshots, root: Path) -> None:
    """A snapshot holds secrets, whatever modes its driver used."""
    with snapshots.making("before", ["test"], replace=False) as folder:
        state = describe(folder, TAKEN)
        state.mkdir(mode=0o755)
        (state / "checkpoint").write_text("secret")
        (state / "checkpoint").chmod(0o644)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_what_fails_half_way_leaves_nothing(snapshots: Snapshots, root: Path) -> None:
    """All environments or none."""
    with pytest.raises(FileNotFoundError), snapshots.making("before", ["test"], replace=False) as folder:
        (describe(folder, TAKEN) / "checkpoint").write_text("no folder for it")
    assert snapshots.names() == []
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", ".old-a", "-a", "a-", "Before", "a b", "a" * 31, "ä"], ids=repr
)
def test_a_name_is_a_plain_word(snapshots: Snapshots, root: Path, name: str) -> None:
    """It is the name of a folder, and nothing else; no other name is looked for on disk either."""
    with (
        pytest.raises(ConfigError, match="can't be the name of a snapshot"),
        snapshots.making(name, ["test"], replace=True),
    ):
        pytest.fail("it began")
    root.mkdir()
    with pytest.raises(ConfigError, match="there is no snapshot"):
        snapshots.delete(name, [])


def test_a_taken_name_is_refused(snapshots: Snapshots) -> None:
    """The hint names both ways on; nothing is lost."""
    take(snapshots, "before", "test", content="old")
    with pytest.raises(ConfigError, match="there is a snapshot before already, of test") as caught:
        take(snapshots, "before", "test", content="new")
    assert caught.value.hint == "add --replace, or take another name"
    assert content_of(snapshots, "before", "test") == "old"


def test_a_snapshot_is_replaced_as_a_whole(snapshots: Snapshots, root: Path) -> None:
    """The new one stands in its place and nothing of the old one stays."""
    take(snapshots, "before", "test", content="old")
    take(snapshots, "before", "test", "prod", content="new", replace=True)
    assert snapshots.environments("before") == ["prod", "test"]
    assert content_of(snapshots, "before", "test") == "new"
    assert [entry.name for entry in root.iterdir()] == ["before"]


def test_replacing_loses_no_environment(snapshots: Snapshots) -> None:
    """One that the new snapshot would not hold has to be deleted by name."""
    take(snapshots, "before", "test", "prod")
    with pytest.raises(ConfigError, match="also holds prod, which replacing it would lose") as caught:
        take(snapshots, "before", "test", replace=True)
    assert caught.value.hint == "run `multistack snapshot delete before prod` first"
    assert snapshots.environments("before") == ["prod", "test"]


def test_replacing_names_what_to_type_in_order_of_promotion(root: Path) -> None:
    """For those that the project still has; the others can't be saved again."""
    ordered = Snapshots(root, order=["test", "staging", "prod"])
    take(ordered, "before", "prod", "staging", "test")
    assert ordered.environments("before") == ["test", "staging", "prod"]
    with pytest.raises(ConfigError, match="also holds staging, prod, which replacing it would lose") as caught:
        take(ordered, "before", "test", replace=True)
    assert caught.value.hint == (
        "save all of them with `multistack snapshot save --replace before test staging prod`, "
        "or run `multistack snapshot delete before staging prod` first"
    )


def test_one_that_was_killed_while_replacing_is_the_old_or_the_new(snapshots: Snapshots, root: Path) -> None:
    """Between the two renames the old one is found, and the next command gives it its name back."""
    take(snapshots, "before", "test", content="old")
    (root / "before").rename(root / ".old-before")
    (root / ".new/test").mkdir(parents=True)
    (root / ".gone").mkdir()
    assert snapshots.names() == ["before"]
    assert content_of(snapshots, "before", "test") == "old"
    snapshots.sweep()
    assert [entry.name for entry in root.iterdir()] == ["before"]
    take(snapshots, ".old-before".removeprefix(".old-"), "test", content="new", replace=True)
    assert content_of(snapshots, "before", "test") == "new"


def test_the_old_one_goes_when_the_new_one_has_its_name(snapshots: Snapshots, root: Path) -> None:
    """Killed right after the second rename."""
    take(snapshots, "before", "test", content="new")
    (root / ".old-before/test").mkdir(parents=True)
    snapshots.sweep()
    assert [entry.name for entry in root.iterdir()] == ["before"]
    assert content_of(snapshots, "before", "test") == "new"


def test_delete_takes_all_or_some(snapshots: Snapshots, root: Path) -> None:
    """The last environment takes the snapshot with it."""
    take(snapshots, "before", "test", "staging", "prod")
    assert snapshots.delete("before", ["prod"]) == ["prod"]
    assert snapshots.environments("before") == ["staging", "test"]
    assert snapshots.delete("before", ["test", "staging"]) == ["staging", "test"]
    take(snapshots, "other", "test")
    assert snapshots.delete("other", []) == ["test"]
    assert list(root.iterdir()) == []


def test_delete_of_what_is_not_held_deletes_nothing(snapshots: Snapshots) -> None:
    """The hint lists what there is."""
    take(snapshots, "before", "test")
    with pytest.raises(ConfigError, match="snapshot before holds no state of prod") as caught:
        snapshots.delete("before", ["test", "prod"])
    assert caught.value.hint == "it holds: test"
    assert snapshots.environments("before") == ["test"]


def test_an_unknown_name_is_guessed(snapshots: Snapshots) -> None:
    """A typo is told from what is not there."""
    take(snapshots, "before", "test")
    for name, hint in (("befroe", "did you mean before?"), ("zzz", "snapshots: before")):
        with pytest.raises(ConfigError, match=f"there is no snapshot {name}") as caught:
            snapshots.find(name, "test")
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"format": "1"}',
        b'{"format": 1}',
        b"\xff\xfe",
        json.dumps({"format": 1, "at": 5, "apis": [], "release": None}).encode(),
    ],
    ids=repr,
)
def test_a_broken_description_is_told(snapshots: Snapshots, content: bytes) -> None:
    """One line names the snapshot, and the hint how to get rid of it."""
    take(snapshots, "before", "test")
    (snapshots.state("before", "test").parent / "snapshot.json").write_bytes(content)
    with pytest.raises(MultistackError, match=r"snapshot before of test is broken: snapshot.json") as caught:
        snapshots.find("before", "test")
    assert caught.value.hint == "multistack snapshot delete before test"


def test_a_missing_description_is_told(snapshots: Snapshots) -> None:
    """A folder alone is no snapshot, and can still be deleted."""
    take(snapshots, "before", "test")
    (snapshots.state("before", "test").parent / "snapshot.json").unlink()
    with pytest.raises(MultistackError, match=r"broken: snapshot\.json: No such file"):
        snapshots.find("before", "test")
    assert snapshots.delete("before", ["test"]) == ["test"]


def test_a_newer_format_is_refused(snapshots: Snapshots) -> None:
    """An older multistack doesn't guess."""
    take(snapshots, "before", "test")
    path = snapshots.state("before", "test").parent / "snapshot.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": FORMAT + 1}))
    with pytest.raises(MultistackError, match=f"has format {FORMAT + 1}, newer than this multistack knows") as caught:
        snapshots.find("before", "test")
    assert caught.value.hint == "use the multistack that took it, or a later one"


def test_size_counts_every_file(snapshots: Snapshots) -> None:
    """In bytes."""
    take(snapshots, "before", "test", content="x" * 1000)
    about = snapshots.state("before", "test").parent / "snapshot.json"
    assert snapshots.size("before", "test") == 1000 + about.stat().st_size
