"""The sample service's own code, without AWS: fakes stand in for its clients."""

from __future__ import annotations

import ast
import base64
import importlib
import itertools
import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SAMPLE = Path(__file__).parents[2] / "sample_service"
SOURCE = SAMPLE / "src"
MODULES = ("settings", "clients", "log", "orders", "app", "worker")
KEY = "receipt-key-value"
CONTEXT = SimpleNamespace(aws_request_id="request-1")
HEADERS = {"X-Environment": "test", "X-Release": "r1", "X-Digest": "d1", "X-Config-Hash": "c1"}
ENVIRON = {
    "ENVIRONMENT": "test",
    "RELEASE": "r1",
    "DIGEST": "d1",
    "CONFIG_HASH": "c1",
    "LOG_LEVEL": "info",
    "PAGE_SIZE": "2",
    "TABLE": "orders",
    "QUEUE_URL": "http://queue",
    "PARAMETER_PATH": "/orders-test",
    "RECEIPT_KEY": "receipt-key",
}


def load_modules() -> dict[str, ModuleType]:
    """Import the sample's modules by path; their short names stay out of everybody else's way."""
    hidden = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(SOURCE))
    try:
        return {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(SOURCE))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


loaded = load_modules()
app, log, orders, settings, worker = (loaded[name] for name in ("app", "log", "orders", "settings", "worker"))


class ConditionError(Exception):
    """What DynamoDB's client raises when a condition does not hold."""


class FakeDynamoDB:
    """One table, with just the calls and conditions the service uses."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionError)

    def __init__(self) -> None:
        self.items: dict[str, dict] = {}

    def put_item(self, *, TableName, Item, ConditionExpression):  # noqa: N803 - boto3's names, here and below
        assert ConditionExpression == "attribute_not_exists(id)"
        if Item["id"]["S"] in self.items:
            raise ConditionError
        self.items[Item["id"]["S"]] = Item

    def get_item(self, *, TableName, Key, ConsistentRead):  # noqa: N803
        found = self.items.get(Key["id"]["S"])
        return {"Item": found} if found else {}

    def delete_item(self, *, TableName, Key, ConditionExpression):  # noqa: N803
        self._require(Key, ConditionExpression)
        del self.items[Key["id"]["S"]]

    def update_item(self, *, Key, ConditionExpression, ExpressionAttributeValues, **_):  # noqa: N803
        self._require(Key, ConditionExpression)
        self.items[Key["id"]["S"]]["status"] = ExpressionAttributeValues[":processed"]

    def scan(self, *, TableName, Limit, ExclusiveStartKey=None):  # noqa: N803
        after = ExclusiveStartKey["id"]["S"] if ExclusiveStartKey else ""
        ids = [each for each in sorted(self.items) if each > after]
        more = {"LastEvaluatedKey": {"id": {"S": ids[Limit - 1]}}} if len(ids) > Limit else {}
        return {"Items": [self.items[each] for each in ids[:Limit]], **more}

    def _require(self, key, condition):
        assert condition == "attribute_exists(id)"
        if key["id"]["S"] not in self.items:
            raise ConditionError


class Service:
    """The API on fakes; ``lines`` is what it logged, ``announced`` what it told the worker."""

    def __init__(self, *, discount=(True, "10"), log_level="info") -> None:
        self.dynamodb = FakeDynamoDB()
        self.announced: list[str] = []
        self.lines: list[str] = []
        self.shop = app.Shop(
            settings=settings.Settings.read(ENVIRON | {"LOG_LEVEL": log_level}),
            orders=orders.OrderTable(lambda: self.dynamodb, "orders"),
            announce=self.announced.append,
            discount=lambda: settings.Discount(discount[0], Decimal(discount[1])),
            receipt_key=lambda: settings.Secret(KEY),
            new_id=lambda: "new-1",
        )
        self._log = log.Log(log_level, write=self.lines.append, environment="test", release="r1")
        self._clock = itertools.count(step=0.25).__next__

    def call(self, method, resource, *, body=None, order_id=None, query=None, encoded=False):
        """Send one request as API Gateway would, and check what holds for every answer."""
        answer = app.App(self.shop, self._log, clock=self._clock)(
            {
                "resource": resource,
                "path": resource.replace("{id}", order_id or ""),
                "httpMethod": method,
                "pathParameters": {"id": order_id} if order_id else None,
                "queryStringParameters": query,
                "body": body if body is None or isinstance(body, str) else json.dumps(body),
                "isBase64Encoded": encoded,
            },
            CONTEXT,
        )
        assert answer["headers"].items() >= HEADERS.items()
        assert KEY not in json.dumps(answer) + "".join(self.lines)
        content = json.loads(answer["body"]) if answer["body"] else None
        return answer["statusCode"], content, answer["headers"]

    def post(self, **fields):
        return self.call("POST", "/orders", body={"item": "tea", "qty": 3, "price": 19.99} | fields)


@pytest.fixture
def service():
    return Service()


def test_health_needs_no_dependency():
    """Whether the function answers at all is told without AWS, and without the time boto3 takes to import."""
    program = """
