"""What the compare page asks of several environments, and their answers as it shows them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.proxy.problems import Problem
from emulator.proxy.request import Request

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
READING = frozenset({"GET", "HEAD"})
_MOST_SHOWN = 20_000

Compare = Callable[[Request], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    One request for several environments.

    Attributes:
        target: Raw path and query within each environment.
        environments: Empty for all.
        writes: Whether it may change something.
        protected: Whether it may change protected environments too.
    """

    method: str = "GET"
    target: str = "/"
    environments: tuple[str, ...] = ()
    baseline: str | None = None
    body: str = ""
    content_type: str = "application/json"
    writes: bool = False
    protected: bool = False

    def to_request(self, *, host: str, client: str) -> Request:
        """What a client of the proxy would send to ask it."""
        # The comma makes a list of one environment too.
        headers = [("X-Multistack-Environment", ",".join((*self.environments, "")) if self.environments else "*")]
        if self.baseline:
            headers.append(("X-Multistack-Baseline", self.baseline))
        said = {"X-Multistack-Writes": self.writes, "X-Multistack-Protected": self.protected}
        headers += [(name, "yes") for name, value in said.items() if value]
        body = self.body.encode()
        if body:
            headers.append(("Content-Type", self.content_type))
        return Request(
            method=self.method,
            target=self.target,
            host=host,
            headers=[*headers, ("Accept", "*/*")],
            body=io.BytesIO(body) if body else None,
            length=len(body),
            client=client,
        )


def read_question(content: Any) -> Question:
    """
    The question in a request's JSON.

    Raises:
        Problem: 422, it is none.
    """
    kinds: Mapping[str, type] = {
        **dict.fromkeys(("method", "target", "baseline", "body", "content_type"), str),
        **dict.fromkeys(("writes", "protected"), bool),
        "environments": list,
    }
    if not isinstance(content, dict) or not isinstance(content.get("target"), str):
        raise _bad("a question is an object with a target")
    for name, value in content.items():
        if name not in kinds or not isinstance(value, kinds[name]):
            raise _bad(f"{name!r} is not known, or of another kind")
    names = content.get("environments", [])
    if not all(isinstance(name, str) and name for name in names):
        raise _bad("environments is a list of names")
    return check(Question(**{**content, "environments": tuple(names)}))


def check(question: Question) -> Question:
    """
    A question that a request can be made of.

    Raises:
        Problem: 422.
    """
    if question.method not in METHODS:
        raise _bad(f"method is one of {', '.join(METHODS)}")
    target = question.target
    if not target.startswith("/") or not (target.isascii() and target.isprintable()) or set(target) & set(' "#'):
        raise _bad("a target is path and query as they are sent: it starts with /, other characters are %-encoded")
    if _showable(question.body) != question.body:
        raise _bad("body is text that UTF-8 can hold")
    if question.baseline == "":
        raise _bad("baseline is the name of an environment")
    words = (question.content_type, question.baseline or "", *question.environments)
    if not all(text.isascii() and text.isprintable() for text in words) or "," in "".join(question.environments):
        raise _bad("names and the content type are printable ASCII")
    return question


def ask(compare: Compare, question: Question, *, host: str, client: str) -> Mapping[str, Any]:
    """
    The answers, in the form of ``/_all/``.

    Raises:
        Problem: It can't be asked.
    """
    content = compare(question.to_request(host=host, client=client))
    if content is None:
        raise _bad("it is not for several environments")
    found: Mapping[str, Any] = json.loads(content)
    return found


def shown_body(entry: Mapping[str, Any]) -> str:
    """An answer's body for people, cut when it is long."""
    body = entry["body"]
    text = json.dumps(body, indent=2, ensure_ascii=False) if entry["body_encoding"] == "json" else str(body or "")
    text = _showable(text)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}\n… {entry['body_length']} bytes in all"


def shown_message(message: Mapping[str, Any]) -> str:
    """The body of a kept request or answer for people: JSON indented, long ones cut."""
    text: str = message["body"]
    if message["body_encoding"] == "text" and text[:1] in {"{", "["}:
        with contextlib.suppress(ValueError, RecursionError):
            text = _showable(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}\n… {message['body_length']} bytes in all"


def _showable(text: str) -> str:
    """*text* with a question mark for each half of a surrogate pair, which JSON can say and no page can show."""
    return text.encode("utf-8", "replace").decode()


def verdict(found: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    entries: Mapping[str, Mapping[str, Any]] = found["environments"]
    if len(entries) == 1:
        return "One environment was asked."
    differing = [name for name, entry in entries.items() if entry["differences"] or entry.get("problem")]
    if not differing:
        more = _count(found["expected"], "expected difference")
        return f"All answers are the same{f' but for {more}' if more else ''}."
    return f"{', '.join(differing)} differ{'s' if len(differing) == 1 else ''} from {found['baseline']}."


def _count(found: Sequence[object], what: str) -> str:
    return f"{len(found)} {what}{'s' if len(found) > 1 else ''}" if found else ""


def _bad(detail: str) -> Problem:
    return Problem(422, "bad-question", "Not possible", detail)
