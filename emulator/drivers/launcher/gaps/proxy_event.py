"""
Gap: the event of a REST API's function lacks fields in MiniStack 1.5.33, and its header names are in lower case.

On AWS names are as the caller wrote them, every field of ``identity`` is there, if only as null, and the request says
which domain, deployment and protocol it came through. ``version`` belongs to HTTP APIs only.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from emulator.drivers.launcher.header_names import as_written

_IDENTITY = dict.fromkeys(
    (
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "sourceIp",
        "user",
        "userAgent",
        "userArn",
    )
)


def apply() -> None:
    """Complete the event."""
    from ministack.core.responses import get_region
    from ministack.services import apigateway_v1 as v1

    build = v1._build_lambda_event_v1

    @functools.wraps(build)
    def complete(api_id: str, stage_name: str, stage: Mapping[str, Any], *rest: Any, **more: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(api_id, stage_name, stage, *rest, **more)
        event.pop("version", None)
        event["headers"] = as_written(event["headers"])
        event["multiValueHeaders"] = as_written(event["multiValueHeaders"])
        context = event["requestContext"]
        context["identity"] = {**_IDENTITY, **context["identity"]}
        context["domainName"] = f"{api_id}.execute-api.{get_region()}.amazonaws.com"
        context["domainPrefix"] = api_id
        context["deploymentId"] = stage.get("deploymentId")
        return event

    v1._build_lambda_event_v1 = complete
