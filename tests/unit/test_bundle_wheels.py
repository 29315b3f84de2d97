"""Which wheels a bundle takes is read from the wheels, for machines that may be others than this one."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import parse_tag
from packaging.version import Version

from emulator.bundle import own_wheel, targets
from emulator.bundle.closure import Wheel, needed, read_wheel
from emulator.bundle.targets import Target
from emulator.bundle.wheels import complete
from emulator.errors import ArtifactError, ConfigError

AMD = Target(python="3.12", platform="linux/amd64")
ARM = Target(python="3.13", platform="linux/arm64")


def wheel(name: str, version: str = "1.0", *, tag: str = "py3-none-any", requires: Sequence[str] = ()) -> Wheel:
    return Wheel(
        path=Path(f"{name.replace('-', '_')}-{version}-{tag}.whl"),
        name=name,
        version=Version(version),
        tags=frozenset(parse_tag(tag)),
        requires=tuple(Requirement(text) for text in requires),
    )


def write_wheel(folder: Path, name: str, *, tag: str = "py3-none-any", requires: Sequence[str] = ()) -> Path:
    path = folder / f"{name}-1.0-{tag}.whl"
    lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in requires)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", "\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("pythons", "platforms", "expected"),
    [
        (["3.12"], ["linux/amd64"], ["Python 3.12 on linux/amd64"]),
        (
            ["3.13", "3.11", "3.13"],
            ["linux/arm64", "linux/amd64"],
            [
                "Python 3.11 on linux/amd64",
                "Python 3.13 on linux/amd64",
                "Python 3.11 on linux/arm64",
                "Python 3.13 on linux/arm64",
            ],
        ),
    ],
    ids=["one", "all combinations"],
)
def test_targets_are_every_python_on_every_platform(
    pythons: list[str], platforms: list[str], expected: list[str]
) -> None:
    """A class has laptops of several kinds."""
    assert [str(target) for target in targets.choose(pythons, platforms)] == expected


def test_target_of_nobody_named_is_this_machine() -> None:
    """The facilitator's laptop is like the learners'."""
    assert targets.choose([], []) == [targets.this_machine()]
    assert targets.choose(["3.14"], [])[0].platform == targets.this_machine().platform


@pytest.mark.parametrize(
    ("pythons", "platforms"),
    [(["2.7"], []), (["3.10"], []), (["3"], []), (["3.12.1"], []), ([""], []), ([], ["amd64"]), ([], ["linux/386"])],
    ids=["two", "too old", "major", "patch", "empty", "no system", "processor"],
)
def test_target_that_multistack_does_not_run_on_is_refused(pythons: list[str], platforms: list[str]) -> None:
    """Before anything is downloaded for it."""
    with pytest.raises(ConfigError, match="multistack runs on"):
        targets.choose(pythons, platforms)


def test_targets_are_told_in_short() -> None:
    """Pythons of one platform together."""
    chosen = targets.choose(["3.11", "3.12"], ["linux/amd64"])
    assert targets.describe(chosen) == "Python 3.11, 3.12 on linux/amd64"
    assert targets.describe([AMD, ARM]) == "Python 3.12 on linux/amd64 and Python 3.13 on linux/arm64"


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", (True, True)),
        ("py2.py3-none-any", (True, True)),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", (True, False)),
        ("cp313-cp313-manylinux_2_28_aarch64", (False, True)),
        ("cp36-abi3-manylinux2010_x86_64", (True, False)),
        ("cp311-cp311-manylinux_2_17_x86_64", (False, False)),
        ("cp312-cp312-manylinux_2_34_x86_64", (False, False)),
        ("cp312-cp312-linux_x86_64", (False, False)),
        ("cp312-cp312-musllinux_1_2_x86_64", (False, False)),
        ("cp313-cp313t-manylinux_2_28_aarch64", (False, False)),
    ],
)
def test_wheel_fits_where_it_can_be_installed(tag: str, fits: tuple[bool, bool]) -> None:
    """Not only here: on any machine of that kind with glibc 2.28."""
    assert (wheel("a", tag=tag).fits(AMD), wheel("a", tag=tag).fits(ARM)) == fits


def test_wheel_for_newer_pythons_only_does_not_fit() -> None:
    """What pip collected here may be too new for an older Python."""
    newer = Wheel(
        path=Path("a-1.0-py3-none-any.whl"),
        name="a",
        version=Version("1.0"),
        tags=frozenset(parse_tag("py3-none-any")),
        requires_python=SpecifierSet(">=3.13"),
    )
    assert (newer.fits(AMD), newer.fits(ARM)) == (False, True)


def test_everything_that_is_needed_is_found_and_nothing_else() -> None:
    """Through requirements of requirements, extras and circles."""
    wheels = [
        wheel("app", requires=["Lib.One>=1", "other[fast]"]),
        wheel("lib-one", requires=["app"]),
        wheel("other", requires=['quick; extra == "fast"', 'slow; extra == "slow"']),
        wheel("quick"),
        wheel("slow"),
    ]
    found, missing = needed(["app"], wheels, AMD)
    assert ([one.name for one in found], missing) == (["app", "lib-one", "other", "quick"], [])


@pytest.mark.parametrize(
    ("marker", "needs"),
    [
        ("python_version < '3.13'", (True, False)),
        ("python_full_version >= '3.13'", (False, True)),
        ("platform_machine == 'aarch64'", (False, True)),
        ("sys_platform == 'win32'", (False, False)),
        ("implementation_name == 'cpython' and os_name == 'posix'", (True, True)),
        ("extra == 'dev'", (False, False)),
    ],
)
def test_requirements_are_judged_by_the_target(marker: str, needs: tuple[bool, bool]) -> None:
    """Not by the Python that runs here, as pip does it."""
    wheels = [wheel("app", requires=[f"lib; {marker}"])]
    assert tuple(bool(needed(["app"], wheels, target)[1]) for target in (AMD, ARM)) == needs


def test_missing_and_unfit_wheels_are_told() -> None:
    """None of that name, of another version, or for another machine."""
    wheels = [
        wheel("app", requires=["none", "old>=2", "binary", "fine"]),
        wheel("old"),
        wheel("binary", tag="cp313-cp313-manylinux_2_28_aarch64"),
        wheel("fine"),
    ]
    found, missing = needed(["app"], wheels, AMD)
    assert [one.name for one in found] == ["app", "fine"]
    assert [str(one) for one in missing] == ["binary", "none", "old>=2"]


def test_best_version_is_taken() -> None:
    """Where pip's own and a downloaded one both do."""
    found, _ = needed(["a"], [wheel("a", "1.9"), wheel("a", "1.10")], AMD)
    assert [str(one.version) for one in found] == ["1.10"]


