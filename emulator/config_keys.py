"""What a declared config key may hold, and its value as CloudFormation takes it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches

from emulator.model import ConfigKey, ConfigType

# Source: CloudFormation quotas, "Parameters": a value has up to 4,096 bytes.
MOST_BYTES = 4096
# Source: Secrets Manager CreateSecret, SecretString.
MOST_SECRET_BYTES = 65536


def read_value(key: ConfigKey, value: object, *, is_text: bool) -> str:
    """
    *value* as CloudFormation takes it.

    Args:
        is_text: It comes from a variable or a file of variables, where everything is text.

    Raises:
        ValueError: It doesn't fit the key; the message completes "must be …" and never shows a secret.
    """
    text = _READERS[key.type](value, is_text)
    most = MOST_SECRET_BYTES if key.secret else MOST_BYTES
    try:
        size = len(text.encode()) if text is not None else 0
    except UnicodeEncodeError as error:
        raise ValueError("must be text in UTF-8") from error
    if text is None:
        raise ValueError(f"must be {_ALLOWED[key.type]}")
    if size > most:
        raise ValueError(f"must have at most {most} bytes, and has {size}")
    if key.secret and not text:
        raise ValueError("is a secret and must not be empty")
    return text


def unknown_key(name: str, keys: Mapping[str, ConfigKey]) -> str:
    """What is wrong about a key that nobody declared, and which is nearest."""
    near = get_close_matches(name, keys, n=1)
    known = f"did you mean {near[0]}?" if near else f"declared: {', '.join(keys)}"
    return f"{name} is not declared under [config]; {known}"


def named(name: str, keys: Collection[str]) -> str:
    """The only declared key that is *name* in any case, else *name* itself."""
    same = [key for key in keys if key.upper() == name.upper()]
    return name if name in keys or len(same) != 1 else same[0]


def _string(value: object, is_text: bool) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: object, is_text: bool) -> str | None:
    if is_text and isinstance(value, str):
        return value.lower() if value.lower() in {"true", "false"} else None
    return ("true" if value else "false") if isinstance(value, bool) else None


def _integer(value: object, is_text: bool) -> str | None:
    if is_text and isinstance(value, str):
        return str(int(value)) if re.fullmatch(r"-?[0-9]{1,18}", value) else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _number(value: object, is_text: bool) -> str | None:
    if is_text and isinstance(value, str):
        return value if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value) else None
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    return _integer(value, is_text)


def _list(value: object, is_text: bool) -> str | None:
    if is_text and isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) and "," not in item for item in value):
        return ",".join(value)
    return None


_READERS: Mapping[ConfigType, Callable[[object, bool], str | None]] = {
    ConfigType.STRING: _string,
    ConfigType.BOOLEAN: _boolean,
    ConfigType.INTEGER: _integer,
    ConfigType.NUMBER: _number,
    ConfigType.LIST: _list,
}
_ALLOWED: Mapping[ConfigType, str] = {
    ConfigType.STRING: "a string",
    ConfigType.BOOLEAN: "true or false",
    ConfigType.INTEGER: "a whole number",
    ConfigType.NUMBER: "a number",
    ConfigType.LIST: "an array of strings without commas",
}