import json, sys, types
import app
event = {"resource": "/health", "path": "/health", "httpMethod": "GET"}
answer = app.handler(event, types.SimpleNamespace(aws_request_id="1"))
print(json.dumps([answer["statusCode"], sorted({"boto3", "botocore"} & set(sys.modules))]))
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], env=ENVIRON, cwd=SOURCE, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [200, []]


def test_config_shows_what_is_in_effect(service):
    """Release, config and the fact that there is a secret can be read; the secret cannot."""
    status, body, _ = service.call("GET", "/config")
    assert status == 200
    assert body == {
        "environment": "test",
        "release": "r1",
        "digest": "d1",
        "config_hash": "c1",
        "config": {"DiscountEnabled": True, "DiscountPercent": 10, "LogLevel": "info", "PageSize": 2},
        "secrets": {"ReceiptKey": "********"},
    }


@pytest.mark.parametrize("show", [str, repr, "{}".format, lambda secret: json.dumps(secret, default=app._encode)])
def test_secret_shows_as_asterisks(show):
    """However a secret gets into a text, it is redacted."""
    assert show(settings.Secret(KEY)).strip('"') == "********"


def test_create_answers_the_order(service):
    """A created order is answered in full, with its place."""
    status, body, headers = service.post(id="a-1")
    assert status == 201
    assert body == {"id": "a-1", "item": "tea", "qty": 3, "price": 19.99, "total": 53.97, "status": "placed"}
    assert headers["Location"] == "/orders/a-1"


def test_create_chooses_an_id(service):
    """An order without an id gets one."""
    assert service.post()[1]["id"] == "new-1"


def test_create_announces_after_it_stored(service):
    """The worker is never told of an order that is not in the table."""
    stored = []
    service.shop = replace(service.shop, announce=lambda order_id: stored.append(order_id in service.dynamodb.items))
    service.post(id="a-1")
    assert stored == [True]


def test_an_order_that_could_not_be_announced_can_be_sent_again(service):
    """A failed creation leaves nothing, so that the same request works once the queue does."""

    def fail(order_id):
        raise ConnectionError("the queue does not answer")

    working = service.shop
    service.shop = replace(working, announce=fail)
    assert service.post(id="a-1")[0] == 502
    assert service.dynamodb.items == {}
    service.shop = working
    assert service.post(id="a-1")[0] == 201
    assert service.announced == ["a-1"]


def test_a_failed_announcement_of_a_deleted_order_is_no_404(service):
    """The caller learns that the service failed, whoever deleted the order meanwhile."""

    def delete_and_fail(order_id):
        service.shop.orders.delete(order_id)
        raise ConnectionError("the queue does not answer")

    service.shop = replace(service.shop, announce=delete_and_fail)
    assert service.post(id="a-1")[0] == 502


def test_receipt_is_kept_but_not_answered(service):
    """The table can show that a row was edited by hand; callers see nothing derived from the secret."""
    _, body, _ = service.post(id="a-1")
    assert len(service.dynamodb.items["a-1"]["receipt"]["S"]) == 64
    assert "receipt" not in body


@pytest.mark.parametrize(
    ("qty", "price", "discount", "expected"),
    [
        pytest.param(3, "19.99", (False, "25"), "59.97", id="flag-off"),
        pytest.param(3, "19.99", (True, "25"), "44.98", id="flag-on"),
        pytest.param(3, "0.10", (False, "0"), "0.30", id="not-0.30000000000000004"),
        pytest.param(1, "0.05", (True, "50"), "0.03", id="half-a-cent-goes-up"),
        pytest.param(1, "1.01", (True, "12.5"), "0.88", id="fractional-percent"),
        pytest.param(1, "5", (True, "100"), "0.00", id="free"),
        pytest.param(1_000_000, "1000000", (False, "0"), "1000000000000.00", id="largest"),
        pytest.param(1_000_000, "999999.99", (True, "1"), "989999990100.00", id="no-digit-lost"),
    ],
)
def test_total_is_exact(qty, price, discount, expected):
    """Totals are computed in Decimal and rounded once, half up."""
    draft = orders.Draft(id=None, item="tea", qty=qty, price=Decimal(price))
    assert orders.total(draft, settings.Discount(discount[0], Decimal(discount[1])).factor) == Decimal(expected)


