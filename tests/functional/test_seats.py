"""Two seats of a class do lab 1 at the same time, as its text says, and neither gets at the other."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator.model import STATE_FOLDER
from emulator.process import read_record
from tests.conftest import REPOSITORY, ProjectFolder, http
from tests.documentation.blocks import blocks_of
from tests.documentation.running import Failure, run_blocks
from tests.functional.test_docs_blocks import MISSING, clone
from tests.functional.tiny import refused

pytestmark = [
    pytest.mark.embedded("pages show the embedded driver; containers have tests of their own"),
    pytest.mark.skipif(bool(MISSING), reason=f"the text needs {', '.join(MISSING)}"),
]
TEXT = REPOSITORY / "docs/guides/seat.md"
SEATS = ("seat-01", "seat-02")


@dataclass(frozen=True)
class Class:
    """A project with two seats whose learners have done the lab, or failed."""

    project: ProjectFolder
    port: int
    failures: dict[str, Failure | None]

    def token(self, seat: str) -> str:
        """A token for it, by a new link."""
        link = self.project.run("space", "url", seat, "--new").stdout.strip()
        return str(json.loads(http("POST", link, headers={"Accept": "application/json"}).body)["token"])

    def status(self, path: str, token: str) -> int:
        """Of a GET with that token."""
        return http("GET", f"http://127.0.0.1:{self.port}{path}", headers={"X-Multistack-Token": token}).status


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """Both learners type at the same time, each what the text says to the one in the first seat."""
    with clone(tmp_path_factory.mktemp("room")) as project:
        # Whichever the proxy got, and goes on to hold: one that was chosen before could be taken meanwhile.
        project.run("--set", "proxy.port=auto", "space", "create", "--count", "2", "--prefix", "seat", "--ttl", "1h")
        record = read_record(project.folder / STATE_FOLDER / "proxy")
        assert record is not None
        port, environ = record.port, project.command_environ()

        def learn(seat: str) -> Failure | None:
            return run_blocks(
                blocks_of(_text_for(seat)), folder=project.folder, environ=environ, port=port, timeout=280
            )

        with ThreadPoolExecutor(len(SEATS)) as pool:
            failures = dict(zip(SEATS, pool.map(learn, SEATS), strict=True))
        yield Class(project, port, failures)


def _text_for(seat: str) -> str:
    """The text with this seat as the reader's, and the other one as the neighbour's."""
    other = next(one for one in SEATS if one != seat)
    return TEXT.read_text("utf-8").replace(SEATS[0], "\0").replace(SEATS[1], other).replace("\0", seat)


@pytest.mark.parametrize("seat", SEATS)
def test_a_learner_does_the_lab_with_curl_and_aws_alone(room: Class, seat: str) -> None:
    """Each command does what stands under it, whoever does the same beside them."""
    assert room.failures[seat] is None, f"docs/guides/seat.md:{room.failures[seat]}"


def test_whoever_gets_no_token_sees_why(room: Class) -> None:
    """The lines of the text that trade a code print the answer where there is no token in it, and nothing else."""
    lines = re.findall(r"^\$ ((?:ANSWER|TOKEN)=.*)$", TEXT.read_text("utf-8"), re.MULTILINE)
    assert len(lines) == 2
    lab = f"http://127.0.0.1:{room.port}/seat-01"
    code = room.project.run("space", "url", "seat-01", "--new").stderr.rpartition("code: ")[2].strip()
    said = [
        subprocess.run(
            ["bash", "-c", "\n".join(lines)],
            env={**os.environ, "LAB": lab, "CODE": given},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for given in ("K7QM-2XNP", code, code)
    ]
    assert [json.loads(one)["title"] if one else "" for one in said] == ["Token needed", "", "Token was used"]


def test_the_list_shows_who_joined_and_who_broke_something(room: Class) -> None:
    """A request to test without its table failed, in both; the neighbour's was refused."""
    rows = json.loads(room.project.run("space", "list", "--json").stdout)
    assert [(one["space"], one["ready"], one["is_joined"]) for one in rows] == [(seat, 3, True) for seat in SEATS]
    for one in rows:
        assert one["failed"] >= 1
        assert one["refused"] >= 2
        assert one["last_request"] is not None


def test_links_are_handed_out_on_paper_and_by_mail(room: Class, tmp_path: Path) -> None:
    """With the address that others have for the proxy, and without those that were used."""
    done = room.project.run("space", "url", "--all", "--csv")
    assert (done.stdout, "seat-01, seat-02" in done.stderr) == ("space,url,page,code\n", True)
    for seat in SEATS:
        room.project.run("space", "url", seat, "--new")
    at = ("--at", "https://lab.example.org/")
    rows = list(csv.DictReader(room.project.run("space", "url", "--all", "--csv", *at).stdout.splitlines()))
    assert [one["page"] for one in rows] == [f"https://lab.example.org/{seat}/_join" for seat in SEATS]
    assert all(one["url"].startswith(f"{one['page']}?token=msj.{one['space']}.") for one in rows)
    sheet = tmp_path / "cards.html"
    said = room.project.run("space", "url", "--all", "--sheet", str(sheet), *at)
    assert all(one["page"] in sheet.read_text() and one["code"] in sheet.read_text() for one in rows)
    assert "msj." not in sheet.read_text()
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert "answers to the name lab.example.org only when" in said.stderr
    assert "note:" not in room.project.run("space", "url", "--all", "--at", "http://192.0.2.7:8080").stderr
    assert "this machine only" in room.project.run("space", "url", "--all").stderr


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        pytest.param(["--all", "--at", "lab.example.org"], "--at must be the URL", 2, id="no scheme"),
        pytest.param(["--all", "--at", "http://[/"], "--at must be the URL", 2, id="no URL"),
        pytest.param(["--all", "--at", "http://x/lab"], "--at must be the URL", 2, id="a path"),
        pytest.param(["--all", "--at", "http://me:secret@x"], "--at must be the URL", 2, id="a password"),
        pytest.param(["--all", "--sheet", "/nowhere/at/all.html"], "/nowhere/at/all.html", 2, id="no folder"),
        pytest.param(["seat-01", "seat-09"], "there is no space seat-09", 2, id="one of them unknown"),
    ],
)
def test_links_that_lead_nowhere_are_not_printed(room: Class, arguments: list[str], said: str, code: int) -> None:
    """One line says why."""
    assert said in refused(room.project, "space", "url", *arguments, code=code)


def test_one_seat_is_reset_and_the_other_keeps_its_orders(room: Class) -> None:
    """The neighbour's orders, ledger and token are theirs alone, seen from either side."""
    tokens, before = {seat: room.token(seat) for seat in SEATS}, {seat: _history(room, seat) for seat in SEATS}
    orders = [(seat, own, room.status(f"/{seat}/prod/orders/lab-1", tokens[own])) for seat in SEATS for own in SEATS]
    assert {(seat == own, status) for seat, own, status in orders} == {(True, 200), (False, 403)}
    room.project.run("space", "reset", "seat-01")
    assert room.status("/seat-01/prod/orders/lab-1", tokens["seat-01"]) == 404
    assert room.status("/seat-02/prod/orders/lab-1", tokens["seat-02"]) == 200
    assert len(_history(room, "seat-01")) > len(before["seat-01"])
    assert _history(room, "seat-02") == before["seat-02"]


def _history(room: Class, seat: str) -> list[dict[str, Any]]:
    return list(json.loads(room.project.run("--space", seat, "history", "--json").stdout))
