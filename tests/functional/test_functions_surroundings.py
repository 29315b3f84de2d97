"""What a function finds around it: variables, packages, the context, logging; nothing of the machine's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.functional.emulators import ACCOUNT, REGION, Emulator, archive, running

pytestmark = pytest.mark.embedded("its functions' processes")

_SOURCE = """
import importlib, locale, logging, os, sys, time

def handler(event, context):
    if "import" in event:
        try:
            return getattr(importlib.import_module(event["import"]), "__version__", "there")
        except ImportError:
            return None
    if "sts" in event:
        import boto3
        return boto3.client("sts").get_caller_identity()["Account"]
    if "log" in event:
        logging.getLogger("shop").warning("low on %s", "ü")
        return None
    return {
        "environ": dict(os.environ),
        "context": {
            "name": context.function_name,
            "version": context.function_version,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "request": context.aws_request_id,
            "group": context.log_group_name,
            "stream": context.log_stream_name,
            "left": context.get_remaining_time_in_millis(),
            "identity": context.identity.cognito_identity_id,
            "client": (sent := context.client_context) and [sent.custom, sent.client.app_title],
        },
        "encoding": [sys.stdout.encoding, sys.getfilesystemencoding(), locale.getpreferredencoding()],
        "zone": time.tzname[0],
        "cwd": os.getcwd(),
        "umask": os.umask(0o022),
    }
"""
_EXPECTED = {
    "_HANDLER": "app.handler",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
    "AWS_LAMBDA_FUNCTION_NAME": "around",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/around",
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "TZ": ":UTC",
    "LANG": "en_US.UTF-8",
    "TABLE": "orders",
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator whose own environ has things that are nobody else's business; the function runs in it both ways."""
    secrets = {"GITHUB_TOKEN": "caller's", "PYTHONPATH": "/nowhere"}
    with running(tmp_path_factory.mktemp("around") / "environment", environ=secrets) as emulator:
        own = {"TABLE": "orders", "AWS_REGION": "mars-1", "_HANDLER": "mine"}
        emulator.create("around", _SOURCE, MemorySize=256, Timeout=20, Environment={"Variables": own})
        unforkable = {"Variables": {"PYTHONHASHSEED": "0"}}  # read at an interpreter's start
        emulator.create("started", _SOURCE, Timeout=20, Environment=unforkable)
        yield emulator


def test_reserved_variables_are_aws_s(emulator: Emulator) -> None:
    """They win over the function's own of the same name; the function's others are there."""
    environ = emulator.invoke("around", {}).payload["environ"]
    assert {name: environ.get(name) for name in _EXPECTED} == _EXPECTED
    assert environ["AWS_ENDPOINT_URL"] == emulator.endpoint.url


@pytest.mark.parametrize("name", ["around", "started"])
def test_nothing_of_the_emulator_s_is_there(emulator: Emulator, name: str) -> None:
    """Neither its own settings nor those of whoever started it."""
    environ = emulator.invoke(name, {}).payload["environ"]
    found = [
        key for key in environ if key.startswith(("MINISTACK", "_MINISTACK", "GATEWAY", "STATE_", "IOT_", "GITHUB"))
    ]
    assert found == []
    assert environ.get("PYTHONPATH") is None


