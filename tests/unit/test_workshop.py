"""The labs as data: complete, told in their texts, and safe against whatever a learner writes."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from emulator.cli.workshop_folders import open_project
from emulator.errors import MultistackError
from emulator.workshop import folder
from emulator.workshop.answers import Answers, blank
from emulator.workshop.board.joining import membership
from emulator.workshop.board.learners import CODE_HEADER, MOST_LEARNERS, Board
from emulator.workshop.board.pages import create_board
from emulator.workshop.doctor import disk, memory, programs, trial
from emulator.workshop.experiments import MISTAKES
from emulator.workshop.lab import Edit, Lab, Step
from emulator.workshop.labs import LABS
from emulator.workshop.playing import play
from emulator.workshop.progress import LabProgress, changing, read_progress
from tests.conftest import REPOSITORY

TEXTS = REPOSITORY / "docs" / "workshop"
PASSED = datetime(2026, 11, 26, tzinfo=UTC)
REPORT = {"id": "0" * 32, "name": "Ada", "labs": {"1": {"started": "2026-11-26T09:00:00Z"}}}
LAB_IDS = [f"lab {lab.number}" for lab in LABS]


def text_of(lab: Lab) -> str:
    """A lab's text."""
    return (TEXTS / lab.text).read_text(encoding="utf-8")


def test_labs_are_numbered_from_one() -> None:
    """`workshop start N` finds each of them, and the next one is N + 1."""
    assert [lab.number for lab in LABS] == list(range(1, 9))


@pytest.mark.parametrize("lab", LABS, ids=LAB_IDS)
def test_a_text_tells_what_the_solution_does(lab: Lab) -> None:
    """Whoever types what the text shows has solved the lab: each line of the solution stands in it."""
    printed = re.sub(r" *\\\n> *", " ", text_of(lab))
    assert [step.line for step in lab.solution if step.line not in printed] == []


@pytest.mark.parametrize("lab", LABS, ids=LAB_IDS)
def test_a_text_says_title_minutes_and_goal_as_the_command_does(lab: Lab) -> None:
    """Nobody plans with another number than the learner reads."""
    text = text_of(lab)
    assert text.startswith(f"# Lab {lab.number}: {lab.title}\n")
    assert f"About {lab.minutes} minutes." in text
    assert f"multistack workshop check {lab.number}" in text
    assert f"`multistack workshop hint {lab.number}`" in text


@pytest.mark.parametrize("lab", LABS, ids=LAB_IDS)
def test_a_lab_fits_the_sample(lab: Lab, tmp_path: Path) -> None:
    """Its edits find their places, and the learner gets the text without the comments for tests."""
    made = folder.make(tmp_path, lab)
    assert (made / "multistack.toml").exists()
    assert "docs-test" not in (made / folder.TEXT).read_text()


@pytest.mark.parametrize("lab", LABS, ids=LAB_IDS)
def test_a_lab_ends_where_the_next_one_begins(lab: Lab) -> None:
    """Typed one after the other, each lab's `cd` finds its folder."""
    typed = [line.removeprefix("$ cd ") for line in text_of(lab).splitlines() if line.startswith("$ cd ")]
    assert typed == [f"workshop/{lab.folder}", "../.."]


def test_what_a_learner_wrote_is_kept_every_time(tmp_path: Path) -> None:
    """A second reset is no way to lose what the first one kept."""
    for text in ("first", "second", "third"):
        (folder.make(tmp_path, LABS[0]) / "notes.txt").write_text(text)
        folder.remake(tmp_path, LABS[0], open_workspace=open_project)
    kept = sorted((tmp_path / "yours").iterdir())
    assert [(one.name, (one / "notes.txt").read_text()) for one in kept] == [
        ("lab-1", "first"),
        ("lab-1-2", "second"),
        ("lab-1-3", "third"),
    ]


