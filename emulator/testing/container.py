"""An environment in a container of testcontainers, in its idiom."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Self

from emulator.config import load_project, process_environ
from emulator.drivers.containers import PORT, addressing
from emulator.endpoint import wait_until_healthy
from emulator.errors import ConfigError
from emulator.model import OWN_IMAGE, Endpoint
from emulator.ports import HOST, listen
from emulator.testing.api import ApiClient
from emulator.testing.aws import Aws
from emulator.testing.connection import Settings
from emulator.testing.environment import RunningEnvironment
from emulator.testing.running import shared

try:
    from testcontainers.core.container import DockerContainer
except ImportError as error:
    raise ImportError("MultistackContainer needs testcontainers: pip install testcontainers") from error

_HEALTHY = 60.0


class MultistackContainer(DockerContainer):
    """
    A LocalStack container with the service deployed into it as one environment; started and stopped as others are::

        with MultistackContainer("test") as container:
            assert container.api.get("/health").status == 200

    Args:
        environment: Whose account, region and config it has.
        file: The project file; by default multistack.toml here or in the nearest parent folder.
        image: Made by ``multistack image build``; another LocalStack 4.14 needs what it needs, see the guide.
        options: As ``DockerContainer`` takes them.
    """

    def __init__(
        self, environment: str = "test", *, file: Path | str | None = None, image: str = OWN_IMAGE, **options: Any
    ) -> None:
        super().__init__(image, **options)
        self._declared, self._file = environment, Path(file).absolute() if file else None
        self._open = contextlib.ExitStack()
        self._running: RunningEnvironment | None = None
        project = load_project(file=self._file, environ=process_environ(), cwd=Path.cwd(), needs_template=False)
        known = {one.name: one for one in project.environments}
        if environment not in known:
            raise ConfigError(
                f"{project.file.name} has no environment {environment}", hint=f"its environments: {', '.join(known)}"
            )
        self._account_id, self._region = known[environment].account_id, known[environment].region
        self.with_envs(MULTISTACK_ACCOUNT_ID=self._account_id, MULTISTACK_REGION=self._region)

    def start(self) -> Self:
        """
        Start the container, wait until it is healthy, and deploy the service.

        Raises:
            MultistackError: It does not get healthy, or can't be deployed into; the container is stopped again.
        """
        with listen(port=None, candidates=[0], purpose="the container") as found:
            port = found.getsockname()[1]
        # Queues and functions are told this address: it must be known before, and the same inside and outside.
        self.ports[f"{PORT}/tcp"] = (HOST, port)  # type: ignore[assignment] # an address too, as Docker's SDK takes it
        self.with_envs(**addressing(str(port)))
        super().start()
        try:
            self._wait_and_deploy()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_and_deploy(self) -> None:
        endpoint = Endpoint(
            environment=self._declared,
            url=self.get_url(),
            account_id=self._account_id,
            region=self._region,
            is_shared=True,
        )
        wait_until_healthy(endpoint, timeout=_HEALTHY)
        settings = Settings(file=self._file, endpoint=f"{self._declared}={endpoint.url}")
        (self._running,) = self._open.enter_context(shared(settings)).up([self._declared])

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Stop and remove the container, with all its data."""
        self._running = None
        self._open.close()
        super().stop(force, delete_volume)

    def get_url(self) -> str:
        """Where its AWS API answers."""
        return f"http://{HOST}:{self.get_exposed_port(PORT)}"

    def get_client(self, service: str, **options: Any) -> Any:
        """A boto3 client of its account."""
        return self.aws.client(service, **options)

    @property
    def environment(self) -> RunningEnvironment:
        """
        The environment in it.

        Raises:
            RuntimeError: It was not started.
        """
        if self._running is None:
            raise RuntimeError("the container was not started")
        return self._running

    @property
    def api(self) -> ApiClient:
        """Requests to the service's API."""
        return self.environment.api

    @property
    def aws(self) -> Aws:
        """boto3 session, clients and resources of its account."""
        return self.environment.aws