@pytest.mark.parametrize("price", ["0.01", "19.99", "1e2", "1000000", "999999.99", "5.10"])
def test_price_survives_the_round_trip(service, price):
    """A price comes back as the number that was sent, to the cent."""
    service.call("POST", "/orders", body=f'{{"id": "a-1", "item": "tea", "qty": 1, "price": {price}}}')
    _, body, _ = service.call("GET", "/orders/{id}", order_id="a-1")
    assert Decimal(str(body["price"])) == Decimal(price)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(None, "body", id="no-body"),
        pytest.param("{", "body", id="broken-json"),
        pytest.param("[1]", "body", id="not-an-object"),
        pytest.param("[" * 100_000, "body", id="bottomless"),
        pytest.param('{"item": "tea", "qty": 1, "price": NaN}', "body", id="nan"),
        pytest.param('{"item": "tea", "qty": 1, "price": -Infinity}', "body", id="infinity"),
        pytest.param('{"item": "tea", "qty": 1, "price": 1e99999999999999999999}', "body", id="exponent"),
        pytest.param('{"item": "tea", "price": 1, "qty": 1' + "0" * 5000 + "}", "body", id="endless-number"),
        pytest.param({"qty": 1, "price": 1}, "item", id="no-item"),
        pytest.param({"item": 7, "qty": 1, "price": 1}, "item", id="item-not-text"),
        pytest.param({"item": "  ", "qty": 1, "price": 1}, "item", id="item-blank"),
        pytest.param({"item": "x" * 201, "qty": 1, "price": 1}, "item", id="item-too-long"),
        pytest.param({"item": "\ud800", "qty": 1, "price": 1}, "item", id="item-half-a-character"),
        pytest.param({"item": "tea", "price": 1}, "qty", id="no-qty"),
        pytest.param({"item": "tea", "qty": "1", "price": 1}, "qty", id="qty-text"),
        pytest.param({"item": "tea", "qty": 1.0, "price": 1}, "qty", id="qty-fraction"),
        pytest.param({"item": "tea", "qty": True, "price": 1}, "qty", id="qty-boolean"),
        pytest.param({"item": "tea", "qty": 0, "price": 1}, "qty", id="qty-zero"),
        pytest.param({"item": "tea", "qty": 1_000_001, "price": 1}, "qty", id="qty-too-large"),
        pytest.param({"item": "tea", "qty": 1}, "price", id="no-price"),
        pytest.param({"item": "tea", "qty": 1, "price": "1"}, "price", id="price-text"),
        pytest.param({"item": "tea", "qty": 1, "price": True}, "price", id="price-boolean"),
        pytest.param({"item": "tea", "qty": 1, "price": 0}, "price", id="price-zero"),
        pytest.param({"item": "tea", "qty": 1, "price": -1}, "price", id="price-negative"),
        pytest.param({"item": "tea", "qty": 1, "price": 1.005}, "price", id="price-below-a-cent"),
        pytest.param({"item": "tea", "qty": 1, "price": 1e30}, "price", id="price-too-large"),
        pytest.param({"id": "", "item": "tea", "qty": 1, "price": 1}, "id", id="id-empty"),
        pytest.param({"id": "a/b", "item": "tea", "qty": 1, "price": 1}, "id", id="id-with-slash"),
        pytest.param({"id": 7, "item": "tea", "qty": 1, "price": 1}, "id", id="id-number"),
        pytest.param({"id": "x" * 65, "item": "tea", "qty": 1, "price": 1}, "id", id="id-too-long"),
    ],
)
def test_wrong_order_is_refused_by_field(service, body, field):
    """A caller's mistake is a 400 that names the field, and nothing is stored or announced."""
    status, answer, _ = service.call("POST", "/orders", body=body)
    assert (status, answer["field"]) == (400, field)
    assert answer["error"].startswith(field)
    assert not service.dynamodb.items
    assert not service.announced