def test_an_edit_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """A lab is never half made without anybody knowing."""
    (tmp_path / "file").write_text("one two one")
    with pytest.raises(MultistackError, match="file has changed"):
        Edit("file", "one", "three").apply(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, "is gone", id="no file"),
        pytest.param(b"\xff\xfe\x00", "can't be read", id="bytes"),
        pytest.param(b"x03_seen = ", "can't be read", id="half a line"),
        pytest.param(b"", "no answer to x03_seen", id="empty"),
        pytest.param(b'x03_seen = ""', "no answer to x03_seen", id="blank"),
        pytest.param(b"x03_seen = [200]", "must be a number or a word", id="list"),
        pytest.param(b"x03_seen = true", "must be a number or a word", id="boolean"),
        pytest.param(b"x03_seen = 1979-05-27", "must be a number or a word", id="date"),
        pytest.param(b"a = " + b"[" * 60_000, "can't be read", id="deep"),
        pytest.param(b"# " + b"x" * 70_000, "larger than 64 KB", id="huge"),
    ],
)
def test_any_answer_file_is_answered_in_one_line(content: bytes | None, told: str, tmp_path: Path) -> None:
    """A learner's answer file may hold anything."""
    if content is not None:
        (tmp_path / "answers.toml").write_bytes(content)
    problem = Answers(tmp_path).problem("x03_seen")
    assert problem is not None
    assert told in problem
    assert "\n" not in problem


def test_answers_are_compared_without_case_or_spaces(tmp_path: Path) -> None:
    """It is the word that counts."""
    (tmp_path / "answers.toml").write_text('a = " AutoPublishAlias "\nb = 502\n')
    answers = Answers(tmp_path)
    assert (answers.answer("a"), answers.answer("b"), answers.problem("a")) == ("autopublishalias", "502", None)


def test_a_blank_answer_file_asks_everything(tmp_path: Path) -> None:
    """It can be read, and none of it counts as an answer."""
    lab = next(one for one in LABS if one.number == 3)
    (tmp_path / "answers.toml").write_text(blank(lab.answers))
    answers = Answers(tmp_path)
    assert len(lab.answers) == 3 * len(MISTAKES)
    assert all("no answer" in (answers.problem(key) or "") for key, _ in lab.answers)


def test_a_solution_that_goes_another_way_stops(tmp_path: Path) -> None:
    """Nobody is told that it is done when a step was refused, or was not where it should have been."""
    told: list[str] = []
    lab = replace(
        LABS[0], solution=(Step("", "true"), Step("", "exit 6", code=6), Step("", "exit 3"), Step("", "true"))
    )
    with pytest.raises(MultistackError, match="`exit 3` ended with 3, not 0"):
        play(lab, tmp_path, environ={"PATH": "/usr/bin:/bin"}, tell=lambda step, line: told.append(line))
    assert told == ["true", "exit 6", "exit 3"]


def test_a_solution_needs_bash(tmp_path: Path) -> None:
    """Its lines are for that shell."""
    with pytest.raises(MultistackError, match="bash"):
        play(LABS[0], tmp_path, environ={"PATH": str(tmp_path)}, tell=lambda step, line: None)


def test_progress_survives_many_commands_at_once(tmp_path: Path) -> None:
    """Each command reads what the one before has written."""

    def one_more(_number: int) -> None:
        with changing(tmp_path) as progress:
            progress.of(1).hints += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one_more, range(24)))
    assert read_progress(tmp_path).of(1).hints == 24


@pytest.mark.parametrize(
    ("before", "is_solved"),
    [
        pytest.param(LabProgress(), True, id="not passed yet"),
        pytest.param(LabProgress(passed=PASSED), False, id="passed by hand"),
        pytest.param(LabProgress(passed=PASSED, is_solved=True), True, id="passed with the solution"),
    ],
)
def test_a_solution_that_was_played_stays_so(before: LabProgress, is_solved: bool) -> None:
    """Nobody gets rid of the note by playing it a second time, and nobody who was through gets one."""
    before.note_solved()
    assert before.is_solved is is_solved


def test_a_workshop_is_found_from_inside_and_from_beside(tmp_path: Path) -> None:
    """Learners type commands wherever they are."""
    root = tmp_path / folder.DEFAULT
    (root / "lab-1" / "src").mkdir(parents=True)
    assert folder.search_root(tmp_path) is None
    with changing(root):
        pass
    assert {folder.search_root(path) for path in (tmp_path, root, root / "lab-1" / "src")} == {root}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """An empty one."""
    return Board(tmp_path)


