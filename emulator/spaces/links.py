"""How seats are handed out: the link of each space, and the code that does the same for whoever reads it on paper."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import ipaddress
import urllib.parse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from string import Template

from emulator import ports, process
from emulator.errors import ConfigError, NotReady
from emulator.space_tokens import JOIN, join_url, keep_key, make_code
from emulator.spaces.spaces import Spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """
    How one space is joined, once.

    Attributes:
        url: Opens it.
        page: The same without its token: there somebody types the code.
    """

    space: str
    url: str
    page: str
    code: str


def base_url(spaces: Spaces, at: str | None) -> str:
    """
    What links begin with: *at*, or where other machines reach the proxy, as far as this one can tell.

    Raises:
        ConfigError: *at* is no such URL.
        NotReady: The proxy doesn't run.
    """
    front = spaces.workspace.front
    found = front.url()
    if found is None:
        raise NotReady("the proxy does not run, and a link leads there", hint="multistack up")
    if at is not None:
        return _checked(at)
    if spaces.project.proxy.domains:
        return front.public_url() or found
    record = process.read_record(front.folder)
    if record is not None and record.settings.get("host") == ports.EVERY_ADDRESS:
        return f"http://{ports.outward_address()}:{record.port}"
    return found


def warning_of(base: str, *, domains: Sequence[str]) -> str:
    """
    Why links that begin with *base* let nobody else in; empty where they do, as far as this machine can tell.

    Args:
        domains: Names that the proxy answers to.
    """
    host = urllib.parse.urlsplit(base).hostname or ""
    if host.startswith("127.") or host.endswith("localhost"):
        return "these links lead to this machine only; with `multistack up --listen 0.0.0.0` others reach it"
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return ""
    if host in [one.partition(":")[0] for one in domains]:
        return ""
    return f"the proxy answers to the name {host} only when the project file has it in proxy.domains"


def _checked(at: str) -> str:
    try:
        parts = urllib.parse.urlsplit(at)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_good = False
    if not is_good or parts.query or parts.fragment or "@" in parts.netloc or parts.path.strip("/"):
        raise ConfigError(
            "--at must be the URL that others have for the proxy, without a path, e.g. https://lab.example.org"
        )
    return f"{parts.scheme}://{parts.netloc}"


def links(spaces: Spaces, names: Sequence[str], base: str) -> Sequence[Link]:
    """
    The links of spaces there are.

    Raises:
        MultistackError: The key that signs them can't be read or written.
    """
    state, listed = spaces.project.state, spaces.listed()
    return [
        Link(
            space=name,
            url=join_url(base, state, listed[name]),
            page=f"{base}/{name}/{JOIN}",
            code=make_code(keep_key(state), listed[name]),
        )
        for name in names
        if name in listed
    ]


def as_csv(found: Sequence[Link]) -> str:
    """For a mail merge, or a table of who sits where."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Link)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, found))
    return text.getvalue()


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Seats of $service</title>
<style>
body { font: 12pt/1.5 system-ui, sans-serif; margin: 0; color: #000; background: #fff }
ol { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: 1fr 1fr }
li { break-inside: avoid; border: 1px dashed #888; padding: 6mm 8mm }
h2 { font-size: 18pt; margin: 0 0 2mm }
p { margin: 0 }
code { font: 11pt/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
.code { font-size: 20pt; letter-spacing: .08em }
@page { margin: 12mm }
</style>
</head>
<body>
<ol>
$cards</ol>
</body>
</html>
""")
_CARD = Template("""<li>
<h2>$space</h2>
<p>Open <code>$page</code></p>
<p>Code <code class="code">$code</code></p>
<p>It works once, and the seat is yours.</p>
</li>
""")


def as_sheet(found: Sequence[Link], *, service: str) -> str:
    """A page to print and to cut: a card for each seat."""
    cards = [_CARD.substitute({key: html.escape(value) for key, value in asdict(link).items()}) for link in found]
    return _PAGE.substitute(service=html.escape(service), cards="".join(cards))
