"""What a request asks a stack to become."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlparse

from botocore.exceptions import ClientError
from localstack.aws.api import RequestContext
from localstack.aws.api.cloudformation import InsufficientCapabilitiesException
from localstack.aws.connect import connect_to
from localstack.services.cloudformation.engine import template_preparer
from localstack.services.cloudformation.engine.parameters import resolve_ssm_parameter
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack
from localstack.services.s3.utils import extract_bucket_name_and_key_from_headers_and_path

from multistack_localstack.cloudformation.engine import parameters, template
from multistack_localstack.cloudformation.engine.resource_types import is_known
from multistack_localstack.cloudformation.engine.target import Target
from multistack_localstack.cloudformation.transforms import has_transform, transformed

Request = Mapping[str, Any]

# Characters; a longer one must come from a bucket. Source: AWS CloudFormation quotas, "Template body size".
_BODY_LIMIT = 51_200
_EXPAND = "CAPABILITY_AUTO_EXPAND"


def template_body(context: RequestContext, request: Request, stack: Stack | None) -> str:
    """
    The template of a request: in it, in a bucket, or the one the stack has.

    Raises:
        ValidationError: It isn't given in exactly one of these ways, can't be read, or is too long.
    """
    body, url = request.get("TemplateBody"), request.get("TemplateURL")
    if request.get("UsePreviousTemplate"):
        if stack is None or stack.template_body is None:
            raise ValidationError("UsePreviousTemplate needs a stack that has a template")
        return str(stack.template_body)
    if bool(body) == bool(url):
        raise ValidationError("Specify exactly one of 'TemplateBody' or 'TemplateUrl'")
    if url:
        return _fetched(context, str(url))
    if len(str(body)) > _BODY_LIMIT:
        raise ValidationError(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {_BODY_LIMIT}"
        )
    return str(body)


def _fetched(context: RequestContext, url: str) -> str:
    parsed = urlparse(url)
    if parsed.scheme not in ("http", "https"):
        raise ValidationError(f"S3 error: Domain name specified in {parsed.netloc} is not a valid S3 domain")
    bucket, key = extract_bucket_name_and_key_from_headers_and_path({"host": parsed.netloc}, parsed.path)
    if not bucket or not key:
        raise ValidationError("TemplateURL must be a supported URL.")
    s3 = connect_to(aws_access_key_id=context.account_id, region_name=context.region).s3
    try:
        return str(s3.get_object(Bucket=bucket, Key=unquote(key))["Body"].read().decode())
    except ClientError as error:
        raise ValidationError(f"S3 error: {error.response['Error'].get('Message', error)}") from error
    except UnicodeDecodeError as error:
        raise ValidationError("Template format error: unsupported structure.") from error


def target_of(context: RequestContext, request: Request, stack: Stack, *, body: str) -> Target:
    """
    What *request* asks *stack* to become, as far as it can be said without looking at the stack's resources.

    Raises:
        ValidationError: The template or the parameters are wrong.
        TransformFailed: A transform refused the template.
    """
    original = template_preparer.parse_template(body)
    template.check_form(original)
    given = _parameters(context, request, stack, original)
    made = transformed(stack, original, given)
    template.check(made, is_known=is_known)
    tags = request.get("Tags")
    return Target(
        original=original,
        body=body,
        template=made,
        parameters=given,
        # An update that says nothing of tags keeps them.
        tags=[dict(tag) for tag in (stack.tags if tags is None else tags)],
        capabilities=list(request.get("Capabilities") or []),
    )


def _parameters(context: RequestContext, request: Request, stack: Stack, original: Request) -> Any:
    return parameters.resolve(
        original.get("Parameters") or {},
        request.get("Parameters") or [],
        before=stack.resolved_parameters or {},
        read=lambda name: resolve_ssm_parameter(context.account_id, context.region, name),
    )


def check_capabilities(request: Request, body: str) -> None:
    """
    Refuse a template with transforms from somebody who didn't say that they may be carried out.

    Raises:
        InsufficientCapabilitiesException: They didn't.
    """
    original = template_preparer.parse_template(body)
    if isinstance(original, Mapping) and has_transform(original) and _EXPAND not in (request.get("Capabilities") or []):
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{_EXPAND}]")


def kept(target: Target) -> dict[str, Any]:
    """A target as a change set keeps it until it is executed."""
    return {
        "original": copy.deepcopy(target.original),
        "body": target.body,
        "template": target.template,
        "parameters": dict(target.parameters),
        "tags": target.tags,
        "capabilities": target.capabilities,
    }


def target_from(kept: Mapping[str, Any]) -> Target:
    """The target that :func:`kept` gave."""
    return Target(**kept)
