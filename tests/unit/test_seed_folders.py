"""Which files are a seed, and which resources take one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.seeds.folders import read_seed
from emulator.seeds.targets import check_template, without_target

TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Orders": {"Type": "AWS::DynamoDB::Table"},
        "Jobs": {"Type": "AWS::SQS::Queue"},
        "Uploads": {"Type": "AWS::S3::Bucket"},
        "Web": {"Type": "AWS::Lambda::Function"},
    }
}


def write(root: Path, *names: str) -> None:
    """Files that hold an empty array, or, below a folder of a folder, anything."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[]")


def test_later_folders_win(tmp_path: Path) -> None:
    """Records come one after the other, an object of the same key is the last folder's."""
    write(tmp_path, "all/Uploads/a.txt", "all/Uploads/b/c.txt", "test/Uploads/a.txt", "all/README.md", "all/.hidden")
    (tmp_path / "all/Orders.json").write_text('[{"id": 1}]')
    (tmp_path / "test/Orders.yaml").write_text("- id: 2\n")
    seed = read_seed([tmp_path / "all", tmp_path / "test"], root=tmp_path)
    assert [(one.value, one.where) for one in seed.records["Orders"]] == [
        ({"id": 1}, "all/Orders.json:1"),
        ({"id": 2}, "test/Orders.yaml:1"),
    ]
    assert seed.objects["Uploads"] == {
        "a.txt": tmp_path / "test/Uploads/a.txt",
        "b/c.txt": tmp_path / "all/Uploads/b/c.txt",
    }


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param((), "seed folder seeds: does not exist", id="no folder"),
        pytest.param(("seeds/Orders.jsn",), "seeds/Orders.jsn is no seed: files end in .json, ", id="suffix"),
        pytest.param(("seeds/Orders.csv", "seeds/Orders.json"), "seeds/Orders.json: Orders has Orders.csv", id="two"),
        pytest.param(("seeds/Orders.json", "seeds/Orders/a"), "seeds/Orders.json: Orders has Orders", id="both"),
        pytest.param(("seeds/Order.json",), "seeds/Order.json: the service has no table, bucket or queue", id="name"),
        pytest.param(("seeds/Web.json",), "seeds/Web.json: Web is an AWS::Lambda::Function", id="kind"),
        pytest.param(
            ("seeds/Uploads.json",), "seeds/Uploads.json: Uploads is a bucket, whose seed is a folder", id="b"
        ),
        pytest.param(("seeds/Jobs/a",), "seeds/Jobs: Jobs is a queue, whose seed is a file", id="folder for a queue"),
    ],
)
def test_what_is_no_seed_is_refused(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    """In one line that names the file, before anything is deployed."""
    write(tmp_path, *names)
    with pytest.raises(ConfigError) as raised:
        check_template(read_seed([tmp_path / "seeds"], root=tmp_path), TEMPLATE)
    assert raised.value.message.startswith(said), raised.value.message


def test_parameters_and_nested_stacks_need_no_resource_of_the_template(tmp_path: Path) -> None:
    """The first need none at all, the others are found once they are deployed; the rest can be left out."""
    write(tmp_path, "seeds/parameters.json", "seeds/Shop.Orders.json", "seeds/Jobs.json", "seeds/Gone.json")
    seed = read_seed([tmp_path / "seeds"], root=tmp_path)
    lacking = without_target(seed, TEMPLATE)
    assert lacking == ["Gone"]
    kept = seed.without(lacking)
    check_template(kept, TEMPLATE)
    assert sorted(kept.places) == ["Jobs", "Shop.Orders", "parameters"]
