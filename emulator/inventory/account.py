"""What readers of resources share: clients, and answers that several of them need."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from emulator.endpoint import client
from emulator.inventory.hiding import Hiding
from emulator.model import Endpoint

_ABSENT = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")


def is_absent(error: Any) -> bool:
    """Whether a ClientError says that what was asked for is not there."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code == "404" or any(word in code for word in _ABSENT)


def tags_in(tags: Sequence[Mapping[str, str]] | Mapping[str, str]) -> Mapping[str, str]:
    """Tags as a map, without those that CloudFormation sets by itself."""
    listed = tags if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}
    return {key: value for key, value in listed.items() if not key.startswith("aws:")}


def document(text: Any) -> Any:
    """A policy, or other JSON, that an API gives as text."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def given(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what is empty: emulators differ in whether they show it."""
    return {key: value for key, value in properties.items() if value not in (None, "", [], {})}


class Account:
    """
    One environment while its resources are read.

    Args:
        of_type: Type to the physical ids that the stack has of it.
    """

    def __init__(self, endpoint: Endpoint, hiding: Hiding, of_type: Mapping[str, Collection[str]]) -> None:
        self.hiding = hiding
        self._endpoint = endpoint
        self._of_type = of_type
        # Answers are shared; asked for twice at once is only asked for once too often.
        self.statements = functools.cache(self._statements)
        self.aliases = functools.cache(self._aliases)
        self.mappings = functools.cache(self._mappings)
        self.roles = functools.cache(self._roles)
        self.stages = functools.cache(self._stages)

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return client(self._endpoint, service)

    def in_stack(self, kind: str) -> Collection[str]:
        """Physical ids of the stack's resources of type *kind*."""
        return self._of_type.get(kind, ())

    def optional(self, call: Callable[[], Any], default: Any) -> Any:
        """What *call* answers, or *default* when there is no such thing, or the emulator doesn't know the call."""
        from botocore.exceptions import ClientError

        try:
            return call()
        except ClientError:
            return default

    def all_of(self, call: Callable[..., Any], listed: str, *, next_as: str, next_in: str) -> Sequence[Any]:
        """
        Every page of *call*; boto3's paginators would first load descriptions of their own.

        Args:
            listed: Key of a page's entries.
            next_as: Argument that asks for the next page.
            next_in: Key of what to give it; a page without it is the last.
        """
        page = call()
        found = list(page.get(listed) or ())
        while token := page.get(next_in):
            page = call(**{next_as: token})
            found += page.get(listed) or ()
        return found

    def _statements(self, function: str) -> Mapping[str, Any]:
        """Who may call *function* or a qualifier of it, by statement id."""
        found = self.optional(lambda: self.client("lambda").get_policy(FunctionName=function)["Policy"], "{}")
        statements = document(found).get("Statement", [])
        return {one.get("Sid", str(number)): one for number, one in enumerate(statements)}

    def _aliases(self, function: str) -> Mapping[str, Any]:
        """The aliases of *function*, by ARN."""
        call = functools.partial(self.client("lambda").list_aliases, FunctionName=function)
        return {one["AliasArn"]: one for one in self.all_of(call, "Aliases", next_as="Marker", next_in="NextMarker")}

    def _mappings(self) -> Mapping[str, Any]:
        """All event source mappings, by id."""
        call = self.client("lambda").list_event_source_mappings
        found = self.all_of(call, "EventSourceMappings", next_as="Marker", next_in="NextMarker")
        return {one["UUID"]: one for one in found}

    def _roles(self) -> Mapping[str, Any]:
        """All roles with their policies, by name."""
        call = functools.partial(self.client("iam").get_account_authorization_details, Filter=["Role"])
        found = self.all_of(call, "RoleDetailList", next_as="Marker", next_in="Marker")
        return {one["RoleName"]: one for one in found}

    def _stages(self, api: str) -> Mapping[str, Any]:
        """The stages of a REST API, by name."""
        found = self.client("apigateway").get_stages(restApiId=api).get("item") or []
        return {one["stageName"]: one for one in found}
