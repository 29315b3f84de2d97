"""Calls of functions in a running LocalStack: answers, failures, and what the function finds around it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from running_functions import ACCOUNT, ENDPOINT, REGION, Function, zipped

MakeFunction = Callable[..., Function]


def test_function_answers_with_what_its_handler_returns(make_function: MakeFunction) -> None:
    """The event arrives as it was sent, and the answer leaves as it was returned."""
    function = make_function("def handler(event, context): return {'got': event}")
    assert function.call({"ü": [1, None]}).answer == {"got": {"ü": [1, None]}}


def test_environ_is_awss_and_the_functions_own(make_function: MakeFunction) -> None:
    """Nothing of the container's settings reaches a function."""
    function = make_function(
        "import os\ndef handler(event, context): return dict(os.environ)",
        Environment={"Variables": {"OWN": "value", "PYTHONPATHS": "kept"}},
    )
    environ = function.call().answer
    assert environ["OWN"] == "value"
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == REGION
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == function.name
    assert environ["AWS_ENDPOINT_URL"] == ENDPOINT
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    leaked = {name for name in environ if name.startswith(("LOCALSTACK", "GATEWAY", "MULTISTACK", "_MULTISTACK"))}
    assert leaked | {"LEAKED", "SERVICES", "EDGE_PORT", "VIRTUAL_ENV"} & set(environ) == set()


def test_context_tells_of_the_call(make_function: MakeFunction) -> None:
    """The handler's second argument has the request's id, the function's ARN, and the time that is left."""
    function = make_function(
        """
def handler(event, context):
    return {
        "id": context.aws_request_id, "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "memory": context.memory_limit_in_mb, "custom": getattr(context.client_context, "custom", None),
        "stream": context.log_stream_name,
    }
""",
        timeout=7,
        MemorySize=192,
    )
    found = function.call(ClientContext="eyJjdXN0b20iOiB7ImEiOiAiYiJ9fQ==").answer
    assert found["arn"].startswith(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}")
    assert 5000 < found["left"] <= 7000
    assert found["memory"] == "192"
    assert found["custom"] == {"a": "b"}
    assert "[$LATEST]" in found["stream"]


def test_function_finds_the_sdk_and_nothing_else_of_the_image(make_function: MakeFunction) -> None:
    """What works here must not fail on AWS for lack of a package."""
    function = make_function(
        """
import importlib.util, sys
def handler(event, context):
    return {name: importlib.util.find_spec(name) is not None for name in event}
"""
    )
    names = ["boto3", "botocore", "requests", "yaml", "localstack", "moto", "multistack_localstack", "conversation"]
    found = function.call(names).answer
    assert {name for name, is_there in found.items() if is_there} == {"boto3", "botocore"}


def test_function_calls_the_emulator_as_its_own_account(make_function: MakeFunction) -> None:
    """A client made without any settings reaches this emulator, and the account that the function is of."""
    function = make_function(
        "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Account']"
    )
    assert function.call().answer == ACCOUNT


def test_own_sdk_of_a_function_goes_over_the_images(make_function: MakeFunction) -> None:
    """A function that brings a package of the runtime gets its own."""
    function = make_function(
        "import boto3\ndef handler(event, context): return boto3.mine",
        files={"boto3/__init__.py": "mine = 'of the function'"},
    )
    assert function.call().answer == "of the function"


def test_error_is_awss_description(make_function: MakeFunction) -> None:
    """Type, message and stack of an exception are the answer, and the log has the traceback."""
    function = make_function("def handler(event, context): raise ValueError('no ' + str(event))")
    outcome = function.call(7)
    assert outcome.error == "Unhandled"
    assert outcome.answer["errorType"] == "ValueError"
    assert outcome.answer["errorMessage"] == "no 7"
    assert "main.py" in outcome.answer["stackTrace"][0]
    assert "[ERROR] ValueError: no 7" in outcome.log


