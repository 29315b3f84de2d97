"""
botocore's descriptions of services without their texts: two thirds of what is read, parsed and kept.

Only ``help()`` shows them. Without them the image is smaller, a client is made faster and LocalStack needs less memory.
Run by path, with the folder of an environment, as soon as its packages are installed.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

_TEXTS = {"documentation", "documentationUrl"}
# Of a shape's members and of an operation's parts "documentation" is the name of a field as well.
_NAMES = {"members", "shapes", "operations"}
# botocore fails without a text there.
_KEPT = {"clientContextParams"}


def without_texts(node: Any, *, names: bool = False) -> Any:
    """*node* without descriptions; in a table of *names* every key is kept."""
    if isinstance(node, dict):
        return {
            key: value if key in _KEPT and not names else without_texts(value, names=not names and key in _NAMES)
            for key, value in node.items()
            if names or key not in _TEXTS
        }
    if isinstance(node, list):
        return [without_texts(item) for item in node]
    return node


def shrink(data: Path) -> None:
    """Rewrite all descriptions under botocore's folder *data*, and remove its examples."""
    for file in data.rglob("service-2.json.gz"):
        described = json.loads(gzip.decompress(file.read_bytes()))
        small = json.dumps(without_texts(described), separators=(",", ":")).encode("utf-8")
        file.write_bytes(gzip.compress(small, 6, mtime=0))
    for file in data.rglob("examples-1.json*"):
        file.unlink()


if __name__ == "__main__":
    for found in Path(sys.argv[1]).glob("lib/python*/site-packages/botocore/data"):
        shrink(found)