def test_unknown_field_is_left_alone(service):
    """A client may send more than this release knows."""
    assert service.post(note="gift")[0] == 201


def test_encoded_body_is_read(service):
    """API Gateway may hand the body over in base64."""
    body = base64.b64encode(b'{"item": "tea", "qty": 1, "price": 1}').decode()
    assert service.call("POST", "/orders", body=body, encoded=True)[0] == 201


def test_encoded_body_that_is_no_text_is_refused(service):
    """Bytes that are not UTF-8 are the caller's mistake, not a failure."""
    body = base64.b64encode(b"\xff").decode()
    assert service.call("POST", "/orders", body=body, encoded=True)[0] == 400


def test_taken_id_is_refused(service):
    """An order never overwrites another, and the worker hears of it once."""
    service.post(id="a-1")
    status, answer, _ = service.post(id="a-1", qty=9)
    assert (status, answer["field"]) == (409, "id")
    assert service.dynamodb.items["a-1"]["qty"] == {"N": "3"}
    assert service.announced == ["a-1"]


def test_order_can_be_deleted_once(service):
    """A deleted order is gone for every later request."""
    service.post(id="a-1")
    status, body, _ = service.call("DELETE", "/orders/{id}", order_id="a-1")
    assert (status, body) == (204, None)
    assert service.call("DELETE", "/orders/{id}", order_id="a-1")[0] == 404
    assert service.call("GET", "/orders/{id}", order_id="a-1")[0] == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_impossible_id_is_unknown(service, method):
    """An id that no order can have never reaches DynamoDB, which would refuse some with an error."""
    status, body, _ = service.call(method, "/orders/{id}", order_id="x" * 3000)
    assert (status, body["field"]) == (404, "id")


def test_list_goes_page_by_page(service):
    """Following ``next`` shows every order exactly once, in pages of the configured size."""
    for number in range(5):
        service.post(id=f"a-{number}")
    seen, after = [], None
    while True:
        _, body, _ = service.call("GET", "/orders", query={"after": after} if after else None)
        assert len(body["orders"]) <= 2
        seen += [each["id"] for each in body["orders"]]
        if body["next"] is None:
            break
        after = body["next"].removeprefix("/orders?after=")
    assert seen == [f"a-{number}" for number in range(5)]


def test_list_refuses_a_wrong_start(service):
    """A start that is no id is the caller's mistake."""
    status, body, _ = service.call("GET", "/orders", query={"after": "a b"})
    assert (status, body["field"]) == (400, "after")


@pytest.mark.parametrize(("method", "resource", "expected"), [("GET", "/nope", 404), ("PUT", "/orders", 405)])
def test_request_without_a_route_is_refused(service, method, resource, expected):
    """What the service does not serve is said so, should it ever be asked."""
    assert service.call(method, resource)[0] == expected


def test_failure_is_answered_as_api_gateway_would(service):
    """A failure is a 502 that still names the deployment; its cause is in the log, not in the answer."""

    def fail():
        raise PermissionError("no access to the table")

    service.shop = replace(service.shop, orders=orders.OrderTable(fail, "orders"))
    status, body, _ = service.post()
    assert (status, body) == (502, {"error": "the service failed; see its log", "field": None})
    failure, request = map(json.loads, service.lines)
    assert (failure["type"], failure["reason"]) == ("PermissionError", "no access to the table")
    assert any("app.py:" in place for place in failure["where"])
    assert (request["level"], request["status"]) == ("error", 502)


def test_request_leaves_one_line(service):
    """A request's log line says what happened, and holds nothing of its body."""
    service.post(item="secret-sauce")
    assert [json.loads(line) for line in service.lines] == [
        {
            "level": "info",
            "message": "request",
            "environment": "test",
            "release": "r1",
            "request_id": "request-1",
            "method": "POST",
            "path": "/orders",
            "status": 201,
            "ms": 250.0,
        }
    ]


def test_log_level_leaves_the_rest_out():
    """Config decides what is worth a line."""
    service = Service(log_level="warning")
    service.call("GET", "/health")
    service.call("GET", "/orders/{id}", order_id="nope")
    assert [json.loads(line)["status"] for line in service.lines] == [404]


