"""The gaps that ``custom_resources`` and ``inline_modules`` fill."""

from __future__ import annotations

import io
import threading
import zipfile
from typing import Any

import pytest
from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource, provisioners

from emulator.drivers.launcher.gaps import custom_resources, inline_modules


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a custom resource by a function whose calls end with what is given."""

    def made(result: Any) -> Any:
        record = {"config": {"FunctionName": "maker"}}
        monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda _: (record, record["config"], "maker"))
        monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda *_: record)
        monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", lambda *_: result)
        monkeypatch.setattr(custom_resource, "register_token", custom_resource.register_token)
        custom_resources.apply()
        properties = {"ServiceToken": "maker", "ServiceTimeout": "1"}
        return custom_resource.invoke_custom_resource("Create", "Thing", properties, "shop", "id", "Custom::Thing")

    return made


def test_a_stack_fails_with_what_the_function_of_a_custom_resource_said(ask: Any) -> None:
    """On AWS it waits for an hour."""
    with pytest.raises(RuntimeError, match=r"^maker failed and gave no answer: No module named 'crhelper'$"):
        ask({"error": True, "body": {"errorType": "ImportModuleError", "errorMessage": "No module named 'crhelper'"}})


def test_a_function_that_returned_may_still_answer(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have asked another one to."""
    register = custom_resource.register_token

    def answered_later(token: str) -> threading.Event:
        event = register(token)
        answer = {"Status": "SUCCESS", "PhysicalResourceId": "p", "Data": {"a": "b"}}
        threading.Timer(0.01, custom_resource.deliver_response, (token, answer)).start()
        return event

    monkeypatch.setattr(custom_resource, "register_token", answered_later)
    assert ask({"body": None}) == ("p", {"a": "b"})


def test_the_first_answer_for_a_custom_resource_counts(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may fail after it, or run out of time."""
    register = custom_resource.register_token

    def answered(token: str) -> threading.Event:
        event = register(token)
        custom_resource.deliver_response(token, {"Status": "SUCCESS", "PhysicalResourceId": "p"})
        return event

    monkeypatch.setattr(custom_resource, "register_token", answered)
    assert ask({"error": True, "body": {"errorMessage": "Task timed out after 3.00 seconds"}}) == ("p", {})


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        pytest.param("python3.12", {"index.py", "cfnresponse.py"}, id="Python"),
        pytest.param("nodejs22.x", {"index.js", "node_modules/cfn-response/index.js"}, id="Node"),
        pytest.param("ruby3.4", {"index.py"}, id="other"),
    ],
)
def test_inline_functions_have_what_answers_for_custom_resources(
    monkeypatch: pytest.MonkeyPatch, runtime: str, expected: set[str]
) -> None:
    """Beside their own code."""
    monkeypatch.setattr(provisioners, "_zip_inline", provisioners._zip_inline)
    inline_modules.apply()
    assert provisioners._zip_inline(None, "index.handler", runtime) is None
    archive = provisioners._zip_inline("code", "index.handler", runtime)
    assert set(zipfile.ZipFile(io.BytesIO(archive)).namelist()) == expected
