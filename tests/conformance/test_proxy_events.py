"""What a function is told about a request."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from tests.conformance.account import Account
from tests.conformance.cases import case

_EVENT = "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"
_ECHO = "import json\ndef handler(e, c):\n    return {'statusCode': 200, 'body': json.dumps(e)}\n"
_GAP = "proxy_event"


def _event(account: Account, query: str = "", **headers: str) -> dict[str, Any]:
    """The event of a GET of a REST API with *headers* as they are written."""
    function = account.function(_ECHO)
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    connection = http.client.HTTPConnection(urlsplit(account.endpoint.url).netloc, timeout=10)
    try:
        connection.request("GET", f"/_aws/execute-api/{api.id}/live/x{query}", headers=headers)
        return dict(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


@case(source=_EVENT, gap=_GAP)
def test_header_names_are_as_the_caller_wrote_them(account: Account) -> None:
    """Header names in a REST API's event have the case that the caller gave them."""
    event = _event(account, **{"X-Shop-ID": "7", "x-lower": "8"})
    assert (event["headers"]["X-Shop-ID"], event["headers"]["x-lower"]) == ("7", "8")
    assert event["multiValueHeaders"]["X-Shop-ID"] == ["7"]


@case(source=_EVENT, gap=_GAP)
def test_the_request_says_where_it_came_through(account: Account) -> None:
    """A REST API's event names the domain, the stage, the protocol and the caller."""
    context = _event(account)["requestContext"]
    assert context["domainName"].startswith(context["apiId"])
    assert context["domainPrefix"] == context["apiId"]
    assert (context["stage"], context["path"], context["resourcePath"]) == ("live", "/live/x", "/x")
    assert context["protocol"] == "HTTP/1.1"
    assert context["accountId"] == account.endpoint.account_id
    assert {"accessKey", "caller", "cognitoIdentityId", "sourceIp", "user", "userAgent", "userArn"} <= context[
        "identity"
    ].keys()


@case(source=_EVENT)
def test_repeated_query_parameters_are_all_there(account: Account) -> None:
    """A REST API's event has all values of a query parameter."""
    event = _event(account, "?q=1&q=2")
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
