"""Nothing at run time needs a network."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from tests.conftest import MULTISTACK, ProjectFolder

pytestmark = pytest.mark.embedded("processes in a namespace; tests/docker/test_network.py looks at containers")

# Inside: loopback is all there is. The three environments come up, answer through the proxy, and go.
_SCRIPT = """
set -e
ip link set lo up
test "$(ip -o link | wc -l)" = 1
{multistack} up
for name in test staging prod; do
  url="$({multistack} status --json "$name" | {python} -c 'import json, sys; print(json.load(sys.stdin)[0]["url"])')"
  {python} -c "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)" "$url"health
done
{multistack} down
"""


# Without the right to make a network, a user namespace gives it where the system allows those.
_WAYS = (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"])


def _isolated() -> list[str] | None:
    """What a command is prefixed with to see loopback only, or None when nothing here works."""
    for way in _WAYS:
        with contextlib.suppress(FileNotFoundError):
            probe = [*way, "ip", "link", "set", "lo", "up"]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return way
    return None


ISOLATED = _isolated()


@pytest.mark.skipif(ISOLATED is None, reason="needs unshare and ip, and either CAP_SYS_ADMIN or user namespaces")
def test_everything_works_without_a_route_out(project: ProjectFolder) -> None:
    """Up, deploy, requests and down inside a network namespace that has loopback only."""
    script = _SCRIPT.format(multistack=MULTISTACK, python=sys.executable)
    done = subprocess.run(
        [*(ISOLATED or ()), "sh", "-c", script],
        cwd=project.folder,
        env=project.command_environ(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("200\n") == 3
