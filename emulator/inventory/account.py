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

    def _statements(self, function: str) -> Mapping[str, Any]:
        """Who may call *function* or a qualifier of it, by statement id."""
        found = self.optional(lambda: self.client("lambda").get_policy(FunctionName=function)["Policy"], "{}")
        statements = document(found).get("Statement", [])
        return {one.get("Sid", str(number)): one for number, one in enumerate(statements)}

    def _aliases(self, function: str) -> Mapping[str, Any]:
        """The aliases of *function*, by ARN."""
        pages = self.client("lambda").get_paginator("list_aliases").paginate(FunctionName=function)
        return {one["AliasArn"]: one for page in pages for one in page["Aliases"]}

    def _mappings(self) -> Mapping[str, Any]:
        """All event source mappings, by id."""
        pages = self.client("lambda").get_paginator("list_event_source_mappings").paginate()
        return {one["UUID"]: one for page in pages for one in page["EventSourceMappings"]}

    def _roles(self) -> Mapping[str, Any]:
        """All roles with their policies, by name."""
        pages = self.client("iam").get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
        return {one["RoleName"]: one for page in pages for one in page["RoleDetailList"]}

    def _stages(self, api: str) -> Mapping[str, Any]:
        """The stages of a REST API, by name."""
        found = self.client("apigateway").get_stages(restApiId=api).get("item") or []
        return {one["stageName"]: one for one in found}