def test_parameters_are_read_below_the_path():
    """The flag and its size come from this environment's own path."""
    stored = {"/orders-test/DiscountEnabled": "false", "/orders-test/DiscountPercent": "12.5"}
    ssm = SimpleNamespace(get_parameter=lambda *, Name: {"Parameter": {"Value": stored[Name]}})  # noqa: N803
    assert settings.load_discount(ssm, "/orders-test") == settings.Discount(False, Decimal("12.5"))


def test_cached_value_is_loaded_again_when_old():
    """A value changed by hand is seen once the cache has aged, and is not asked for before."""
    now, loads = [0.0], itertools.count()
    cached = settings.Cached(lambda: next(loads), seconds=15, clock=lambda: now[0])
    assert [cached(), cached()] == [0, 0]
    now[0] = 14.9
    assert cached() == 0
    now[0] = 15.0
    assert cached() == 1


def test_failed_load_is_not_cached():
    """After a failure the next request tries again."""
    outcomes = iter([KeyError("DiscountPercent"), 5])

    def load():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    cached = settings.Cached(load)
    with pytest.raises(KeyError):
        cached()
    assert cached() == 5


@pytest.mark.parametrize("name", sorted(ENVIRON))
def test_missing_variable_is_named(name):
    """A variable the template forgot is named, not replaced by a guess."""
    with pytest.raises(KeyError, match=name):
        settings.Settings.read({key: value for key, value in ENVIRON.items() if key != name})


def work(dynamodb, *bodies):
    """Hand messages with these bodies to the worker; return its answer and its log."""
    lines: list[str] = []
    handle = worker.Worker(orders.OrderTable(lambda: dynamodb, "orders"), log.Log("info", write=lines.append))
    records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]
    return handle({"Records": records}, CONTEXT), [json.loads(line) for line in lines]


def test_worker_marks_the_order_processed(service):
    """A placed order that was announced becomes processed."""
    service.post(id="a-1")
    answer, lines = work(service.dynamodb, '{"id": "a-1"}')
    assert answer == {"batchItemFailures": []}
    assert service.call("GET", "/orders/{id}", order_id="a-1")[1]["status"] == "processed"
    assert lines[0]["order"] == "a-1"


def test_worker_forgets_a_deleted_order(service):
    """An order deleted before its turn is done with, not tried again, and does not come back."""
    answer, _ = work(service.dynamodb, '{"id": "gone"}')
    assert answer == {"batchItemFailures": []}
    assert not service.dynamodb.items


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"id": 7}'])
def test_worker_gives_back_only_what_it_cannot_read(service, body):
    """One bad message goes towards the dead letters alone; its neighbours are processed."""
    service.post(id="a-1")
    answer, _ = work(service.dynamodb, body, '{"id": "a-1"}')
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert service.dynamodb.items["a-1"]["status"] == {"S": "processed"}


def test_worker_raises_when_aws_fails():
    """A failure of AWS is no fault of the message: the whole batch comes again."""

    def fail():
        raise PermissionError

    with pytest.raises(PermissionError):
        worker.Worker(orders.OrderTable(fail, "orders"), log.Log("info", write=print))(
            {"Records": [{"messageId": "m0", "body": '{"id": "a-1"}'}]}, CONTEXT
        )


def _project():
    return tomllib.loads((SAMPLE / "multistack.toml").read_text())


@pytest.mark.parametrize("source", sorted(SOURCE.glob("*.py")), ids=lambda path: path.name)
def test_source_never_asks_which_environment_it_is_in(source):
    """All differences between environments are config: no name is written down, no decision looks at it."""
    tree = ast.parse(source.read_text())
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert not constants & set(_project()["environments"])
    deciding = (ast.Compare, ast.Match, ast.If, ast.IfExp, ast.Subscript, ast.BoolOp)
    for node in ast.walk(tree):
        if isinstance(node, deciding):
            tested = node.test if isinstance(node, ast.If | ast.IfExp) else node
            tested = node.slice if isinstance(node, ast.Subscript) else tested
            tested = node.subject if isinstance(node, ast.Match) else tested
            assert "environment" not in {
                part.attr if isinstance(part, ast.Attribute) else part.id
                for part in ast.walk(tested)
                if isinstance(part, ast.Attribute | ast.Name)
            }, f"{source.name}:{node.lineno}"


def test_config_differs_in_every_environment():
    """The sample shows config at work: same keys everywhere, no two environments alike."""
    configs = [environment["config"] for environment in _project()["environments"].values()]
    assert len({frozenset(config) for config in configs}) == 1
    assert len({tuple(config.items()) for config in configs}) == len(configs) == 3