def test_timeout_kills_and_the_next_call_starts_anew(make_function: MakeFunction) -> None:
    """A call over its time answers in AWS's words; what it left running is gone; the function can be called again."""
    function = make_function(
        """
import os, subprocess, time
print("init", os.getpid())
def handler(event, context):
    if event == "sleep":
        print("before")
        subprocess.Popen(["sleep", "61"])
        time.sleep(60)
    return os.getpid()
""",
        timeout=1,
    )
    first = function.call().answer
    began = time.monotonic()
    outcome = function.call("sleep")
    assert 1.0 <= time.monotonic() - began < 3.0
    assert outcome.error == "Unhandled"
    assert outcome.answer["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert "before\n" in outcome.log
    assert "Task timed out after 1.00 seconds" in outcome.log
    assert not [one for one in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x0061" in _read(one)]
    again = function.call()
    assert again.error is None
    assert again.answer != first
    assert "Init Duration" in again.log


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        pytest.param("os._exit(0)", "Runtime exited without providing a reason", id="exit 0"),
        pytest.param("os._exit(3)", "Runtime exited with error: exit status 3", id="exit 3"),
        pytest.param("sys.exit(4)", "Runtime exited with error: exit status 4", id="sys.exit"),
        pytest.param("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed", id="killed"),
        pytest.param("os.abort()", "Runtime exited with error: signal: aborted", id="aborted"),
    ],
)
def test_process_that_ends_is_an_exit_error(make_function: MakeFunction, statement: str, told: str) -> None:
    """A function whose process ends in a call fails with Runtime.ExitError, and the next call gets a new process."""
    function = make_function(f"import os, sys\ndef handler(event, context):\n    if event: {statement}\n    return 1")
    outcome = function.call("end")
    assert outcome.answer["errorType"] == "Runtime.ExitError"
    assert outcome.answer["errorMessage"].startswith("RequestId: ")
    assert outcome.answer["errorMessage"].endswith(told)
    assert function.call().answer == 1


@pytest.mark.parametrize(
    ("source", "handler", "kind"),
    [
        pytest.param("import nothing_such", "main.handler", "Runtime.ImportModuleError", id="import"),
        pytest.param("def handler(:", "main.handler", "Runtime.UserCodeSyntaxError", id="syntax"),
        pytest.param("x = 1", "main.handler", "Runtime.HandlerNotFound", id="no handler"),
        pytest.param("raise KeyError('k')", "main.handler", "KeyError", id="exception"),
        pytest.param("import os; os._exit(5)", "main.handler", "Runtime.ExitError", id="exit"),
    ],
)
def test_function_that_cannot_initialize_says_why(
    make_function: MakeFunction, localstack: Path, source: str, handler: str, kind: str
) -> None:
    """A failure before the first event is the answer of the call, and of each after it, by a process of its own."""
    function = make_function(source, handler=handler)
    for _ in range(3):
        outcome = function.call()
        assert outcome.error == "Unhandled"
        assert outcome.answer["errorType"] == kind
    # Nothing reads from what was closed: such a number may be that of another file by now, which then lacks a piece.
    assert "Bad file descriptor" not in localstack.read_text(errors="replace")


def test_eight_calls_at_once_run_beside_each_other(make_function: MakeFunction) -> None:
    """Each call has an execution environment to itself."""
    function = make_function(
        """
import os, time
def handler(event, context):
    time.sleep(1)
    print("call", event)
    return os.getpid()
"""
    )
    function.call("first")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(function.call, range(8)))
    assert time.monotonic() - began < 6.0
    assert len({outcome.answer for outcome in outcomes}) == 8
    for number, outcome in enumerate(outcomes):
        assert f"call {number}\n" in outcome.log
        assert outcome.log.count("call ") == 1


def test_event_and_answer_have_awss_limits(make_function: MakeFunction) -> None:
    """6 MB either way: an answer over it fails the call, an event over it is refused."""
    function = make_function(
        "def handler(event, context): return 'x' * event if isinstance(event, int) else len(event)"
    )
    assert function.call("e" * 6_000_000).answer == 6_000_000
    assert len(function.call(6_000_000).answer) == 6_000_000
    outcome = function.call(6_400_000)
    assert outcome.answer["errorType"] == "Function.ResponseSizeTooLarge"
    assert outcome.answer["errorMessage"].startswith("Response payload size exceeded maximum allowed payload size")
    assert function.call(1).answer == "x"
    with pytest.raises(ClientError) as caught:
        function.call("e" * 6_400_000)
    assert caught.value.response["Error"]["Code"] == "RequestTooLargeException"


def test_layers_are_found(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """Modules of several layers can be imported, a later one's over an earlier one's, and programs are on PATH."""
    functions = client("lambda")
    arns = []
    for number in (1, 2):
        files = {
            f"python/layer{number}.py": f"name = {number}",
            "python/common.py": f"name = {number}",
            f"bin/tool{number}": f"#!/bin/sh\necho tool {number}\n",
        }
        layer = functions.publish_layer_version(LayerName=f"layer-{number}", Content={"ZipFile": zipped(files)})
        arns.append(layer["LayerVersionArn"])
    function = make_function(
        """
import common, layer1, layer2, subprocess
def handler(event, context):
    tools = [subprocess.run([f"tool{n}"], capture_output=True, text=True).stdout.strip() for n in (1, 2)]
    return [common.name, layer1.name, layer2.name, *tools]
""",
        Layers=arns,
    )
    assert function.call().answer == [2, 1, 2, "tool 1", "tool 2"]


def test_wrapper_of_a_layer_starts_the_function(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER names a program of a layer that gets the runtime's command."""
    script = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    layer = client("lambda").publish_layer_version(
        LayerName="wrapping", Content={"ZipFile": zipped({"wrapper": script})}
    )
    function = make_function(
        "import os\ndef handler(event, context): return os.environ['WRAPPED']",
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}},
    )
    assert function.call().answer == "yes"


