"""What experiments are made of: releases, a partner with a quota."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
import zipfile

import pytest

from emulator.lab.code import GOOD, Package, zip_of
from emulator.lab.partner import DEPENDENT, KEY, QUOTA, Partner, use_up
from emulator.lab.releases import LONGER, RENAMED, SLOW, TALKATIVE


@pytest.mark.parametrize("package", [LONGER, SLOW, RENAMED, TALKATIVE, DEPENDENT], ids=lambda one: one.release)
def test_a_release_changes_the_sample(package: Package) -> None:
    """What it changes is still in the sample's source, and what comes of it is Python."""
    assert zip_of(package) != zip_of(GOOD)
    with zipfile.ZipFile(io.BytesIO(zip_of(package))) as archive:
        for name in archive.namelist():
            compile(archive.read(name), name, "exec")


def test_a_partner_refuses_a_key_over_its_quota() -> None:
    """Whoever used it up; another key is not concerned, and the next day all count anew."""
    partner = Partner()
    with partner.answering():
        assert _ask(partner, KEY) == 200
        use_up(partner.url, KEY)
        assert (_ask(partner, KEY), _ask(partner, "another")) == (429, 200)
        partner.renew()
        assert _ask(partner, KEY) == 200
    with pytest.raises(urllib.error.URLError):
        _ask(partner, KEY)


def test_every_call_up_to_the_quota_is_admitted() -> None:
    """A quota is that many calls, not one less."""
    partner = Partner()
    with partner.answering():
        assert [partner.admits(KEY) for _ in range(QUOTA + 1)].count(True) == QUOTA


def _ask(partner: Partner, key: str) -> int:
    request = urllib.request.Request(partner.url, headers={"X-Api-Key": key})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
