"""The gaps that ``mapping_templates``, ``velocity`` and ``mapping_parameters`` fill."""

from __future__ import annotations

import json

import pytest

from emulator.drivers.launcher.gaps.mapping_parameters import mapped, response_headers
from emulator.drivers.launcher.gaps.mapping_templates import Call, overridden, render

ITEMS = [{"name": {"S": "a"}}, {"name": {"S": "b"}}]
BODY = json.dumps({"items": ITEMS, "who": {"first": "it's"}, "count": 2, "on": True})


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
        pytest.param("$input.path('$.items[0]')", "{name={S=a}}", id="object, as Java writes it"),
        pytest.param("$input.path('$.items[*].name.S')", '["a","b"]', id="list"),
        pytest.param("$input.path('$.on')#set($off = false) $off", "true false", id="booleans"),
        pytest.param("$input.json('$.items[?@.name.S==\"a\"].name.S')", '["a"]', id="one of several"),
        pytest.param("$input.json('$.items[*].no')", "[]", id="none of several"),
        pytest.param("#set($e = $input.path('$.who'))<$e.note.S$!e.no$e.no>", "<>", id="what an object lacks"),
        pytest.param("$context.no.claims.email$stageVariables.no.x", "", id="within what is not there"),
        pytest.param("$unknown $context.requestId.fooBar()", "$unknown $context.requestId.fooBar()", id="no names"),
        pytest.param("$input.params('q').toUpperCase().substring(0, 1)", "X", id="methods of texts"),
        pytest.param("#if($input.params('q').equals('x y'))same#end", "same", id="comparison of texts"),
        pytest.param("#foreach($e in $input.path('$.who').entrySet())$e.key=$e.getValue()#end", "first=it's", id="map"),
        pytest.param("#set($l = [])#set($d = $l.add('a'))$l.size()$l", "1[a]", id="list of its own"),
        pytest.param(
            "#set($l = ['a', {'b': [1]}])$l [1..3]#set($r = [1..3])$r", "[a, {b=[1]}] [1..3][1, 2, 3]", id="lists"
        ),
        pytest.param("$input.path('$.who').values()", "[it's]", id="values of an object"),
        pytest.param("#if($input.params('no'))yes#end#if('')yes#end#if(0)yes#end", "yesyesyes", id="truth of nothing"),
        pytest.param(
            "#set($e = $input.path('$.who'))#if($e.no)yes#end#if($e.no != '')no#end", "yes", id="truth of lack"
        ),
        pytest.param("#if($nothing)yes#elseif(false)yes#else#if(!$nothing)no#end#end", "no", id="null and false"),
        pytest.param("#if($input.params('no') && !false || $nothing)yes#end", "yes", id="and, or, not"),
        pytest.param(
            "#if($nothing > 1)yes#else#if('5' == 5 && $nothing != 5)no#end#end", "no", id="comparison of kinds"
        ),
        pytest.param("$input.params('q').replaceAll('([a-z]) ([a-z])', '$2-\\\\$$1')", "y-$x", id="replaceAll"),
        pytest.param("#set($t = 'a.b..')#set($p = $t.split('[.]'))$p.size() $p.get(1)", "2 b", id="split"),
        pytest.param(
            "#set($e = {'my-name': 1, 'size': 2})$e.my-name $e.size() $e.keySet()", "1 2 [my-name, size]", id="hyphen"
        ),
        pytest.param("$input.params('q').replaceFirst('[xy]', 'z')", "z y", id="replaceFirst"),
        pytest.param("$util.escapeJavaScript($util.urlDecode('%00%08%1F'))", "\\u0000\\b\\u001F", id="controls"),
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


def test_an_empty_body_is_an_empty_object() -> None:
    """To templates, as on AWS."""
    assert render("$input.body", "", call()) == "{}"


def test_a_template_sets_headers_of_the_answer() -> None:
    """Their names have hyphens."""
    request = call()
    render("#set($context.responseOverride.header.Access-Control-Max-Age = 60)", "", request)
    assert dict(response_headers({}, request, {}, "")) == {"Access-Control-Max-Age": "60"}


def test_a_template_overrides_what_the_service_is_asked_with() -> None:
    """Its parameters count less; a template of the answer can read them."""
    request = call()
    template = "#set($context.requestOverride.header.X-One = 2)#set($context.requestOverride.path.body = $input.body)"
    render(template, "hello", request)
    found = mapped({"integration.request.header.X-One": "'1'"}, request, "")
    assert (found.header, found.path, found.querystring) == ({"X-One": "2"}, {"body": "hello"}, {})
    assert render("$context.requestOverride.path.body", "", request) == "hello"


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
