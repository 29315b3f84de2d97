"""
Gap: MiniStack 1.5.33 publishes versions that AWS would not, and counts them from 1 again.

On AWS a publisher can name the code hash and the revision it expects; nothing is published while code and
configuration are what the last version has; updating or creating with ``Publish`` publishes as PublishVersion does;
a number is never given twice, not even to a function that was deleted and made again; and ``$LATEST`` can't be deleted.

Source:
    https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html,
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

_INVALID = "InvalidParameterValueException"
# Key of a version's record: what its function looked like when it was published.
_CONTENT = "multistack_content"
# Key in Lambda's saved state: function name to the number that its next version gets at least.
_NUMBERS = "multistack_version_numbers"
# What a function's configuration holds beside what someone configured.
_NOT_CONFIGURED = {"RevisionId", "LastModified", "Version", "FunctionArn", "MasterArn"}
_CFN_TYPE = "AWS::Lambda::Version"


def apply() -> None:
    """Publish, count and delete versions by AWS's rules."""
    _publish_by_the_rules(_remembered_numbers())
    _publish_through_one_door()
    _refuse_in_stacks()
    _keep_latest()


def _content(function: Mapping[str, Any]) -> str:
    """A digest of code and configuration of ``$LATEST``."""
    configured = {
        key: value
        for key, value in function["config"].items()
        if key not in _NOT_CONFIGURED and not key.startswith(("State", "LastUpdateStatus"))
    }
    return hashlib.sha256(json.dumps(configured, sort_keys=True, default=str).encode()).hexdigest()


def _unchanged(function: Mapping[str, Any]) -> Any:
    """The record of the newest version when ``$LATEST`` is still the same, else None."""
    newest = max(function["versions"], key=int, default=None)
    record = function["versions"][newest] if newest else None
    return record if record and record.get(_CONTENT) == _content(function) else None


def _remembered_numbers() -> Any:
    """A store of numbers by function name that is saved and loaded with Lambda's own state."""
    from ministack.core.responses import AccountRegionScopedDict
    from ministack.services import lambda_svc

    numbers = AccountRegionScopedDict()
    save, load, reset = lambda_svc.get_state, lambda_svc.load_persisted_state, lambda_svc.reset

    @functools.wraps(save)
    def save_numbers() -> dict[str, Any]:
        return {**save(), _NUMBERS: copy.deepcopy(numbers)}

    @functools.wraps(load)
    def load_numbers(data: Mapping[str, Any]) -> None:
        load(data)
        numbers.update((data or {}).get(_NUMBERS, {}))

    @functools.wraps(reset)
    def reset_numbers() -> None:
        reset()
        numbers.clear()

    lambda_svc.get_state, lambda_svc.load_persisted_state, lambda_svc.reset = save_numbers, load_numbers, reset_numbers
    return numbers


def _publish_by_the_rules(numbers: Any) -> None:
    from ministack.services import lambda_svc

    publish = lambda_svc._publish_version

    @functools.wraps(publish)
    def publish_by_the_rules(name: str, data: Mapping[str, Any]) -> Any:
        function = lambda_svc._functions.get(name)
        if function is None:
            return publish(name, data)
        refusal = _refusal(function, data)
        if refusal:
            return refusal
        if unchanged := _unchanged(function):
            return lambda_svc.json_response(unchanged["config"], 201)
        function["next_version"] = max(function["next_version"], numbers.get(name, 1))
        answer = publish(name, data)
        numbers[name] = function["next_version"]
        function["versions"][json.loads(answer[2])["Version"]][_CONTENT] = _content(function)
        return answer

    lambda_svc._publish_version = publish_by_the_rules


def _refusal(function: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    from ministack.services import lambda_svc

    wanted, found = data.get("CodeSha256"), function["config"].get("CodeSha256")
    if wanted and wanted != found:
        message = f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({found})."
        return lambda_svc.error_response_json(_INVALID, message, 400)
    # Publishers may leave it out, or send it empty.
    return lambda_svc._check_revision(function["config"], data) if data.get("RevisionId") else None


def _publish_through_one_door() -> None:
    """Creating or updating with ``Publish`` does its own part first, then publishes as PublishVersion does."""
    from ministack.services import lambda_svc

    create, update = lambda_svc._create_function, lambda_svc._update_code

    @functools.wraps(create)
    def create_then_publish(data: Mapping[str, Any]) -> Any:
        answer = create({key: value for key, value in data.items() if key != "Publish"})
        if not data.get("Publish") or answer[0] >= 400:
            return answer
        made = json.loads(answer[2])
        version = json.loads(lambda_svc._publish_version(made["FunctionName"], {})[2])["Version"]
        return lambda_svc.json_response({**made, "Version": version}, answer[0])

    @functools.wraps(update)
    def update_then_publish(name: str, data: Mapping[str, Any]) -> Any:
        answer = update(name, {key: value for key, value in data.items() if key != "Publish"})
        if not data.get("Publish") or answer[0] >= 400:
            return answer
        return answer[:2] + lambda_svc._publish_version(name, {})[2:]

    lambda_svc._create_function, lambda_svc._update_code = create_then_publish, update_then_publish


def _refuse_in_stacks() -> None:
    """A stack's version of an unchanged function fails: two resources would else hold one version."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[_CFN_TYPE]
    provision = handlers["create"]

    @functools.wraps(provision)
    def provision_new(logical_id: str, properties: Mapping[str, Any], stack: str) -> Any:
        function = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))[0]
        if function and (unchanged := _unchanged(function)):
            number = unchanged["config"]["Version"]
            raise ValueError(f"A version for this Lambda function exists ( {number} ).")
        return provision(logical_id, properties, stack)

    handlers["create"] = provision_new


def _keep_latest() -> None:
    from ministack.services import lambda_svc

    delete = lambda_svc._delete_function

    @functools.wraps(delete)
    def delete_but_latest(name: str, query_params: Mapping[str, Any], path_qualifier: str | None = None) -> Any:
        qualifier = lambda_svc._qualifier_from_path_or_query(path_qualifier, query_params)
        if qualifier == "$LATEST" and name in lambda_svc._functions:
            message = "$LATEST version cannot be deleted without deleting the function."
            return lambda_svc.error_response_json(_INVALID, message, 400)
        return delete(name, query_params, path_qualifier)

    lambda_svc._delete_function = delete_but_latest
