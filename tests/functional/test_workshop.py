"""The whole workshop is played with its solutions, and each check fails before, half-way and after a reset."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.workshop.board.learners import CODE_HEADER
from emulator.workshop.lab import HINTS, Lab
from emulator.workshop.labs import LABS
from tests.conftest import ProjectFolder, http

pytestmark = pytest.mark.embedded("a lab's folder says which driver it runs on")
MISSING = 7
LAB_IDS = [f"lab {lab.number}" for lab in LABS]


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[ProjectFolder]:
    """An empty folder; what labs start in it is stopped afterwards."""
    (tmp_path / "home").mkdir()
    (tmp_path / "class").mkdir()
    folder = ProjectFolder(tmp_path / "class", tmp_path / "home")
    yield folder
    for lab in folder.folder.glob("workshop/lab-*"):
        folder.run("workshop", "reset", lab.name.removeprefix("lab-"))
    assert folder.processes() == []


def check(learner: ProjectFolder, lab: Lab) -> tuple[int, str]:
    """The exit code of a lab's check, and what it says."""
    done = learner.run("workshop", "check", str(lab.number), check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def type_line(learner: ProjectFolder, lab: Lab, line: str) -> None:
    """One line, as a learner types it in the lab's folder."""
    subprocess.run(
        ["bash", "-c", line],
        cwd=learner.folder / "workshop" / lab.folder,
        env=learner.command_environ(),
        capture_output=True,
        timeout=120,
        check=True,
    )


@pytest.mark.timeout(600)  # lab 5 runs the sample's smoke tests five times
@pytest.mark.parametrize("lab", LABS, ids=LAB_IDS)
def test_a_solution_passes_what_failed_before_and_fails_after_a_reset(learner: ProjectFolder, lab: Lab) -> None:
    """A check looks at what is there: neither a start passes it, nor half of the way, nor having been there."""
    learner.run("workshop", "start", str(lab.number))
    assert check(learner, lab)[0] == MISSING
    type_line(learner, lab, lab.solution[0].line)
    code, half = check(learner, lab)
    assert code == MISSING, half
    learner.run("workshop", "solve", str(lab.number), timeout=500)
    code, said = check(learner, lab)
    assert (code, "✗" in said) == (0, False), said
    assert said.count("✓") == len(lab.checks)
    learner.run("workshop", "reset", str(lab.number))
    assert check(learner, lab)[0] == MISSING
    state = {row["lab"]: row for row in json.loads(learner.run("workshop", "status", "--json").stdout)}
    assert state[lab.number]["passed"]
    assert state[lab.number]["is_solved"]


def test_a_check_before_the_start_says_how_to_start(learner: ProjectFolder) -> None:
    """Neither a missing workshop nor a missing lab is a traceback."""
    done = learner.run("workshop", "check", "1", check=False)
    assert (done.returncode, "hint: multistack workshop start 1" in done.stderr) == (1, True)
    learner.run("workshop", "start", "1")
    done = learner.run("workshop", "check", "5", check=False)
    assert (done.returncode, "hint: multistack workshop start 5" in done.stderr) == (1, True)
    done = learner.run("workshop", "start", "9", check=False)
    assert (done.returncode, "there is no lab 9" in done.stderr) == (2, True)


def test_hints_come_one_by_one(learner: ProjectFolder) -> None:
    """Whoever asks once isn't told everything, and asking more often than there are hints changes nothing."""
    learner.run("workshop", "start", "1")
    shown = [learner.run("workshop", "hint", "1").stdout.count("\n") for _ in range(HINTS + 1)]
    assert shown == [1, 2, 3, 3]


def test_start_goes_on_with_what_is_there_and_stops_other_labs(learner: ProjectFolder) -> None:
    """A learner can jump to any lab and come back: files and data are kept, and only one lab runs."""
    learner.run("workshop", "start", "1")
    notes = learner.folder / "workshop/lab-1/notes.txt"
    notes.write_text("mine")
    type_line(learner, LABS[0], "multistack up test")
    assert "stopped what ran in lab-1" in learner.run("workshop", "start", "7").stderr
    assert learner.processes() == []
    assert "is there already" in learner.run("workshop", "start", "1").stderr
    assert notes.read_text() == "mine"


def test_reset_keeps_a_copy_and_survives_whatever_a_learner_wrote(learner: ProjectFolder) -> None:
    """A project file that nobody can read any more is no reason to keep emulators running."""
    learner.run("workshop", "start", "1")
    folder = learner.folder / "workshop/lab-1"
    type_line(learner, LABS[0], "multistack up test")
    (folder / "multistack.toml").write_text("this is = = no TOML")
    (folder / "src").rename(folder / "source")
    code, said = check(learner, LABS[0])
    assert (code, "multistack.toml" in said) == (MISSING, True)
    learner.run("workshop", "reset", "1")
    assert learner.processes() == []
    assert (learner.folder / "workshop/yours/lab-1/source/app.py").exists()
    assert (folder / "src/app.py").exists()
    assert not (folder / "source").exists()


def test_a_damaged_progress_file_is_one_line_with_a_hint(learner: ProjectFolder) -> None:
    """Labs are not lost with it."""
    learner.run("workshop", "start", "1")
    (learner.folder / "workshop/workshop.json").write_text('{"labs": {"one": 1}}')
    done = learner.run("workshop", "status", check=False)
    assert done.returncode == 1
    assert "remove it: the labs stay" in done.stderr


def test_doctor_tries_what_the_workshop_needs_and_leaves_nothing(learner: ProjectFolder) -> None:
    """The evening before, environments are really started, and gone again."""
    found = json.loads(learner.run("workshop", "doctor", "--json", check=False).stdout)
    verdicts = {one["name"]: one["verdict"] for one in found}
    assert verdicts["trial"] in {"ok", "warning"}
    assert verdicts["material"] == "ok"
    assert learner.processes() == []
    assert list(learner.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["board", "--listen", "here"], 2, "must be an IPv4 address", id="no address"),
        pytest.param(["board", "--listen", "192.0.2.1"], 3, "does not have that address", id="another machine's"),
        pytest.param(["join", "board.example", "CODE", "--name", "Ada"], 2, "not the address of a board", id="no URL"),
        pytest.param(["join", "http://127.0.0.1:1", "CODE", "--name", "Ada"], 1, "does not answer", id="nobody there"),
        pytest.param(["join", "http://127.0.0.1:1", "CODE", "--name", "  "], 2, "printable characters", id="no name"),
        pytest.param(["status"], 1, "there is no workshop", id="no workshop"),
        pytest.param(["hint", "0"], 2, "0 is not in the range", id="no lab"),
    ],
)
def test_what_can_not_be_is_refused(learner: ProjectFolder, arguments: list[str], code: int, told: str) -> None:
    """One line says what is wrong, and nothing is begun."""
    done = learner.run("workshop", *arguments, check=False)
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_thirty_learners_are_on_the_board(learner: ProjectFolder) -> None:
    """The facilitator sees what checks found; a wrong code shows nothing, a board that is gone is no error."""
    server = learner.start("workshop", "board")
    assert server.stdout is not None
    url = server.stdout.readline().split()[1].rstrip("/")
    _, _, _, _, joined, code, *_ = server.stdout.readline().split()
    assert joined == url
    try:
        learner.run("workshop", "start", "1")
        refused = learner.run("workshop", "join", url, "WRNG-CODE", "--name", "Eve", check=False)
        assert (refused.returncode, "the join code is wrong" in refused.stderr) == (1, True)
        learner.run("workshop", "join", url, code, "--name", "Ada <b>")
        with ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(lambda index: _report(url, code, index), range(30)))
        assert statuses == [200] * 30
        page = http("GET", f"{url}/").body.decode()
        assert "31 learners" in page
        assert "Ada &lt;b&gt;" in page
        assert "Eve" not in page
        assert re.findall(r"(\d+) of 31", page) == ["15", *["0"] * (len(LABS) - 1)]
    finally:
        server.terminate()
        server.communicate(timeout=20)
    done = learner.run("workshop", "check", "1", check=False)
    assert (done.returncode, "not on the board" in done.stderr) == (MISSING, True)


def _report(url: str, code: str, index: int) -> int:
    passed = "2026-11-26T10:00:00Z" if index % 2 else None
    labs = {"1": {"started": "2026-11-26T09:00:00Z", "passed": passed, "hints": 1, "is_solved": False}}
    body = {"id": f"{index:032x}", "name": f"Learner {index}", "labs": labs}
    return http("POST", f"{url}/progress", body, headers={CODE_HEADER: code, "Content-Type": "application/json"}).status