@pytest.fixture
def client(board: Board) -> FlaskClient:
    """A browser on the facilitator's machine."""
    return create_board(board, LABS).test_client()


def test_other_machines_can_report_and_see_nothing(client: FlaskClient, board: Board) -> None:
    """Names stay where the page is projected from, also when a foreign name was made to lead to it."""
    far = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/", environ_base=far).status_code == 403
    assert client.get("/board.json", environ_base=far).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/").status_code == 200
    noted = client.post("/progress", json=REPORT, headers={CODE_HEADER: board.code}, environ_base=far)
    assert noted.status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param({**REPORT, "id": "1"}, 400, id="id"),
        pytest.param({**REPORT, "name": " "}, 400, id="no name"),
        pytest.param({**REPORT, "name": "x" * 41}, 400, id="long name"),
        pytest.param({**REPORT, "labs": {"100": {}}}, 400, id="no such number"),
        pytest.param({**REPORT, "labs": {"1": {"hints": -1}}}, 400, id="hints"),
        pytest.param({**REPORT, "more": 1}, 400, id="unknown field"),
        pytest.param([], 400, id="list"),
        pytest.param(None, 400, id="null"),
        pytest.param({**REPORT, "more": "x" * 20_000}, 413, id="huge"),
    ],
)
def test_what_is_no_report_is_refused(client: FlaskClient, board: Board, content: object, status: int) -> None:
    """Whatever is sent with the right code, the board stays a board."""
    answer = client.post("/progress", json=content, headers={CODE_HEADER: board.code})
    assert answer.status_code == status
    assert board.learners() == []


def test_a_wrong_code_notes_nobody(client: FlaskClient, board: Board) -> None:
    """Also none, and one with letters outside ASCII."""
    for headers in ({}, {CODE_HEADER: "AAAA-AAAA"}, {CODE_HEADER: board.code.lower() + "\xe9"}):
        assert client.post("/progress", json=REPORT, headers=headers).status_code == 403
    assert board.learners() == []


@pytest.mark.parametrize("typed", ["K7QM-2XNP", "k7qm2xnp", " K7qm 2xnp "])
def test_a_code_may_be_typed_as_it_is_heard(typed: str) -> None:
    """It is read from a wall."""
    assert membership("http://192.0.2.7:8090", typed, "Ada").code == "K7QM-2XNP"


def test_a_board_is_full_one_day(client: FlaskClient, board: Board) -> None:
    """Those who are on it still report."""
    headers = {CODE_HEADER: board.code}
    for index in range(MOST_LEARNERS):
        client.post("/progress", json={**REPORT, "id": f"{index:032x}"}, headers=headers)
    assert client.post("/progress", json={**REPORT, "id": "f" * 32}, headers=headers).status_code == 409
    assert client.post("/progress", json=REPORT, headers=headers).status_code == 200


def test_a_board_forgets_nobody(board: Board, client: FlaskClient, tmp_path: Path) -> None:
    """After a restart the code is the same, and so are the learners; others can't read the file."""
    client.post("/progress", json=REPORT, headers={CODE_HEADER: board.code})
    again = Board(tmp_path)
    assert (again.code, [one.name for one in again.learners()]) == (board.code, ["Ada"])
    assert (tmp_path / "board.json").stat().st_mode & 0o077 == 0


def test_doctor_names_a_missing_program_with_its_lab(tmp_path: Path) -> None:
    """Whoever lacks git learns where it is needed, the evening before."""
    found = {check.name: check for check in programs(str(tmp_path))}
    assert all(check.verdict.value == "problem" for check in found.values())
    assert "lab 8" in found["git"].advice
    here = str(Path(shutil.which("bash") or "").parent)
    assert next(check for check in programs(here) if check.name == "bash").verdict.value == "ok"


def test_doctor_judges_room_and_time() -> None:
    """Little memory is a warning; environments that don't come up are a problem."""

    def broken() -> float:
        raise MultistackError("test did not start")

    room = [memory(10**8), memory(10**10), disk(10**6), disk(10**10)]
    time = [trial(lambda: 3), trial(lambda: 99), trial(broken)]
    assert [check.verdict.value for check in room] == ["warning", "ok", "warning", "ok"]
    assert [check.verdict.value for check in time] == ["ok", "warning", "problem"]