@pytest.mark.parametrize("name", ["around", "started"])
def test_the_context_is_aws_s(emulator: Emulator, name: str) -> None:
    """Names, ARN, time left, and the log stream that the lines go to."""
    answer = emulator.invoke(name, {}).payload
    context = answer["context"]
    assert context["name"] == name
    assert context["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    assert (context["version"], context["group"]) == ("$LATEST", f"/aws/lambda/{name}")
    assert context["stream"] == answer["environ"]["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert 15_000 < context["left"] <= 20_000
    assert (context["identity"], context["client"]) == (None, None)
    assert answer["cwd"] == answer["environ"]["LAMBDA_TASK_ROOT"]


@pytest.mark.parametrize("name", ["around", "started"])
def test_text_is_utf8_and_time_is_utc(emulator: Emulator, name: str) -> None:
    """Wherever the machine stands."""
    answer = emulator.invoke(name, {}).payload
    assert [encoding.lower().replace("-", "") for encoding in answer["encoding"]] == ["utf8"] * 3
    assert answer["zone"] == "UTC"


def test_files_of_a_function_are_open_to_others_as_elsewhere(emulator: Emulator) -> None:
    """The emulator keeps its own to its owner; what a function writes has the usual permissions."""
    assert emulator.invoke("around", {}).payload["umask"] == 0o022


def test_the_caller_s_client_context_arrives(emulator: Emulator) -> None:
    """As it was sent with ``Invoke``, for that call alone."""
    sent = base64.b64encode(json.dumps({"custom": {"a": 1}, "client": {"app_title": "shop"}}).encode()).decode()
    assert emulator.invoke("around", {}, ClientContext=sent).payload["context"]["client"] == [{"a": 1}, "shop"]
    assert emulator.invoke("around", {}).payload["context"]["client"] is None


@pytest.mark.parametrize("name", ["around", "started"])
@pytest.mark.parametrize("package", ["boto3", "botocore", "urllib3", "dateutil", "jmespath", "six", "s3transfer"])
def test_the_runtime_s_packages_are_there(emulator: Emulator, name: str, package: str) -> None:
    """Those that AWS's Python runtime has."""
    assert emulator.invoke(name, {"import": package}).payload


@pytest.mark.parametrize("name", ["around", "started"])
@pytest.mark.parametrize("package", ["flask", "click", "pydantic", "ministack", "emulator", "uvicorn", "pip", "yaml"])
def test_no_package_of_multistack_is_there(emulator: Emulator, name: str, package: str) -> None:
    """A function that needs one brings it, as on AWS."""
    assert emulator.invoke(name, {"import": package}).payload is None


def test_a_package_of_the_function_wins(emulator: Emulator) -> None:
    """Over the runtime's own, in its code and in a layer; the function's code over its layers."""
    client = emulator.client("lambda")
    layer = client.publish_layer_version(
        LayerName="pinned",
        Content={
            "ZipFile": archive(
                {
                    "python/boto3/__init__.py": "__version__ = 'layer'",
                    "python/shared.py": "__version__ = 'layer'",
                    "python/lib/python3.11/site-packages/deep.py": "__version__ = 'deep'",
                }
            )
        },
    )["LayerVersionArn"]
    emulator.create("layered", {"app.py": _SOURCE, "shared.py": "__version__ = 'code'"}, Layers=[layer])
    emulator.create("bundled", {"app.py": _SOURCE, "boto3/__init__.py": "__version__ = 'code'"})
    assert emulator.invoke("layered", {"import": "boto3"}).payload == "layer"
    assert emulator.invoke("layered", {"import": "deep"}).payload == "deep"
    assert emulator.invoke("layered", {"import": "shared"}).payload == "code"
    assert emulator.invoke("bundled", {"import": "boto3"}).payload == "code"


def test_a_module_named_as_one_of_the_library_s_wins(emulator: Emulator) -> None:
    """Where nothing has loaded the library's before, as on AWS."""
    emulator.create("shadow", {"app.py": _SOURCE, "xmlrpc.py": "__version__ = 'mine'"})
    assert emulator.invoke("shadow", {"import": "xmlrpc"}).payload == "mine"


@pytest.mark.parametrize("name", ["around", "started"])
def test_the_sdk_reaches_the_emulator(emulator: Emulator, name: str) -> None:
    """With the account's credentials and no setting in the function."""
    assert emulator.invoke(name, {"sts": True}).payload == ACCOUNT


def test_logging_has_aws_s_format(emulator: Emulator) -> None:
    """Level, time, request id and message, between tabs."""
    emulator.invoke("around", {"log": True})
    (line,) = [line for line in emulator.log("around") if "low on" in line]
    level, _time, request, message = line.split("\t")
    assert (level, message) == ("[WARNING]", "low on ü")
    assert any(line.startswith(f"START RequestId: {request}") for line in emulator.log("around"))


def test_logging_can_be_json(emulator: Emulator) -> None:
    """What ``LoggingConfig`` asks for."""
    emulator.create("json", _SOURCE, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    emulator.invoke("json", {"log": True})
    (line,) = [json.loads(line) for line in emulator.log("json") if "low on" in line]
    assert (line["level"], line["message"], line["logger"]) == ("WARNING", "low on ü", "shop")


def test_a_loop_of_functions_is_stopped(emulator: Emulator) -> None:
    """AWS stops a function that calls itself after 16 rounds; each call carries how deep it is."""
    emulator.create(
        "loop",
        """
        import boto3, json
        def handler(event, context):
            answer = boto3.client("lambda").invoke(
                FunctionName=context.function_name, Payload=json.dumps({"round": event["round"] + 1}))
            inner = json.loads(answer["Payload"].read() or b"null")
            return inner if isinstance(inner, int) else event["round"]
        """,
        Timeout=60,
    )
    # The sixteenth fails because its own call is refused; the one before it is the last that answers. In the second
    # round all fifteen processes are warm, and their calls share the event loop's thread.
    for _ in range(2):
        assert emulator.invoke("loop", {"round": 1}).payload == 15
