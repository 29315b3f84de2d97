"""A function's layers, laid over each other in one folder, as AWS does under ``/opt``."""

from __future__ import annotations

import shutil
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from multistack_localstack.executor.variables import Installation


def install(function_version: FunctionVersion, folder: Path) -> Installation:
    """
    Where the function stands.

    Args:
        folder: Where several layers are laid together; a single one is used where it was unpacked.

    Raises:
        OSError: A layer's files can't be copied.
    """
    config = function_version.config
    task = config.code.get_unzipped_code_location()
    layers = [layer.code.get_unzipped_code_location() for layer in config.layers or []]
    if len(layers) < 2:
        return Installation(task=task, opt=layers[0] if layers else None)
    for layer in layers:
        shutil.copytree(layer, folder, dirs_exist_ok=True, symlinks=True)
    return Installation(task=task, opt=folder)
