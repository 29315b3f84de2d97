"""What of this machine's pip a build takes along."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.images.host_pip import host_files


def test_nothing_is_taken_where_nothing_is_set(tmp_path: Path) -> None:
    """A machine without settings builds without any."""
    assert host_files({"HOME": str(tmp_path)}, root=tmp_path) == {}


def test_files_and_variables_are_read_as_pip_does(tmp_path: Path) -> None:
    """The system's file, the user's, then variables; what is about this machine's paths stays here."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pip.conf").write_text(
        "[global]\nindex-url = https://first/simple\ntimeout = 5\nfind-links = /opt/wheels\nconstraint = /etc/c.txt\n"
    )
    own = tmp_path / "home" / ".config" / "pip"
    own.mkdir(parents=True)
    (own / "pip.conf").write_text("[install]\nindex-url = https://second/simple\n")
    environ = {
        "HOME": str(tmp_path / "home"),
        "PIP_EXTRA_INDEX_URL": "file:///opt/simple https://third/simple",
        "PIP_TRUSTED_HOST": "second",
    }
    assert host_files(environ, root=tmp_path)["pip.conf"].decode().splitlines() == [
        "[global]",
        "index-url = https://second/simple",
        "extra-index-url = https://third/simple",
        "trusted-host = second",
        "timeout = 5",
    ]


@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_own_authorities_are_taken_along(tmp_path: Path, variable: str) -> None:
    """Where a company's authority stands before the index, the build trusts it too."""
    (tmp_path / "own.crt").write_bytes(b"own")
    system = tmp_path / "etc" / "ssl" / "certs"
    system.mkdir(parents=True)
    (system / "ca-certificates.crt").write_bytes(b"system")
    assert host_files({variable: str(tmp_path / "own.crt")}, root=tmp_path)["ca-certificates.crt"] == b"own"
    assert host_files({}, root=tmp_path)["ca-certificates.crt"] == b"system"


def test_broken_file_of_pip_is_left_to_pip(tmp_path: Path) -> None:
    """A file that pip can't read either doesn't stop a build."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pip.conf").write_text("no section\n")
    assert host_files({}, root=tmp_path) == {}
