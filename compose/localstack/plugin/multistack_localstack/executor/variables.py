"""
What a function finds in its environ: AWS's variables, its own, and the few that lead it to this emulator.

Nothing of the container's own environ is passed on.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RUNTIME_FOLDER = Path("/var/runtime")
# Tells the function's process where its layers are, and is removed by it.
OPT = "_MULTISTACK_OPT"
# For LocalStack's own program in the container of a function, which isn't there.
_NOT_FOR_FUNCTIONS = ("LOCALSTACK_", "EDGE_PORT", "_AWS_XRAY_", "AWS_LAMBDA_FUNCTION_TIMEOUT")
_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where a function stands: its code, and its layers laid over each other if it has any."""

    task: Path
    opt: Path | None = None

    def located(self, path: str) -> str:
        """Where *path* of AWS's file system is here, e.g. ``/opt/wrapper``."""
        for prefix, folder in (("/opt/", self.opt), ("/var/task/", self.task)):
            if folder is not None and path.startswith(prefix):
                return str(folder / path.removeprefix(prefix))
        return path


def of_function(
    given: Mapping[str, object], own: Mapping[str, str], installation: Installation, *, runtime: str, runtime_api: str
) -> dict[str, str]:
    """
    All variables of a function.

    Args:
        given: What LocalStack would give to a function's container; the function's own are among them.
        own: The function's own.
        runtime_api: ``host:port`` of the Runtime API.
    """
    kept = {
        name: str(value)
        for name, value in given.items()
        if value is not None and (name in own or not name.startswith(_NOT_FOR_FUNCTIONS))
    }
    return {
        **_defaults(installation),
        **kept,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_TASK_ROOT": str(installation.task),
        "LAMBDA_RUNTIME_DIR": str(RUNTIME_FOLDER),
        **({OPT: str(installation.opt)} if installation.opt is not None else {}),
    }


def _defaults(installation: Installation) -> dict[str, str]:
    """AWS's variables that a function may change."""
    found = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": _PATH,
        "HOME": "/tmp",  # noqa: S108 - the one folder a function may write to on AWS, too
        # An S3 Object Lambda's answer goes to a host name that only AWS resolves.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    libraries = [installation.task / "lib"]
    if installation.opt is not None:
        found["PATH"] = f"{_PATH}:{installation.opt / 'bin'}"
        libraries.append(installation.opt / "lib")
    present = [str(folder) for folder in libraries if folder.is_dir()]
    # An entry of it makes every program search there first, so only where there is something to find.
    return {**found, "LD_LIBRARY_PATH": ":".join([str(installation.task), *present])} if present else found