def test_wheel_is_read_from_its_metadata(tmp_path: Path) -> None:
    """Nothing is installed for it."""
    path = write_wheel(tmp_path, "some_lib", requires=["other>=1; python_version>'3'"])
    read = read_wheel(path)
    assert (read.name, str(read.version)) == ("some-lib", "1.0")
    assert [one.name for one in read.requires] == ["other"]


def test_broken_wheel_is_refused(tmp_path: Path) -> None:
    """A download that was cut, or a file that is none."""
    (tmp_path / "a-1.0-py3-none-any.whl").write_bytes(b"PK")
    (tmp_path / "a.whl").write_bytes(b"")
    for name in ("a-1.0-py3-none-any.whl", "a.whl"):
        with pytest.raises(ArtifactError, match="can't be read"):
            read_wheel(tmp_path / name)


def test_what_is_missing_is_downloaded_until_nothing_is(tmp_path: Path) -> None:
    """Also what only turns out to be needed by what was downloaded, each in the version that was tried here."""
    asked = []
    index = {"binary==1.0": ["deep>=1"], "deep>=1": []}

    def pip(arguments: Sequence[str]) -> None:
        wanted = [one for one in arguments if one in index]
        asked.append(wanted)
        for one in wanted:
            write_wheel(tmp_path / "arm", one.partition("=")[0].rstrip(">"), requires=index[one])

    common = [wheel("app", requires=["binary"]), wheel("binary", tag="cp312-cp312-manylinux_2_28_x86_64")]
    found = complete(["app"], common, ARM, tmp_path / "arm", pins={"binary": "1.0"}, pip=pip)
    assert [one.name for one in found] == ["app", "binary", "deep"]
    assert asked == [["binary==1.0"], ["deep>=1"]]


