"""The page that holds the table of frameworks."""

from __future__ import annotations

import importlib

from tests.conftest import REPOSITORY
from tests.frameworks.features import table

PAGE = REPOSITORY / "docs/frameworks.md"
_BEGIN, _END = "<!-- table of tests/frameworks -->\n", "<!-- end of table -->"
# Whoever shows what a framework can do.
_MODULES = (
    "tests.unit.test_including",
    "tests.functional.test_frameworks",
    "tests.functional.test_framework_tools",
    "tests.functional.test_unedited_services",
    "tests.functional.test_authorizers",
    "tests.docker.test_image_functions",
    "tests.unit.test_frameworks_serverless",
    "tests.unit.test_frameworks_cdk",
    "tests.unit.test_frameworks_others",
    "tests.unit.test_kept_packages",
)


def written(text: str) -> str:
    """The page with the table as the tests have it now."""
    for name in _MODULES:
        importlib.import_module(name)
    files = [f"{name.replace('.', '/')}.py" for name in _MODULES]
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table(files)}\n{_END}{rest.partition(_END)[2]}"
