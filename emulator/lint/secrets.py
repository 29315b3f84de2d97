"""
Secrets in source, found by detect-secrets: the shapes of known tokens, and values given to names such as ``password``.

It reads the file and asks nobody. Its detectors of random-looking text are left out: digests, commits and integrity
hashes look random too, and make up most of what they find. So is the one for public addresses, which are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from emulator.lint.finding import SECRET, Finding, Source

_LEFT_OUT = frozenset({"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"})
_KEYWORD = "Secret Keyword"
# What a name ends with that says where a secret is, not what it is.
_REFERENCE = re.compile(
    r"(?:name|id|arn|path|field|header|param|parameter|prefix|suffix|label|column|attribute|policy|key_?name|url|uri)s?"
    r"""["']?\s*(?::\s*\w+\s*)?(?:=|:)""",
    re.IGNORECASE,
)
_ADVICE = "replace it, for it is known now; then a config key with `secret = true`, read from Secrets Manager"


def check_secrets(source: Source, *, by_name: bool = True) -> Iterator[Finding]:
    """
    At most one finding for a line; the value itself is never told.

    Args:
        by_name: Whether texts given to telling names count. In YAML they are guessed from lines, e.g. from
            ``{PasswordLength: 40}``, so a template is better read as one.
    """
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import transient_settings

    lines = source.text.splitlines()
    told = set()
    with transient_settings({"plugins_used": [{"name": name} for name in _detectors()]}):
        for found in scan_file(str(source.path)):
            line = lines[found.line_number - 1] if 0 < found.line_number <= len(lines) else ""
            is_named = found.type == _KEYWORD
            if found.line_number in told or (is_named and not by_name):
                continue
            if is_named and _is_reference(line, found.secret_value or ""):
                continue
            told.add(found.line_number)
            if is_named:
                yield given_secret(source, found.line_number)
            else:
                yield source.finding(found.line_number, SECRET, f"looks like: {found.type}", _ADVICE)


def given_secret(source: Source, line: int) -> Finding:
    """A secret that only the name it is given to betrays."""
    return source.finding(line, SECRET, "a text given to a name that promises a secret", _ADVICE)


def _detectors() -> list[str]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    detectors: Iterable[type] = get_mapping_from_secret_type_to_class().values()
    return sorted({detector.__name__ for detector in detectors} - _LEFT_OUT)


def _is_reference(line: str, value: str) -> bool:
    """Whether a line that sets a name such as ``secret`` names a secret, or a field of a form, and holds none."""
    before = line.rpartition(value)[0]
    if "{{resolve:" in before or re.search(r"\$\{|\{\w+\}", value):
        return True
    if value.lower() in {"true", "false", "null", "none"} or re.fullmatch(r"[0-9.]+", value):
        return True
    if set(value) <= set("*.xX-_ ") or value.startswith(("/", "arn:aws", "alias/")):
        return True
    if _REFERENCE.search(before):
        return True
    return value.lower() in before.lower()  # password = "password": the name of a field
