"""The benchmarks' own frame: what breaks is told, and costs nothing else."""

from __future__ import annotations

import pytest

from tests.benchmarks.__main__ import measured
from tests.benchmarks.figures import Result
from tests.benchmarks.report import as_markdown, as_text

WHOLE = Result(title="Whole", figures=[], tables=[])


def test_a_part_that_breaks_is_a_row_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """With its reason, as what was not measured; the traceback is on stderr."""

    def broken() -> Result:
        pytest.fail("multistack up ended with 3:\nmore")

    results = [measured("whole", lambda: WHOLE), measured("startup", broken)]
    assert results[0] is WHOLE
    assert (results[0].is_cut, results[1].is_cut) == (False, True)
    for page in (as_text(results), as_markdown(results, {}, seconds=1.0)):
        assert "multistack up ended with 3:" in page
        assert "not measured" in page
        assert "more" not in page.split("ended with 3:")[1].splitlines()[0]
    assert "Traceback" in capsys.readouterr().err
