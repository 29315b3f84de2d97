"""Which names are no part of a service, wherever they stand: what tools make, what is a person's, what editors keep."""

from __future__ import annotations

import re

from emulator.model import STATE_FOLDER

_OF_TOOLS = {
    STATE_FOLDER,
    "multistack.toml",
    "__pycache__",
    ".venv",
    ".aws-sam",
    ".pytest_cache",
    ".mypy_cache",
    ".DS_Store",
}
# A person's way into accounts, and a repository with all that was ever in it. Whatever reads them looks in a home or a
# checkout, which a function has not; so nothing misses them, and they need no warning as what code may read does.
_OF_PEOPLE = {
    ".git",
    ".hg",
    ".svn",
    ".aws",
    ".azure",
    ".ssh",
    ".gnupg",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
}
# Config stays in its environment: with the code beside them, these would go into every artifact, secrets and all.
_VARIABLES = ".env."
# Source: Vim's ":help swap-file" and, in its fileio.c, the file 4913 by which it finds out whether it may write; Emacs'
# manual, "Auto Save Files", "Backup Names" and "Interlocking"; ``___jb_tmp___`` and ``___jb_old___`` of JetBrains'
# "safe write"; GLib's and KDE's names while they save.
_OF_EDITORS = re.compile(
    r"\..*\.sw[a-px]|4913|.*~|\.#.*|#.*#|.*___jb_(?:tmp|old)___|\.goutputstream-.*|.*\.kate-swp|\..*\.un~"
)


def is_left_out(name: str) -> bool:
    """Whether a file or folder called *name* never goes into an artifact."""
    is_known = name in _OF_TOOLS or name in _OF_PEOPLE
    return is_known or name.startswith(_VARIABLES) or name.endswith(".pyc") or is_of_editor(name)


def is_of_editor(name: str) -> bool:
    """Whether an editor keeps *name* only while a file is edited or saved."""
    return _OF_EDITORS.fullmatch(name) is not None
