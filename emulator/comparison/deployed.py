"""What is on record for one environment, ready to be compared: release, artifact, plain template, config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emulator.errors import NotReady
from emulator.expansion import expand
from emulator.history import History
from emulator.model import Artifact, Deployment, Environment, Project
from emulator.release import parameters_of
from emulator.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """
    The current release of one environment.

    Attributes:
        template: Plain, as it was deployed.
    """

    environment: Environment
    deployment: Deployment
    artifact: Artifact
    template: Template

    @property
    def keys(self) -> Sequence[str]:
        """Every key of its config, those of secrets too."""
        return [*self.deployment.release.config, *self.deployment.release.secrets]

    def parameters(self, attribute: str) -> Mapping[str, str]:
        """Parameter to what its template says of it under *attribute*, for those of which it does."""
        declared = self.template.get("Parameters") or {}
        return {name: str(one[attribute]) for name, one in declared.items() if attribute in one}


def deployed(
    project: Project, environment: Environment, history: History, open_artifact: Callable[[str], Artifact]
) -> Deployed:
    """
    What is on record for *environment*; its emulator isn't asked.

    Raises:
        NotReady: Nothing was deployed into it.
        ArtifactError: The artifact is no longer in the store, or was changed.
    """
    current = history.current(environment.name)
    if current is None:
        raise NotReady(f"nothing was deployed into {environment.name} yet", hint=f"multistack up {environment.name}")
    artifact = open_artifact(current.release.digest)
    parameters = parameters_of(artifact, environment.name, current.release)
    template = expand(artifact, parameters, region=environment.region, state=project.state)
    return Deployed(environment=environment, deployment=current, artifact=artifact, template=template)
