"""What a command says when the proxy doesn't answer as it should."""

from __future__ import annotations

import json

import pytest

from emulator.asking import Question, ask_all
from emulator.errors import ConfigError, MultistackError, NotReady
from tests.functional.servers import web_server

pytestmark = pytest.mark.embedded("no environment is started")

QUESTION = Question(method="GET", target="a b/é?c=%2F")


def test_the_path_is_sent_as_it_is_meant():
    """What is escaped stays so, what no request line can hold is escaped."""
    with web_server(body=b"{}") as server:
        assert ask_all(server.url, QUESTION, timeout=60.0) == {}

        assert server.asked == ["/_all/a%20b/%C3%A9?c=%2F"]


@pytest.mark.parametrize(
    ("status", "error"), [(403, ConfigError), (503, NotReady), (413, MultistackError)], ids=["word", "down", "large"]
)
def test_a_problem_becomes_an_error(status, error):
    """With its detail, and its next command as the hint."""
    body = json.dumps({"status": status, "detail": "because", "next": "multistack up"}).encode()
    with web_server(status=status, body=body) as server, pytest.raises(error) as caught:
        ask_all(server.url, QUESTION, timeout=60.0)

    assert (caught.value.message, caught.value.hint, type(caught.value)) == ("because", "run `multistack up`", error)


def test_what_is_no_proxy_is_told():
    """Something else on its port, or nothing any more."""
    with web_server(body=b"<html>") as server, pytest.raises(NotReady, match="the proxy gave no answer"):
        ask_all(server.url, QUESTION, timeout=60.0)

    with pytest.raises(NotReady, match="the proxy gave no answer"):
        ask_all(server.url, QUESTION, timeout=60.0)
