"""Files with secrets among the code of a service."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.artifact import ArtifactStore, files_of
from emulator.building import build
from emulator.events import Event
from emulator.left_out import is_left_out
from emulator.model import Project
from emulator.secret_files import secret_files

# The words alone would be taken for a key by those who look for keys in repositories.
BEGIN = "-----BEGIN {}PRIVATE KEY-----"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.12, Handler: app.handler}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {CodeUri: one/}}
  Two: {Type: AWS::Serverless::Function, Properties: {CodeUri: two/}}
"""


@pytest.mark.parametrize(
    ("name", "content", "is_secret"),
    [
        (".env", "TOKEN=1", True),
        ("deep/.env", "TOKEN=1", True),
        ("id_rsa", BEGIN.format("RSA ") + "\n" + BODY, True),
        ("id_ed25519", BEGIN.format("OPENSSH ") + "\n" + BODY, True),
        ("server.pem", "-----BEGIN CERTIFICATE-----\nMIID\n" + BEGIN.format("") + "\r\n" + BODY, True),
        ("google.json", '{"private_key": "' + BEGIN.format("") + "\\n" + BODY.strip() + '"}', True),
        ("store.P12", "", True),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n" + BODY, False),
        ("parser.py", f"if line == '{BEGIN.format('RSA ')}':\n    pass\n", False),
        ("node_modules/tls/test/.env", "TOKEN=1", False),
        ("env", "TOKEN=1", False),
    ],
)
def test_secrets_are_known_by_what_they_are(tmp_path: Path, name: str, content: str, is_secret: bool) -> None:
    """A warning about a certificate, or about code that reads keys, would be one too many."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert secret_files(dict(files_of(tmp_path)), installed=tmp_path / "other") == ([name] if is_secret else [])
    assert secret_files(dict(files_of(tmp_path)), installed=tmp_path) == []


def test_build_warns_once_of_secrets_and_takes_them_along(tmp_path: Path) -> None:
    """The code may read them; one line names the files and what to do."""
    for name in ("one/app.py", "two/app.py", "one/.env", "one/.env.local", "one/.aws/credentials", "two/.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    project = Project(
        file=tmp_path / "multistack.toml", service="s", template=tmp_path / "template.yaml", environments=()
    )
    events: list[Event] = []
    build(project, ArtifactStore(project.state / "artifacts"), emit=events.append)
    (warning,) = (event.detail for event in events if event.step == "warning:")
    assert warning.startswith("one/.env, two/.env: secrets among the code go into the artifact; declare them as config")
    assert [name for name, _ in files_of(tmp_path / "one")] == [".env", "app.py"]


@pytest.mark.parametrize("name", [".aws", ".ssh", ".git", ".netrc", ".npmrc", ".env.production"])
def test_what_is_a_persons_is_left_out(name: str) -> None:
    """No code reads a person's way into accounts from beside itself; values of one environment are config."""
    assert is_left_out(name)
