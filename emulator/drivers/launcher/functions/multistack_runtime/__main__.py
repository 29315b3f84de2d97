"""Started by path: ``__main__.py serve FD LOG`` serves calls, ``__main__.py zygote FD SDK`` forks such servers."""

from __future__ import annotations

import importlib
import os
import sys


def main() -> None:
    """Import this package as one, leaving no trace of where it stands on ``sys.path``, and run what is asked for."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 5 ms of every cold start
    sys.path[:] = [path for path in sys.path if path != here]
    # Last, so that none of the emulator's modules beside it hides one of the standard library.
    above = os.path.dirname(here)  # noqa: PTH120
    sys.path.append(above)
    module = importlib.import_module(f"multistack_runtime.{sys.argv[1]}")
    sys.path.remove(above)
    module.main(int(sys.argv[2]), *sys.argv[3:])


if __name__ == "__main__":
    main()
