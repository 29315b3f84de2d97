"""Whoever makes the mistakes: types commands, either at emulators or only to show them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.endpoint import client
from emulator.lab.code import Package, zip_of
from emulator.lab.topologies import Place

_ZIP = "orders.zip"


@dataclass(frozen=True, slots=True)
class Typed:
    """
    A command, as a person would type it.

    Attributes:
        line: E.g. ``aws lambda update-alias --function-name orders …``.
        answer: Why it was refused; empty when it was carried out.
    """

    line: str
    answer: str = ""


class Unknown(str):
    """What a call would answer if it were made: its parts are named and stand for themselves."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Unknown:
        """Whatever is asked for."""
        return Unknown(f"<{key}>")

    def keys(self) -> tuple[str, ...]:
        """None: it can be unpacked into another mapping."""
        return ()


# Makes a call: the account's place, service, operation, parameters; to its answer.
Perform = Callable[[Place, str, str, Mapping[str, Any]], Any]


def perform(place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
    """Make a call at the emulator of a place."""
    return getattr(client(place.endpoint, service), operation)(**parameters)


def only_show(_place: Place, _service: str, operation: str, _parameters: Mapping[str, Any]) -> Any:
    """Make no call."""
    return Unknown(f"<{operation}>")


class Operator:
    """
    Works on the environments of one topology; means to touch test.

    Attributes:
        places: Environment name to place.
        typed: All commands so far.
        findings: What was found of harm that no request to prod shows.
        doubts: Why what prod saw proves nothing: the mistake did not do what it should.
    """

    def __init__(self, places: Mapping[str, Place], *, perform: Perform = perform) -> None:
        self.places = places
        self.typed: list[Typed] = []
        self.findings: list[str] = []
        self.doubts: list[str] = []
        self._perform = perform

    @property
    def test(self) -> Place:
        """The environment that is meant."""
        return self.places["test"]

    @property
    def prod(self) -> Place:
        """The one that must not be hurt."""
        return self.places["prod"]

    def aws(self, service: str, operation: str, *, at: Place | None = None, **parameters: Any) -> Any:
        """
        Make an AWS call, named as boto3 names it, in the account of *at* (default: test's).

        Raises:
            ClientError: It is refused.
        """
        self.typed.append(Typed(shown(service, operation, parameters)))
        return self._perform(at or self.test, service, operation, parameters)

    def tries(self, service: str, operation: str, *, at: Place | None = None, **parameters: Any) -> None:
        """Make an AWS call that may well be refused: the mistake is to have typed it."""
        from botocore.exceptions import ClientError

        try:
            self.aws(service, operation, at=at, **parameters)
        except ClientError as error:
            told = error.response["Error"]
            self.typed[-1] = Typed(self.typed[-1].line, f"{told['Code']}: {told.get('Message', '')}".strip(": "))

    def is_refused(self, service: str, operation: str, *, at: Place | None = None, **parameters: Any) -> None:
        """Make an AWS call that AWS refuses, which is what keeps prod from it; one that is carried out is a doubt."""
        self.tries(service, operation, at=at, **parameters)
        last = self.typed[-1]
        self.doubt(f"carried out, though AWS refuses it: {last.line}", when=not last.answer)

    def does(self, line: str, work: Callable[[], Any], *, stands_for: str = "answer") -> Any:
        """
        Do what is no single AWS call, told as *line*.

        Args:
            stands_for: What the :class:`Unknown` is called that is the answer when it is only shown and not done.
        """
        self.typed.append(Typed(line))
        return Unknown(f"<{stands_for}>") if self._perform is only_show else work()

    def upload(self, package: Package, *, at: Place | None = None) -> None:
        """Change the code of the function's ``$LATEST``."""
        place = at or self.test
        self.aws("lambda", "update_function_code", at=place, FunctionName=place.function, ZipFile=zip_of(package))
        self._settle(place)

    def publish(self, package: Package, *, at: Place | None = None) -> str:
        """Upload a package and publish it as a version; its number."""
        place = at or self.test
        self.upload(package, at=place)
        return str(self.aws("lambda", "publish_version", at=place, FunctionName=place.function)["Version"])

    def configure(self, *, at: Place | None = None, **configuration: Any) -> None:
        """Change the configuration of the function's ``$LATEST``."""
        place = at or self.test
        self.aws("lambda", "update_function_configuration", at=place, FunctionName=place.function, **configuration)
        self._settle(place)

    def variables(self, *, at: Place | None = None) -> Mapping[str, str]:
        """The environment variables of the function's ``$LATEST``."""
        place = at or self.test
        found = self.aws("lambda", "get_function_configuration", at=place, FunctionName=place.function)
        return {**found["Environment"]["Variables"]}

    def edit_variable(self, stage: str, name: str, value: str | None, *, is_refused: bool = False) -> None:
        """
        Set a stage variable of the API that test is served by, or remove it with None.

        Args:
            is_refused: AWS refuses it, see :meth:`is_refused`.
        """
        path = {"path": f"/variables/{name}"}
        edits = [{"op": "remove", **path} if value is None else {"op": "replace", **path, "value": value}]
        call = self.is_refused if is_refused else self.aws
        call("apigateway", "update_stage", restApiId=self.test.api, stageName=stage, patchOperations=edits)

    def finds(self, text: str, *, when: bool) -> None:
        """Put on record that prod was hurt in a way that no request to it shows, if it was."""
        if when and self._perform is not only_show:
            self.findings.append(text)

    def doubt(self, text: str, *, when: bool) -> None:
        """Put on record that the mistake did not do what it should, if it did not."""
        if when and self._perform is not only_show:
            self.doubts.append(text)

    def _settle(self, place: Place) -> None:
        """AWS takes the next change only once it is through with this one."""
        if self._perform is only_show:
            return
        waiter = client(place.endpoint, "lambda").get_waiter("function_updated_v2")
        waiter.wait(FunctionName=place.function, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})


def shown(service: str, operation: str, parameters: Mapping[str, Any]) -> str:
    """A call as a line for AWS's own command."""
    from botocore import xform_name

    words = ["aws", service, operation.replace("_", "-")]
    for name, value in parameters.items():
        option = xform_name(name, "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", _shown_value(value)]
    return " ".join(words)


def _shown_value(value: Any) -> str:
    if isinstance(value, bytes):
        return f"fileb://{_ZIP}"
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))
