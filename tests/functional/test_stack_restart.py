"""Stacks across a restart of their emulator: what failed stays failed, what was in progress fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import process
from tests.conformance.account import eventually
from tests.functional.emulators import ACCOUNT, Emulator, running

pytestmark = pytest.mark.embedded("its additions to MiniStack")

_DURABLE = {"PERSIST_STATE": "1"}
_CODE = "def handler(event, context):\n    return {text!r}\n"


def _template(says: str, **more: Any) -> str:
    function = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/any",
        "Description": says,
        "Code": {"ZipFile": _CODE.format(text=says)},
    }
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": says}}
    resources = {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}, "Secret": secret, **more}
    return json.dumps({"Resources": resources, "Outputs": {"Secret": {"Value": {"Ref": "Secret"}}}})


def _stack(emulator: Emulator, is_wanted: Callable[[str], bool]) -> Any:
    return eventually(
        lambda: emulator.client("cloudformation").describe_stacks(StackName="s")["Stacks"][0],
        lambda stack: is_wanted(stack["StackStatus"]),
        timeout=20,
    )


def _settled(emulator: Emulator) -> Any:
    return _stack(emulator, lambda status: not status.endswith("_IN_PROGRESS"))


def test_a_stuck_stack_is_still_stuck_and_can_be_continued(tmp_path: Path) -> None:
    """UPDATE_ROLLBACK_FAILED and what it needs to go on survive; so does the secret that is known by its ARN."""
    with running(tmp_path, environ=_DURABLE) as emulator:
        aws = emulator.client("cloudformation")
        aws.create_stack(StackName="s", TemplateBody=_template("one"))
        secret = _settled(emulator)["Outputs"][0]["OutputValue"]
        found = aws.describe_stack_resource(StackName="s", LogicalResourceId="Function")
        emulator.client("lambda").delete_function(FunctionName=found["StackResourceDetail"]["PhysicalResourceId"])
        aws.update_stack(StackName="s", TemplateBody=_template("two"))
        assert _settled(emulator)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    with running(tmp_path, environ=_DURABLE) as emulator:
        aws = emulator.client("cloudformation")
        assert _settled(emulator)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
        aws.continue_update_rollback(StackName="s", ResourcesToSkip=["Function"])
        assert _settled(emulator)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        without = json.loads(_template("three"))
        del without["Resources"]["Function"]
        aws.update_stack(StackName="s", TemplateBody=json.dumps(without))
        assert _settled(emulator)["StackStatus"] == "UPDATE_COMPLETE"
        value = emulator.client("secretsmanager").get_secret_value(SecretId=secret)
        assert value["SecretString"] == "three"


def test_what_was_in_progress_has_failed(tmp_path: Path) -> None:
    """An update that the emulator's end cut off has failed, and the stack can be planned and updated again."""
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    waits = {"Handle": {"Ref": "Handle"}, "Timeout": "600", "Count": 1}
    waiting = {"Handle": handle, "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": waits}}
    with running(tmp_path, environ=_DURABLE) as emulator:
        aws = emulator.client("cloudformation")
        aws.create_stack(StackName="s", TemplateBody=_template("one"))
        _settled(emulator)
        aws.update_stack(StackName="s", TemplateBody=_template("two", **waiting))
        assert _stack(emulator, lambda status: status == "UPDATE_IN_PROGRESS")["StackStatus"] == "UPDATE_IN_PROGRESS"
        # It has a thread that waits on, so it doesn't end by itself.
        process.stop(emulator.folder, grace=2)
    with running(tmp_path, environ=_DURABLE) as emulator:
        aws = emulator.client("cloudformation")
        assert _settled(emulator)["StackStatus"] == "UPDATE_FAILED"
        aws.create_change_set(StackName="s", ChangeSetName="again", TemplateBody=_template("two"))
        aws.execute_change_set(StackName="s", ChangeSetName="again")
        assert _settled(emulator)["StackStatus"] == "UPDATE_COMPLETE"