def test_download_is_for_the_target_and_takes_no_source(tmp_path: Path) -> None:
    """A source would have to be built there, which takes a compiler."""
    told: list[str] = []

    def pip(arguments: Sequence[str]) -> None:
        told.extend(arguments)
        write_wheel(tmp_path / "arm", "lib")

    complete(["lib"], [], ARM, tmp_path / "arm", pins={}, pip=pip)
    assert told[:4] == ["download", "--no-deps", "--only-binary", ":all:"]
    assert told[told.index("--python-version") + 1] == "3.13"
    assert "manylinux_2_28_aarch64" in told
    assert not [one for one in told if "x86_64" in one]


def test_wheel_that_exists_nowhere_is_told_with_its_target(tmp_path: Path) -> None:
    """pip brings something that doesn't help, or fails: either names the machine it was for."""

    def fails(_arguments: Sequence[str]) -> None:
        raise ArtifactError("no matching distribution")

    with pytest.raises(ArtifactError, match=r"Python 3\.12 on linux/amd64: there is no wheel that meets lib"):
        complete(["lib"], [], AMD, tmp_path / "a", pins={}, pip=lambda _: None)
    with pytest.raises(ArtifactError, match=r"Python 3\.12 on linux/amd64: no matching distribution"):
        complete(["lib"], [], AMD, tmp_path / "b", pins={}, pip=fails)


def installed(folder: Path, *, url: str | None = None) -> PathDistribution:
    """multistack as pip installs it, in small."""
    info = folder / "multistack_emulator-0.1.0.dist-info"
    files = {
        "emulator/__init__.py": "",
        "emulator/data.json": "{}",
        "emulator/__pycache__/__init__.cpython-312.pyc": "compiled",
        f"{info.name}/METADATA": "Metadata-Version: 2.4\nName: multistack-emulator\nVersion: 0.1.0\n",
        f"{info.name}/entry_points.txt": "[console_scripts]\nmultistack = emulator.__main__:main\n",
        f"{info.name}/INSTALLER": "pip",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if url is not None:
        (info / "direct_url.json").write_text(url)
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in [*files, "../../../bin/multistack"]))
    return PathDistribution(info)


def test_installed_multistack_is_packed_as_a_wheel(tmp_path: Path) -> None:
    """What was in the wheel, and nothing that the installation made; the same each time."""
    path = own_wheel.pack(installed(tmp_path), tmp_path)
    assert path.name == "multistack_emulator-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path) as archive:
        names = [name.removeprefix("multistack_emulator-0.1.0.dist-info/") for name in archive.namelist()]
        record = archive.read("multistack_emulator-0.1.0.dist-info/RECORD").decode()
    assert names == ["emulator/__init__.py", "emulator/data.json", "METADATA", "entry_points.txt", "RECORD"]
    assert "emulator/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0" in record.splitlines()
    before = path.read_bytes()
    assert own_wheel.pack(installed(tmp_path), tmp_path).read_bytes() == before


def test_damaged_installation_is_not_packed(tmp_path: Path) -> None:
    """A bundle of it would fail on thirty machines."""
    distribution = installed(tmp_path)
    (tmp_path / "emulator/data.json").unlink()
    with pytest.raises(ArtifactError, match=r"emulator/data\.json of the installed multistack-emulator"):
        own_wheel.pack(distribution, tmp_path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ('{"url": "file:///src/my%20clone", "dir_info": {"editable": true}}', Path("/src/my clone")),
        ('{"url": "file:///src/clone", "dir_info": {}}', None),
        ('{"url": "https://host/a.git", "vcs_info": {"vcs": "git"}}', None),
        ("{", None),
        (None, None),
    ],
    ids=["editable", "copied", "git", "broken", "wheel"],
)
def test_source_is_known_only_for_an_editable_installation(
    tmp_path: Path, url: str | None, expected: Path | None
) -> None:
    """Only then what runs here is what lies there."""
    assert own_wheel.source_of(installed(tmp_path, url=url)) == expected
