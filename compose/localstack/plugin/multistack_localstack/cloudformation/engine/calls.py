"""
One resource made, changed or deleted by LocalStack's resource providers, to its end.

LocalStack takes an update that a provider doesn't know for a success, and one that finds its resource gone as well.
Here both fail: what a stack says it did, it did.
"""

from __future__ import annotations

import copy
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from localstack import config
from localstack.aws.connect import ServiceLevelClientFactory
from localstack.constants import INTERNAL_AWS_SECRET_ACCESS_KEY
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
    _cfn_resource_client_factory,
)

from multistack_localstack.cloudformation.engine.intrinsics import Place
from multistack_localstack.cloudformation.engine.resource_types import provider_for
from multistack_localstack.cloudformation.resources import PUT_ALL

LOG = logging.getLogger(__name__)

Model = dict[str, Any]

# Seconds between two looks at a resource that isn't ready; longer each time.
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.5
_GONE = {"404", "QueueDoesNotExist"}


class ResourceFailed(Exception):
    """
    A resource couldn't be made, changed or deleted.

    Attributes:
        reason: What the service said.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls resource providers for one stack."""

    place: Place

    def create(self, kind: str, logical_id: str, desired: Mapping[str, Any]) -> Model:
        """
        Make a resource.

        Returns:
            Its properties, with those that only the resource itself knows.

        Raises:
            ResourceFailed: It couldn't be made, or not as asked.
        """
        provider = _provider(kind)
        return self._run(provider.create, self._request(kind, logical_id, "Add", desired, None))

    def update(
        self,
        kind: str,
        logical_id: str,
        desired: Mapping[str, Any],
        before: Mapping[str, Any],
        *,
        put_all: bool = False,
    ) -> Model:
        """
        Change a resource where it is.

        Args:
            before: Its properties as :meth:`create` or :meth:`update` returned them last.
            put_all: Whether the resource may differ from *before*: an update of it broke off.

        Raises:
            ResourceFailed: It couldn't be changed, or LocalStack doesn't know how.
        """
        provider = _provider(kind)
        request = self._request(kind, logical_id, "Modify", desired, before)
        request.custom_context[PUT_ALL] = put_all
        try:
            return self._run(provider.update, request)
        except NotImplementedError as error:
            raise ResourceFailed(
                f"LocalStack can't update resources of type {kind}; another logical id replaces the resource"
            ) from error

    def delete(self, kind: str, logical_id: str, model: Mapping[str, Any]) -> None:
        """
        Delete a resource; one that is gone already is as good.

        Raises:
            ResourceFailed: It couldn't be deleted.
        """
        provider = _provider(kind)
        try:
            self._run(provider.delete, self._request(kind, logical_id, "Remove", model, model))
        except ResourceFailed as error:
            if not _says_gone(error.__cause__):
                raise

    def read(self, kind: str, logical_id: str, model: Mapping[str, Any]) -> Model | None:
        """
        The properties that a resource really has; None when it is gone.

        Raises:
            NotImplementedError: Nobody knows how to read resources of the type *kind*.
        """
        provider = _provider(kind)
        try:
            event = provider.read(self._request(kind, logical_id, "Read", model, model))
        except ClientError as error:
            if _says_gone(error):
                return None
            raise
        return dict(event.resource_model or {}) if event.status is OperationStatus.SUCCESS else None

    def _request(
        self, kind: str, logical_id: str, action: str, desired: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> ResourceRequest[Any]:
        # Providers write into what they are given.
        wanted: Model = copy.deepcopy(dict(desired))
        return ResourceRequest(
            _original_payload=wanted,
            aws_client_factory=clients(self.place),
            request_token=str(uuid.uuid4()),
            stack_name=self.place.stack_name,
            stack_id=self.place.stack_id,
            account_id=self.place.account_id,
            region_name=self.place.region,
            action=action,
            desired_state=wanted,
            logical_resource_id=logical_id,
            resource_type=kind,
            logger=LOG,
            previous_state=None if before is None else copy.deepcopy(dict(before)),
        )

    def _run(self, act: Callable[[ResourceRequest[Any]], ProgressEvent[Any]], request: ResourceRequest[Any]) -> Model:
        deadline = time.monotonic() + config.CFN_PER_RESOURCE_TIMEOUT
        wait = _FIRST_WAIT
        while True:
            try:
                event = act(request)
            except NotImplementedError:
                raise
            # Whatever a provider stumbles over is the end of this resource, not of the deployment's thread.
            except Exception as error:
                LOG.debug("%s of %s failed", request.action, request.logical_resource_id, exc_info=True)
                raise ResourceFailed(reason_of(error)) from error
            if event.status is OperationStatus.SUCCESS:
                return dict(event.resource_model or {})
            if event.status is OperationStatus.FAILED:
                raise ResourceFailed(event.message or "the resource handler gave no reason")
            if time.monotonic() >= deadline:
                raise ResourceFailed(f"Exceeded attempts to wait ({config.CFN_PER_RESOURCE_TIMEOUT} s)")
            request.custom_context.update(event.custom_context)
            request.desired_state = event.resource_model
            time.sleep(wait)
            wait = min(1.5 * wait, _LONGEST_WAIT)


def clients(place: Place) -> ServiceLevelClientFactory:
    """boto3 clients for the services of a stack's account and region, which take numbers written as text."""
    return _cfn_resource_client_factory(
        aws_access_key_id=place.account_id,
        aws_secret_access_key=INTERNAL_AWS_SECRET_ACCESS_KEY,
        aws_session_token="",
        region_name=place.region,
    )


def _provider(kind: str) -> ResourceProvider[Any]:
    provider = provider_for(kind)
    if provider is None:
        raise ResourceFailed(f"LocalStack doesn't know resources of type {kind}")
    return provider


def reason_of(error: BaseException) -> str:
    """An error as a stack event's reason."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return f"{said.get('Message') or error} (Service: {error.operation_name}, Error code: {said.get('Code')})"
    return str(getattr(error, "message", "") or error) or type(error).__name__


def _says_gone(error: BaseException | None) -> bool:
    if not isinstance(error, ClientError):
        return False
    code = str(error.response.get("Error", {}).get("Code", ""))
    return "NotFound" in code or "NoSuch" in code or "DoesNotExist" in code or "NonExistent" in code or code in _GONE
