"""The archives of a function: its own code, and its layers as AWS lays them over each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.drivers.launcher.functions.packages import Package, Packages


def take(packages: Packages, config: Mapping[str, Any], code_zip: bytes) -> tuple[Package, ...]:
    """
    The function's code, unpacked, then all of its layers as one folder if it has any.

    Raises:
        LookupError: A layer has gone.
        zipfile.BadZipFile: Something isn't a zip file.
    """
    from ministack.services import lambda_svc

    archives = []
    for attached in config.get("Layers") or []:
        archive = lambda_svc._resolve_layer_zip(attached)
        if archive:
            archives.append(archive)
    code = packages.take([code_zip])
    if not archives:
        return (code,)
    try:
        return (code, packages.take(archives))
    except BaseException:
        packages.release(code)
        raise
