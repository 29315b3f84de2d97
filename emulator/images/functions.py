"""Images of functions in the Docker engine: found, and built as ``sam build`` and ``cdk deploy`` would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emulator.drivers.engine import connect, talking
from emulator.errors import ArtifactError, NotReady
from emulator.events import Emit, Event
from emulator.image_code import ImageSource

if TYPE_CHECKING:
    from docker import DockerClient

# Lines of a failed build that are told.
_LAST = 8


class FunctionImages:
    """
    The engine's images, asked for when a service has any.

    Args:
        environ: The caller's variables: DOCKER_HOST and the like.
    """

    def __init__(self, *, environ: Mapping[str, str], emit: Emit) -> None:
        self._environ = environ
        self._emit = emit

    def fault(self, name: str | None) -> str | None:
        """Why no function can run the image *name*, or any, as a clause; None when one can."""
        try:
            self._client()
        except NotReady as error:
            return f"it is a container image, and {error.message}"
        if name is None or self.find(name):
            return None
        return f"it is a container image, and no image {name} is in the Docker engine"

    def find(self, name: str) -> str | None:
        """See :class:`emulator.image_code.Images`."""
        from docker.errors import ImageNotFound

        try:
            client = self._client()
        except NotReady:
            return None
        with talking(f"image {name}"):
            try:
                return str(client.images.get(name).id)
            except ImageNotFound:
                return None

    def build(self, source: ImageSource) -> str | None:
        """
        See :class:`emulator.image_code.Images`.

        It gets a name, so that no ``docker image prune`` takes away what an environment runs.
        """
        from docker.errors import BuildError

        from emulator.images.host_pip import proxies

        try:
            client = self._client()
        except NotReady:
            return None
        self._emit(Event(None, "building", f"image of {source.logical_id}"))
        what = f"the image of {source.logical_id}"
        with talking(what):
            try:
                image, _ = client.images.build(
                    path=str(source.context),
                    dockerfile=str(source.context / source.dockerfile),
                    buildargs={**proxies(self._environ), **source.arguments},
                    target=source.target or "",
                    rm=True,
                    forcerm=True,
                )
            except BuildError as error:
                said = [str(line.get("stream") or line.get("error") or "").strip() for line in error.build_log]
                raise ArtifactError(
                    f"{what} can't be built: {error.msg}", details=[line for line in said if line][-_LAST:]
                ) from error
            except OSError as error:  # of a file that it would be built from
                raise ArtifactError(f"{what} can't be built: {error}") from error
            image.tag(f"multistack-function/{source.logical_id.lower()}", image.id.partition(":")[2][:12])
        return str(image.id)

    def _client(self) -> DockerClient:
        return connect(self._environ, allow_remote=False)
