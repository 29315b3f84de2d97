"""The sample's code as releases of it, good and bad, that experiments upload."""

from __future__ import annotations

import functools
import io
import zipfile
from dataclasses import dataclass, field

from emulator.errors import MultistackError
from emulator.lab.project import sample_folder


@dataclass(frozen=True, slots=True)
class Package:
    """
    A release of the sample.

    Attributes:
        release: What a person calls it.
        changes: File name, text of the source, and what stands there instead.
    """

    release: str
    changes: tuple[tuple[str, str, str], ...] = field(default=())


GOOD = Package("v1")
# Imports what was not packaged: the function can't even start.
BROKEN = Package("v2 without a dependency", (("app.py", "import hmac\n", "import hmac\n\nimport discounts\n"),))


@functools.cache
def zip_of(package: Package) -> bytes:
    """
    The zip to upload: the same bytes for the same package.

    Raises:
        MultistackError: The sample's source lacks what the package changes.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((sample_folder() / "src").glob("*.py")):
            text = path.read_text(encoding="utf-8")
            for name, old, new in package.changes:
                if name == path.name and old not in text:
                    raise MultistackError(f"{path} lacks what {package.release} changes: {old!r}")
                text = text.replace(old, new) if name == path.name else text
            archive.writestr(zipfile.ZipInfo(path.name), text)
    return packed.getvalue()
