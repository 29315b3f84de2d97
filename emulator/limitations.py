"""What an emulator can't do of a template, resource by resource: told before anything is deployed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.closest import LEAVE_OUT, closest_to, inert, is_bystander
from emulator.errors import DeployError
from emulator.events import Emit, Event
from emulator.guards import lacking
from emulator.image_code import no_image
from emulator.model import DriverName, Environment
from emulator.references import without
from emulator.shortfalls import shortfalls
from emulator.template import Template

_FUNCTION = "AWS::Lambda::Function"
_LAYER = ":layer:"
# Of mappings whose source is a broker or a database. Source: CloudFormation, AWS::Lambda::EventSourceMapping.
_BROKERS = frozenset(
    {
        "AmazonManagedKafkaEventSourceConfig",
        "DocumentDBEventSourceConfig",
        "Queues",
        "SelfManagedEventSource",
        "SelfManagedKafkaEventSourceConfig",
        "Topics",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limitation:
    """
    One resource that won't be here what it is on AWS.

    Attributes:
        lacks: What it can't do, as a clause.
        closest: What to do instead.
        is_refused: It can't be deployed at all.
    """

    logical_id: str
    type: str
    lacks: str
    closest: str
    is_refused: bool = False

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.type}): {self.lacks}; closest: {self.closest}"


class Unsupported(DeployError):
    """
    Resources that an emulator can't deploy.

    Attributes:
        resources: Their logical ids.
        types: Of these, each once.
    """

    def __init__(self, environment: str, found: Sequence[Limitation]) -> None:
        self.types = sorted({one.type for one in found})
        super().__init__(
            f"environment {environment}: its emulator can't deploy {', '.join(self.types)}",
            hint=f"deploy the rest with `multistack deploy {environment} --skip-unsupported`",
            details=[str(one) for one in found],
        )
        self.resources = tuple(one.logical_id for one in found)


class LimitCheck:
    """
    What a deployment asks before it touches anything.

    Args:
        environments: By name.
        image_fault: Why no function can run an image, as a clause; None when one can.
    """

    def __init__(
        self,
        environments: Mapping[str, Environment],
        *,
        emit: Emit,
        image_fault: Callable[[str | None], str | None] = no_image,
    ) -> None:
        self._environments = environments
        self._image_fault = image_fault
        self._emit = emit
        self._told: dict[str, str] = {}

    def __call__(self, environment: str, template: Template) -> list[Limitation]:
        """The resources that can't be deployed; those that do less than on AWS are told, each once."""
        found = list(limitations(template, self._environments[environment], image_fault=self._image_fault))
        for one in found:
            if not one.is_refused and self._told.setdefault(str(one), environment) == environment:
                self._emit(Event(environment, "warning:", str(one)))
        return [one for one in found if one.is_refused]


def of_types(template: Template, types: Collection[str]) -> list[Limitation]:
    """The resources of types that an emulator said it does not know."""
    return [
        Limitation(
            logical_id=logical_id,
            type=resource["Type"],
            lacks="the emulator does not know it",
            closest=closest_to(resource["Type"]),
            is_refused=True,
        )
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] in types
    ]


def left_of(
    template: Template,
    environment: str,
    refused: Sequence[Limitation],
    *,
    skips: bool,
    ask: Callable[[], object] = lambda: None,
) -> tuple[Template, Sequence[str]]:
    """
    *template* without what can't be deployed.

    Args:
        skips: Whether somebody asked for that. Bystanders are left out without being asked, if nothing else needs them.
        ask: Has the emulator raise what it doesn't know, so that all that stands in the way is told at once.

    Returns:
        The smaller template, and what was left out.

    Raises:
        Unsupported: Nobody did.
        DeployError: Nothing would be left.
    """
    if not refused:
        return template, ()
    smaller, skipped = without(template, [one.logical_id for one in refused])
    gone = template["Resources"].keys() - smaller["Resources"].keys()
    if not skips and not all(is_bystander(template["Resources"][name]["Type"]) for name in gone):
        raise Unsupported(environment, _with_unknown(template, refused, ask))
    if not smaller["Resources"]:
        raise DeployError(f"environment {environment}: nothing is left to deploy", details=skipped)
    return smaller, skipped


