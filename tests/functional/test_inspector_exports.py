"""What is exported runs: curl sends the same request again, and the tests pass against what answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.inspector.scripts import curl_command, pytest_module
from tests.functional.raw_proxy import Exchange, Upstream
from tests.unit.exchanges import make_exchange

pytestmark = pytest.mark.embedded("no environment is started")

JSON = (("Content-Type", "application/json"),)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "body",
    [b'{"a": "it\'s $HOME `x` \\n"}', b"@/etc/passwd", b"\x00\xff\n", "ü\n\n".encode(), b""],
    ids=["quotes", "a file's name", "bytes", "line ends", "none"],
)
def test_curl_repeats_the_request_to_the_byte(upstream: Upstream, body: bytes) -> None:
    """Whatever the shell or curl would make of it."""
    bodies = []

    def script(exchange: Exchange) -> None:
        bodies.append(exchange.read_body())
        exchange.answer(b"yes")

    upstream.script = script
    headers = [("X-A", "a 'b' $c"), ("X-A", "@x"), ("X-Empty", ""), ("Content-Length", "999"), ("Host", "other")]
    exchange = make_exchange("/a/../b?x=[1-3]&y={z,w}&q=%22\xe9'", method="PUT", headers=headers, body=body)

    done = subprocess.run(
        ["bash", "-c", curl_command(exchange, base=f"{upstream.url}/test/")], capture_output=True, check=True
    )

    assert done.stdout == b"yes"
    assert bodies == [body]
    assert upstream.last.head.startswith(b"PUT /test/a/../b?x=[1-3]&y={z,w}&q=%22%E9' HTTP/1.1\r\n")
    assert upstream.last.values("x-a") == ["a 'b' $c", "@x"]
    assert b"\r\nX-Empty:\r\n" in upstream.last.head
    assert upstream.last.values("content-type") == []


def run_tests(source: str, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_kept.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_kept.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MULTISTACK_URL": url},
    )


def test_pytest_module_passes_and_fails_as_it_should(upstream: Upstream, tmp_path: Path) -> None:
    """It passes against what answered, and fails against what answers otherwise."""
    kept = [
        make_exchange("/orders/1?a=\"'\\", answer=b'{"id": 1, "ok": true}', answer_headers=JSON, id=3),
        make_exchange("/orders", method="POST", body=b"\xff'''", headers=JSON, answer=b"text", id=4, status=201),
    ]
    answers = {b"GET": (b'{"ok": true, "id": 1}', "200 OK"), b"POS": (b"text", "201 Created")}
    bodies = []

    def script(exchange: Exchange) -> None:
        bodies.append(exchange.read_body())
        body, status = answers[exchange.head[:3]]
        exchange.answer(body, status=status)

    upstream.script = script
    source = pytest_module(kept, base_of=lambda _name: "http://127.0.0.1:9/test/")
    done = run_tests(source, tmp_path, f"{upstream.url}/prod/")
    assert done.returncode == 0, done.stdout
    assert [one.target for one in upstream.exchanges] == ["/prod/orders/1?a=\"'\\", "/prod/orders"]
    assert bodies == [b"", b"\xff'''"]
    assert upstream.last.values("content-type") == ["application/json"]
    answers[b"GET"] = (b'{"ok": false, "id": 1}', "200 OK")
    assert "1 failed, 1 passed" in run_tests(source, tmp_path, f"{upstream.url}/prod/").stdout
