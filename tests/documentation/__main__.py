"""``make docs``: build the docs site into ``.docs``."""

from __future__ import annotations

import sys

from tests.conftest import REPOSITORY
from tests.documentation.site import SiteError, build

if __name__ == "__main__":
    try:
        print(f"{build(REPOSITORY, REPOSITORY / '.docs') / 'index.html'}")
    except SiteError as error:
        sys.exit(f"error: the docs site has warnings\n{error}")
