"""Write the table of ``docs/frameworks.md`` anew: ``python -m tests.frameworks``."""

from __future__ import annotations

from tests.frameworks.page import PAGE, written

PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
