"""Functions behind a WebSocket API run as all others do: side by side, and with a log."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Request, TextMessage
from wsproto.events import Event as WsEvent

from tests.functional.emulators import ACCOUNT, REGION, Emulator, running

pytestmark = pytest.mark.embedded("no WebSocket APIs in LocalStack's open source")

_SOURCE = """
import boto3, json

def handler(event, context):
    if "said" in event:
        return event["said"]
    if event["requestContext"]["eventType"] != "MESSAGE":
        return {"statusCode": 200}
    print("message", event["body"])
    answer = boto3.client("lambda").invoke(
        FunctionName=context.function_name, Payload=json.dumps({"said": event["body"]}))
    return {"statusCode": 200, "body": json.loads(answer["Payload"].read())}
"""
# Less than the function may take: a call that waits for its own process would wait that long.
_SECONDS = 20.0


def test_a_function_behind_a_websocket_can_call_itself(tmp_path: Path) -> None:
    """Its second call gets a process of its own, and what the first one printed is in the log."""
    with running(tmp_path / "environment") as emulator:
        emulator.create("chat", _SOURCE, Timeout=60)
        with connected(emulator, api(emulator, "chat")) as (stream, connection):
            for word in ("cold", "warm"):
                stream.sendall(connection.send(TextMessage(word)))
                (said,) = [event.data for event in received(stream, connection) if isinstance(event, TextMessage)]
                assert said == word
        lines = emulator.log("chat")
        assert [line for line in lines if line.startswith("message")] == ["message cold", "message warm"]


def api(emulator: Emulator, function: str) -> str:
    """A WebSocket API that sends every message to *function*."""
    client = emulator.client("apigatewayv2")
    made: str = client.create_api(
        Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    integration = client.create_integration(
        ApiId=made,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations",
    )["IntegrationId"]
    client.create_route(ApiId=made, RouteKey="$default", Target=f"integrations/{integration}")
    client.create_stage(ApiId=made, StageName="live", AutoDeploy=True)
    return made


@contextmanager
def connected(emulator: Emulator, api_id: str) -> Iterator[tuple[socket.socket, WSConnection]]:
    """A client of it."""
    address = urlsplit(emulator.endpoint.url)
    connection = WSConnection(ConnectionType.CLIENT)
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=_SECONDS) as stream:
        stream.sendall(connection.send(Request(host=address.netloc, target=f"/_aws/execute-api/{api_id}/live")))
        assert [type(event) for event in received(stream, connection)] == [AcceptConnection]
        yield stream, connection


def received(stream: socket.socket, connection: WSConnection) -> list[WsEvent]:
    """What comes next."""
    while True:
        connection.receive_data(stream.recv(65536))
        if found := list(connection.events()):
            return found
