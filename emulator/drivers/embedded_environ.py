"""The variables of an embedded emulator's process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emulator import ports
from emulator.drivers import saved_state
from emulator.model import Environment

# In an environment's folder.
TEMPORARY = "tmp"
# Of the emulator, and so of its functions: empty at each start, and away from the saved state.
HOME = f"{TEMPORARY}/home"


def of(environment: Environment, folder: Path, *, port: int, path: str) -> Mapping[str, str]:
    """All that the emulator, and so the functions in it, see of this machine; *folder* is the environment's."""
    concurrency = environment.lambda_concurrency
    state = folder / saved_state.STATE
    return {
        **({} if concurrency is None else {"LAMBDA_ACCOUNT_CONCURRENCY": str(concurrency)}),
        "AUTH": "true" if environment.enforce_iam else "false",
        "PATH": path,
        "HOME": str(folder / HOME),
        "TMPDIR": str(folder / TEMPORARY),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MINISTACK_ACCOUNT_ID": environment.account_id,
        "MINISTACK_REGION": environment.region,
        "MINISTACK_HOST": ports.HOST,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        # Listeners of their own on fixed ports, which a second environment could not open.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # The machine's Docker engine runs functions that are images, and nothing else that MiniStack would start.
        "DOCKER_HOST": "unix:///nonexistent",
        "AWS_ACCESS_KEY_ID": environment.account_id,
        "AWS_SECRET_ACCESS_KEY": "multistack",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