def test_another_python_runs_on_the_images_and_says_so(make_function: MakeFunction, localstack: Path) -> None:
    """A declared Python of any version runs; the log tells on which, once."""
    for number in range(2):
        function = make_function(
            "import sys\ndef handler(event, context): return sys.version_info[1]", runtime="python3.9"
        )
        assert function.call(number).answer == 13
    assert localstack.read_text().count("python3.9 runs on the image's python3.13") == 1


def test_runtime_that_cannot_run_says_what_to_do(make_function: MakeFunction) -> None:
    """A Node function can be made, and its call names the runtime and both ways out."""
    function = make_function("", runtime="nodejs22.x", handler="index.handler")
    outcome = function.call()
    assert outcome.error == "Unhandled"
    assert "nodejs22.x" in outcome.answer["errorMessage"]
    assert 'image = "localstack/localstack:4.14.0" with lambda = "docker"' in outcome.answer["errorMessage"]
    assert "embedded driver" in outcome.answer["errorMessage"]


def test_new_code_is_served_after_an_update(make_function: MakeFunction) -> None:
    """Processes of former code end."""
    function = make_function("def handler(event, context): return 1")
    assert function.call().answer == 1
    function.client.update_function_code(
        FunctionName=function.name, ZipFile=zipped({"main.py": "def handler(event, context): return 2"})
    )
    function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name, WaiterConfig={"Delay": 1})
    assert function.call().answer == 2


def test_a_call_outlives_an_update(make_function: MakeFunction) -> None:
    """One that runs ends with what it began with; the next one finds the change."""
    function = make_function(
        "import os, time\ndef handler(event, context):\n    time.sleep(event)\n    return os.environ['VALUE']",
        Environment={"Variables": {"VALUE": "old"}},
    )
    assert function.call(0).answer == "old"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(function.call, 2)
        time.sleep(0.5)
        function.client.update_function_configuration(
            FunctionName=function.name, Environment={"Variables": {"VALUE": "new"}}
        )
        function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name, WaiterConfig={"Delay": 1})
        assert (function.call(0).answer, running.done()) == ("new", False)
        assert (running.result().answer, running.result().error) == ("old", None)


def test_weights_of_an_alias_can_be_updated(make_function: MakeFunction) -> None:
    """A canary on an existing alias gets its share of the calls, and gives it back."""
    function = make_function("import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_FUNCTION_VERSION']")
    functions = function.client
    first = functions.publish_version(FunctionName=function.name)["Version"]
    functions.update_function_configuration(FunctionName=function.name, Description="second")
    functions.get_waiter("function_updated_v2").wait(FunctionName=function.name, WaiterConfig={"Delay": 1})
    second = functions.publish_version(FunctionName=function.name)["Version"]
    functions.create_alias(FunctionName=function.name, Name="live", FunctionVersion=first)
    updated = functions.update_alias(
        FunctionName=function.name, Name="live", RoutingConfig={"AdditionalVersionWeights": {second: 0.5}}
    )
    assert updated["RoutingConfig"] == {"AdditionalVersionWeights": {second: 0.5}}
    answers = [function.call(qualifier="live").answer for _ in range(40)]
    assert 5 < answers.count(second) < 35
    functions.update_alias(
        FunctionName=function.name,
        Name="live",
        FunctionVersion=second,
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    assert {function.call(qualifier="live").answer for _ in range(5)} == {second}


def test_process_serves_one_call_after_the_other(make_function: MakeFunction) -> None:
    """A warm call finds what the call before it left in memory."""
    function = make_function(
        "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count"
    )
    assert [function.call().answer for _ in range(3)] == [1, 2, 3]


def test_provisioned_concurrency_starts_before_the_first_call(make_function: MakeFunction) -> None:
    """An environment that is kept ready has initialized as such."""
    function = make_function(
        "import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
    )
    functions = function.client
    version = functions.publish_version(FunctionName=function.name)["Version"]
    functions.put_provisioned_concurrency_config(
        FunctionName=function.name, Qualifier=version, ProvisionedConcurrentExecutions=1
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = functions.get_provisioned_concurrency_config(FunctionName=function.name, Qualifier=version)
        if found["Status"] == "READY":
            break
        time.sleep(0.1)
    assert function.call(qualifier=version).answer == "provisioned-concurrency"


def test_payload_that_is_no_json_is_passed_on_as_an_error(make_function: MakeFunction) -> None:
    """An answer that JSON can't express is the function's error."""
    function = make_function("def handler(event, context): return {1, 2}")
    assert function.call().answer["errorType"] == "Runtime.MarshalError"
    assert json.dumps(function.call().answer)
