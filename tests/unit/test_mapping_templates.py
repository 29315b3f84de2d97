"""The gaps that ``mapping_templates`` and ``mapping_parameters`` fill."""

from __future__ import annotations

import json

import pytest

from emulator.drivers.launcher.gaps.mapping_parameters import mapped, response_headers
from emulator.drivers.launcher.gaps.mapping_templates import Call, overridden, render

BODY = json.dumps({"items": [{"name": {"S": "a"}}, {"name": {"S": "b"}}], "who": {"first": "it's"}, "count": 2})


def call() -> Call:
    """A request with something in each place."""
    return Call(
        context={"requestId": "r-1", "authorizer": {"claims": {"sub": "s"}}},
        stage_variables={"color": "blue"},
        path={"id": "7", "same": "of the path"},
        querystring={"q": "x y", "same": "of the query"},
        header={"X-One": "1"},
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("$input.json('$.who')", '{"first":"it\'s"}', id="JSON of a part"),
        pytest.param("$input.json('$.nothing')", '""', id="JSON of nothing"),
        pytest.param("$input.path('$.who.first')|$input.path('$.items').size()", "it's|2", id="values"),
        pytest.param("$input.params('same')|$input.params('x-one')|$input.params('no')", "of the path|1|", id="params"),
        pytest.param("$input.params().querystring.q", "x y", id="all params"),
        pytest.param(
            "$context.requestId $context.authorizer.claims.sub $stageVariables.color", "r-1 s blue", id="context"
        ),
        pytest.param("<$input.path('$.no')$context.no$context.authorizer.no$stageVariables.no>", "<>", id="not there"),
        pytest.param("#foreach($i in $input.path('$.items'))$i.name.S#if($foreach.hasNext),#end#end", "a,b", id="loop"),
        pytest.param("#if($input.path('$.count') > 1)many#{else}few#end", "many", id="condition"),
        pytest.param("$util.urlEncode($input.params('q'))", "x+y", id="URL"),
        pytest.param("$util.base64Decode($util.base64Encode('é'))", "é", id="base64"),
        pytest.param("$util.escapeJavaScript($input.json('$.who'))", '{\\"first\\":\\"it\\\'s\\"}', id="JavaScript"),
        pytest.param('$util.parseJson(\'{"a": {"b": 1}}\').a.b', "1", id="JSON in a text"),
    ],
)
def test_templates_are_evaluated(template: str, expected: str) -> None:
    """The language, and what AWS adds to it."""
    assert render(template, BODY, call()) == expected


def test_a_template_sets_the_status() -> None:
    """Over the one of the response."""
    request = call()
    assert overridden(request, 200) == 200
    render("#set($context.responseOverride.status = 404)", "", request)
    assert overridden(request, 200) == 404


def test_parameters_are_mapped() -> None:
    """Constants, and whatever the request or its context has."""
    found = mapped(
        {
            "integration.request.header.Kind": "'text/plain'",
            "integration.request.header.One": "method.request.header.x-one",
            "integration.request.path.key": "method.request.path.id",
            "integration.request.querystring.Message": "method.request.body",
            "integration.request.querystring.Name": "method.request.body.who.first",
            "integration.request.querystring.Id": "context.requestId",
            "integration.request.querystring.Color": "stageVariables.color",
            "integration.request.querystring.None": "method.request.querystring.none",
        },
        call(),
        BODY,
    )
    assert (found.header, found.path) == ({"Kind": "text/plain", "One": "1"}, {"key": "7"})
    assert found.querystring == {"Message": BODY, "Name": "it's", "Id": "r-1", "Color": "blue"}


def test_headers_of_answers_are_mapped() -> None:
    """From what the service answered."""
    names = {"A": "integration.response.header.etag", "B": "integration.response.body.count", "C": "'c'"}
    parameters = {f"method.response.header.{name}": source for name, source in names.items()}
    assert dict(response_headers(parameters, call(), {"ETag": "e"}, BODY)) == {"A": "e", "B": "2", "C": "c"}
