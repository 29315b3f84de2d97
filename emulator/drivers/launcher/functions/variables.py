"""
What a function finds in its environ: AWS's variables, its own, and the few that lead it to this emulator.

Nothing of the emulator's own environ, and so nothing of the caller's, is passed on.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.process import LABEL

# What an image says itself, or nothing outside of it can know.
_THE_IMAGES = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "HOME",
        "LAMBDA_RUNTIME_DIR",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "TMPDIR",
        "_HANDLER",
        LABEL,
    }
)
# The only folder of a container that can be written to.
_TMP = "/tmp"  # noqa: S108


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """
    What functions need to know of the emulator they run in.

    Attributes:
        endpoint: Where SDKs send their requests.
        label: Marks a process as this emulator's, so that none is left behind.
        path: Programs that functions may start.
        home: An empty folder: an SDK must not read the settings of whoever runs the emulator.
        temporary: For temporary files; removed with the environment.
    """

    endpoint: str
    label: str
    path: str
    home: Path
    temporary: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where one function stands: its own code, the layers laid over each other, the runtime's folder."""

    task_root: Path
    opt: Path | None
    runtime_dir: Path


def new_stream(version: str) -> str:
    """The name of a log stream for a new execution environment."""
    return time.strftime(f"%Y/%m/%d/[{version}]", time.gmtime()) + secrets.token_hex(16)


def of_function(
    config: Mapping[str, Any],
    surroundings: Surroundings,
    installation: Installation,
    *,
    credentials: Mapping[str, str],
    region: str,
    stream: str,
) -> dict[str, str]:
    """All variables of a function; its own go over AWS's defaults, and AWS's reserved ones over its own."""
    own = (config.get("Environment") or {}).get("Variables") or {}
    defaults = {
        **_defaults(installation, surroundings),
        "AWS_ENDPOINT_URL": surroundings.endpoint,
        # An S3 Object Lambda's answer goes to a host name that only AWS resolves.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(surroundings.home),
        "TMPDIR": str(surroundings.temporary),
    }
    return {
        **defaults,
        **{str(name): str(value) for name, value in own.items()},
        **{name: value for name, value in credentials.items() if value},
        **_reserved(config, installation, region=region, stream=stream),
        LABEL: surroundings.label,
    }


def of_image(
    config: Mapping[str, Any],
    surroundings: Surroundings,
    *,
    credentials: Mapping[str, str],
    region: str,
    stream: str,
) -> dict[str, str]:
    """The same for a function that is a container image, which has its own programs, handler and folders."""
    installation = Installation(task_root=Path("/var/task"), opt=None, runtime_dir=Path("/var/runtime"))
    found = of_function(config, surroundings, installation, credentials=credentials, region=region, stream=stream)
    own = (config.get("Environment") or {}).get("Variables") or {}
    kept = {name: value for name, value in found.items() if name in own or name not in _THE_IMAGES}
    return {"HOME": _TMP, "TMPDIR": _TMP, **kept}


def _defaults(installation: Installation, surroundings: Surroundings) -> dict[str, str]:
    """AWS's variables that a function may change."""
    found = {"LANG": "en_US.UTF-8", "TZ": ":UTC", "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "PATH": surroundings.path}
    libraries = [installation.task_root / "lib"]
    if installation.opt is not None:
        found["PATH"] = f"{surroundings.path}:{installation.opt / 'bin'}"
        libraries.append(installation.opt / "lib")
    present = [str(folder) for folder in libraries if folder.is_dir()]
    # An entry of it makes every program search there first, so only where there is something to find.
    return {**found, "LD_LIBRARY_PATH": ":".join([str(installation.task_root), *present])} if present else found


def _reserved(config: Mapping[str, Any], installation: Installation, *, region: str, stream: str) -> dict[str, str]:
    name = str(config.get("FunctionName", ""))
    logging = config.get("LoggingConfig") or {}
    snapped = (config.get("SnapStart") or {}).get("OptimizationStatus") == "On"
    found = {
        "_HANDLER": str(config.get("Handler", "")),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_VERSION": str(config.get("Version", "$LATEST")),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if snapped else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": str(installation.task_root),
        "LAMBDA_RUNTIME_DIR": str(installation.runtime_dir),
    }
    if logging.get("LogFormat") == "JSON":
        found["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        found["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel") or "INFO"
    return found
