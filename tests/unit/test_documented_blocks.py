"""What runs the shell blocks of the docs finds every command that doesn't do what its page says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.documentation.blocks import BlockError, blocks_of
from tests.documentation.running import Failure, lines_missing, run_blocks


def run(place: Path, page: str) -> Failure | None:
    """Run a page's blocks in an empty folder."""
    blocks = blocks_of(page)
    return run_blocks(blocks, folder=place, environ={"PATH": os.environ["PATH"]}, port=9, timeout=30)


def fenced(text: str, language: str = "console") -> str:
    """A fenced block."""
    return f"```{language}\n{text}\n```\n"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(fenced("$ echo one\none"), id="it prints what is shown"),
        pytest.param(fenced("$ echo 0123456789ab took 2.5 s\nfedcba987654 took 17 s"), id="ids and times vary"),
        pytest.param(fenced("$ seq 3\n…\n3"), id="lines left out"),
        pytest.param(fenced("$ echo one two three\none … three"), id="words left out"),
        pytest.param(fenced('$ echo "error: no" >&2; false\nerror: no'), id="an error that is shown"),
        pytest.param(fenced("$ (exit 7)\n$ echo $?\n7"), id="an exit code that is shown"),
        pytest.param("<!-- docs-test: exits 3 -->\n" + fenced("$ (exit 3)"), id="an exit code that is marked"),
        pytest.param("<!-- docs-test: exits nonzero -->\n" + fenced("false", "sh"), id="a failure that is marked"),
        pytest.param("<!-- docs-test: run X=1 -->\n" + fenced('test "$X" = 1', "sh"), id="a hidden command"),
        pytest.param("<!-- docs-test: example why -->\n" + fenced("$ echo a\nb"), id="an example"),
        pytest.param("<!-- docs-test: skip why -->\n" + fenced("$ false"), id="skipped"),
        pytest.param(fenced("cd /\nX=2", "sh") + fenced('$ echo "$PWD $X"\n/ 2'), id="one shell for a page"),
        pytest.param(fenced("$ echo a \\\n  b\na b") + fenced("$ for i in 1; do\n> echo c; done\nc"), id="two lines"),
        pytest.param(fenced("$ echo a") + fenced("echo no; false", "text"), id="no shell"),
        pytest.param(
            "<!-- docs-test: wait 5 -->\n" + fenced("$ echo x >> n; test $(wc -l < n) -gt 3"),
            id="waits until it succeeds",
        ),
    ],
)
def test_a_page_that_is_right_passes(tmp_path: Path, page: str) -> None:
    """Shown output, errors and exit codes are what happens."""
    assert run(tmp_path, page) is None


@pytest.mark.parametrize(
    ("page", "line", "why"),
    [
        pytest.param(fenced("$ echo one\ntwo"), 2, "did not print", id="another output"),
        pytest.param("\n" + fenced("$ true\n$ false"), 4, "ended with 1, not 0", id="it fails"),
        pytest.param(fenced("true\nfalse\ntrue", "sh"), 2, "ended with 1, not 0", id="a line of a script fails"),
        pytest.param(fenced("$ echo 'error: no'\nerror: no"), 2, "ended with 0, not nonzero", id="it should fail"),
        pytest.param(fenced("$ (exit 6)\n$ echo $?\n7"), 2, "ended with 6, not 7", id="another code"),
        pytest.param(fenced("$ exit 0\n$ true"), 3, "never ended", id="the shell ends"),
        pytest.param(
            "<!-- docs-test: run false -->\n" + fenced("$ true"), 1, "ended with 1, not 0", id="hidden, fails"
        ),
        pytest.param("<!-- docs-test: wait 1 -->\n" + fenced("$ false"), 3, "ended with 1, not 0", id="waits in vain"),
    ],
)
def test_a_page_that_is_wrong_is_found(tmp_path: Path, page: str, line: int, why: str) -> None:
    """The failure names the line of the command, and nothing after it is judged."""
    failure = run(tmp_path, page)
    assert failure is not None
    assert failure.line == line
    assert why in failure.why


@pytest.mark.parametrize(
    ("page", "why"),
    [
        pytest.param("<!-- docs-test: skip -->\n" + fenced("$ true"), "skip needs a reason", id="no reason"),
        pytest.param("<!-- docs-test: skpi x -->\n" + fenced("$ true"), "no marker skpi", id="misspelt"),
        pytest.param(fenced("$ true") + "\n<!-- docs-test: exits 1 -->\n", "under the last marker", id="no block"),
        pytest.param(fenced("multistack up"), "begins with", id="a console without a prompt"),
    ],
)
def test_a_marker_that_says_nothing_is_refused(page: str, why: str) -> None:
    """A misspelt marker doesn't switch a check off."""
    with pytest.raises(BlockError, match=why):
        blocks_of(page)


def test_a_fresh_block_says_so() -> None:
    """A page can begin again with a new clone."""
    page = fenced("$ true") + "\n<!-- docs-test: fresh -->\n" + fenced("$ true")
    assert [block.is_fresh for block in blocks_of(page)] == [False, True]


def test_the_port_of_the_pages_is_replaced(tmp_path: Path) -> None:
    """Several pages run at once, and only one of them could have 8080."""
    blocks = blocks_of(fenced("echo http://127.0.0.1:8080/test/ > url", "sh"))
    environ = {"PATH": os.environ["PATH"]}
    assert run_blocks(blocks, folder=tmp_path, environ=environ, port=1234, timeout=30) is None
    assert (tmp_path / "url").read_text() == "http://127.0.0.1:1234/test/\n"


def test_only_lines_that_were_not_printed_are_missing() -> None:
    """Lines may come in any order: environments report when they are ready."""
    shown = [
        "prod     ready http://127.0.0.1:4602 (0.7 s)",
        "test     ready http://127.0.0.1:4600 (0.7 s)",
        "test gone",
    ]
    printed = ["test     ready http://127.0.0.1:4611 (1.9 s)", "prod     ready http://127.0.0.1:4613 (11.2 s)"]
    assert lines_missing(shown, printed) == ["test gone"]
