"""Write the tables of ``docs/scale.md`` anew: ``python -m tests.scale``."""

from __future__ import annotations

from tests.scale.page import PAGE, written

PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
