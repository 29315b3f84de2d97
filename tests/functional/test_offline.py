"""Nothing at run time needs a network."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import MULTISTACK, ProjectFolder

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


def _has_namespaces() -> bool:
    probe = ["unshare", "--net", "ip", "link", "set", "lo", "up"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not _has_namespaces(), reason="needs unshare and ip, and the right to use them")
def test_everything_works_without_a_route_out(project: ProjectFolder) -> None:
    """Up, deploy, requests and down inside a network namespace that has loopback only."""
    script = _SCRIPT.format(multistack=MULTISTACK, python=sys.executable)
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        cwd=project.folder,
        env=project.command_environ(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("200\n") == 3
