"""Declared config: types, files of variables, secrets, defaults, and every way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.config import load_project
from emulator.config_values import missing
from emulator.errors import ConfigError
from emulator.model import Project

FILE = """
service = "tiny"

[config.Size]
type = "integer"

[config.Colour]
default = "red"

[config.Flag]
type = "boolean"
required = false

[config.Zones]
type = "list"
required = false

[config.Token]
secret = true

[environments.test.config]
Size = 1

[environments.prod]
"""


def load(folder: Path, *, file: str = FILE, environ: dict[str, str] | None = None, **files: str | bytes) -> Project:
    """The project of *file*, with ``.env.<name>`` beside it."""
    (folder / "multistack.toml").write_text(file)
    (folder / "template.yaml").touch()
    for name, content in files.items():
        (folder / f".env.{name}").write_bytes(content.encode() if isinstance(content, str) else content)
    return load_project(file=None, environ=environ or {}, cwd=folder)


def test_values_come_from_variable_file_of_variables_project_file_and_default_in_that_order(tmp_path: Path) -> None:
    """Each says where it is from."""
    environ = {"MULTISTACK_CONFIG_TEST_ZONES": "a,b"}
    test, prod = load(tmp_path, test="Size=2\nToken='s3cret'\n", prod="FLAG=TRUE\nSize=3", environ=environ).environments
    assert test.config == {"Size": "2", "Colour": "red", "Zones": "a,b"}
    assert test.secrets == {"Token": "s3cret"}
    assert test.origins == {
        "Size": ".env.test:1",
        "Token": ".env.test:2",
        "Colour": "default",
        "Zones": "MULTISTACK_CONFIG_TEST_ZONES",
    }
    assert prod.config == {"Size": "3", "Flag": "true", "Colour": "red"}
    assert load(tmp_path, test="").environments[0].origins["Size"] == "multistack.toml:22"


def test_a_secret_shows_in_no_repr(tmp_path: Path) -> None:
    """A traceback or a log line of an environment gives nothing away."""
    assert "s3cret" not in repr(load(tmp_path, test="Token=s3cret"))


def test_files_of_variables_are_another_tools_where_no_key_is_declared(tmp_path: Path) -> None:
    """Vite and others have files of that name."""
    (environment,) = load(tmp_path, file='service = "s"\n[environments.test]\n', test="VITE_API=x").environments
    assert environment.config == {}


@pytest.mark.parametrize(
    ("content", "config"),
    [
        pytest.param("Size=2\r\nColour=blue\r\n", {"Size": "2", "Colour": "blue"}, id="CRLF"),
        pytest.param(b"\xef\xbb\xbfSize=2\nColour=blue", {"Size": "2", "Colour": "blue"}, id="BOM"),
        pytest.param("Size=2 # two\nexport Colour='a # b'", {"Size": "2", "Colour": "a # b"}, id="comment and export"),
        pytest.param('Size=2\nColour="a\nb"', {"Size": "2", "Colour": "a\nb"}, id="several lines"),
        pytest.param("Size=2\nColour=$HOME${X}", {"Size": "2", "Colour": "$HOME${X}"}, id="no interpolation"),
        pytest.param("Size=2\nColour=grün", {"Size": "2", "Colour": "grün"}, id="UTF-8"),
        pytest.param("Size=2\nColour=", {"Size": "2", "Colour": ""}, id="empty"),
    ],
)
def test_files_of_variables_are_read_as_people_write_them(
    tmp_path: Path, content: str | bytes, config: dict[str, str]
) -> None:
    """Line ends, quotes, byte order marks."""
    assert load(tmp_path, test=content).environments[0].config == config


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("Size=2\nSize=3", ".env.test:2: Size is set a second time, after 1", id="twice"),
        pytest.param("Size=2\nSIZE=3", ".env.test:2: Size is set a second time, after 1", id="twice in another case"),
        pytest.param("\n\nSize", ".env.test:3: Size has no value", id="no value"),
        pytest.param("Size=2\nToken='s3cret", ".env.test:2: not NAME=VALUE", id="open quote"),
        pytest.param("Sise=2", ".env.test:1: Sise is not declared under [config]; did you mean Size?", id="typo"),
        pytest.param("Size=two", ".env.test:1: environments.test.config.Size must be a whole number", id="type"),
        pytest.param("Flag=yes", "environments.test.config.Flag must be true or false", id="boolean"),
        pytest.param("Colour=" + "x" * 5000, "must have at most 4096 bytes, and has 5000", id="long"),
        pytest.param("Token=" + "x" * 70_000, "must have at most 65536 bytes, and has 70000", id="long secret"),
        pytest.param("Token=", "Token is a secret and must not be empty", id="empty secret"),
        pytest.param("Colour=" + "x" * 2**20, ".env.test has 1048583 bytes", id="a megabyte"),
        pytest.param(b"Size=\xff", ".env.test is not text in UTF-8 (byte 5)", id="no UTF-8"),
    ],
)
def test_a_file_of_variables_that_is_wrong_is_one_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    """With file and line, and never with the value: it may be a secret."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, test=content)
    assert said in caught.value.message
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("Size = 1", 'Size = "1"', "environments.test.config.Size must be a whole number", id="text"),
        pytest.param("Size = 1", "Sise = 1", "Sise is not declared under [config]; did you mean Size?", id="unknown"),
        pytest.param("Size = 1", "Colour = true", "environments.test.config.Colour must be a string", id="boolean"),
        pytest.param("Size = 1", 'Token = "s3cret"', "Token is a secret, which this file must not hold", id="secret"),
        pytest.param('default = "red"', "default = 7", "config.Colour.default must be a string", id="default"),
        pytest.param(
            "secret = true", 'secret = true\ndefault = "s3cret"', "a secret has no default in this file", id="secret's"
        ),
        pytest.param('type = "integer"', 'type = "int"', 'config.Size.type must be "string" or', id="no such type"),
        pytest.param(
            'type = "integer"', 'typ = "integer"', "unknown key config.Size.typ, did you mean type?", id="typ"
        ),
    ],
)
def test_a_project_file_that_is_wrong_is_one_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    """With file, line and what to do."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, file=FILE.replace(before, after))
    assert said in caught.value.message
    assert caught.value.message.startswith("multistack.toml:")
    assert "s3cret" not in caught.value.message


def test_missing_keys_are_those_required_without_value(tmp_path: Path) -> None:
    """Optional ones and defaults are none."""
    project = load(tmp_path)
    test, prod = project.environments
    assert list(missing(project.config_keys, test.config, test.secrets)) == ["Token"]
    assert list(missing(project.config_keys, prod.config, prod.secrets)) == ["Size", "Token"]