def _with_unknown(template: Template, refused: Sequence[Limitation], ask: Callable[[], object]) -> Sequence[Limitation]:
    try:
        ask()
    except Unsupported as error:
        told = {one.logical_id for one in refused}
        return [*refused, *(one for one in of_types(template, error.types) if one.logical_id not in told)]
    except DeployError:
        pass  # it has another reason, which is told when nothing of this is left
    return refused


def limitations(
    template: Template, environment: Environment, *, image_fault: Callable[[str | None], str | None] = no_image
) -> Iterator[Limitation]:
    """
    Everything about a plain *template* that is known without asking the emulator of *environment*.

    Args:
        image_fault: See :class:`LimitCheck`.
    """
    for logical_id, resource in template["Resources"].items():
        kind, properties = resource["Type"], resource.get("Properties") or {}
        told = [*_of(kind, properties, environment, image_fault), *_short(kind, properties, environment, template)]
        for lacks, closest, is_refused in told:
            yield Limitation(logical_id=logical_id, type=kind, lacks=lacks, closest=closest, is_refused=is_refused)


def _short(
    kind: str, properties: Mapping[str, Any], environment: Environment, template: Template
) -> Iterator[tuple[str, str, bool]]:
    if environment.driver in (DriverName.EMBEDDED, DriverName.SWARM):
        yield from ((lacks, closest, False) for lacks, closest in shortfalls(kind, properties, template))


def _of(
    kind: str, properties: Mapping[str, Any], environment: Environment, image_fault: Callable[[str | None], str | None]
) -> Iterator[tuple[str, str, bool]]:
    if environment.driver is DriverName.EXTERNAL:
        return
    if kind == _FUNCTION:
        yield from _of_function(properties, environment)
        yield from _of_image(properties, environment, image_fault)
    if kind == "AWS::Lambda::EventSourceMapping" and _BROKERS & properties.keys():
        lacks = "nothing comes of it: only SQS, Kinesis and streams of DynamoDB reach functions"
        yield lacks, "`multistack invoke` with its event, or a queue", False
    location = properties.get("TemplateURL")
    if kind == "AWS::CloudFormation::Stack" and isinstance(location, dict) and "ApplicationId" in location:
        copy = "download its template and name that as Location"
        yield "it is in AWS's Serverless Application Repository only", f"{copy}, or {LEAVE_OUT}", True
    yield from lacking(kind, properties, environment)
    if environment.driver in (DriverName.EMBEDDED, DriverName.SWARM) and (found := inert(kind)) is not None:
        yield found.lacks, found.closest, False


def _of_function(properties: Mapping[str, Any], environment: Environment) -> Iterator[tuple[str, str, bool]]:
    if properties.get("FileSystemConfigs"):
        yield "its file system is not mounted", "an AWS::S3::Bucket", False
    layers = properties.get("Layers")
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, str) and _LAYER in layer and f":{environment.account_id}{_LAYER}" not in layer:
            name = layer.partition(_LAYER)[2]
            yield f"layer {name} is on AWS only", "its packages in requirements.txt, or in a layer of your own", False


def _of_image(
    properties: Mapping[str, Any], environment: Environment, image_fault: Callable[[str | None], str | None]
) -> Iterator[tuple[str, str, bool]]:
    code = properties.get("Code")
    uri = code.get("ImageUri") if isinstance(code, dict) else None
    if uri is None and properties.get("PackageType") != "Image":
        return
    if environment.driver is DriverName.LOCALSTACK:
        closest = f'driver = "embedded", whose functions run in the Docker engine; or {LEAVE_OUT}'
        yield "LocalStack runs container images in its Pro version only", closest, True
    elif environment.driver is DriverName.SWARM:
        closest = f'driver = "embedded", whose functions run in the Docker engine; or {LEAVE_OUT}'
        yield "no node gives an environment its Docker engine, which container images need", closest, True
    elif uri is None:
        yield "it is a container image, and none is named", f"ImageUri; or {LEAVE_OUT}", True
    # What a template's function makes of a name is known when it is called.
    elif (fault := image_fault(uri if isinstance(uri, str) else None)) is not None:
        yield fault, f"build it again where an engine has what it needs; or {LEAVE_OUT}", True
