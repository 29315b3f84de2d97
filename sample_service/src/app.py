"""The HTTP API: one request in, one answer out, one log line."""

from __future__ import annotations

import base64
import contextlib
import functools
import hmac
import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from clients import client
from log import Log
from orders import Draft, Order, OrderTable, RequestError, is_id, total
from settings import Cached, Discount, Secret, Settings, load_discount, load_secret

LONGEST_REASON = 300  # characters of an exception that are logged: it may quote what the caller sent


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what to send as JSON (None for no body), and further headers."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """
    Everything the routes work with.

    Attributes:
        announce: Tells the worker about an order, by its id.
        new_id: Makes an id for an order that came without one.
    """

    settings: Settings
    orders: OrderTable
    announce: Callable[[str], None]
    discount: Callable[[], Discount]
    receipt_key: Callable[[], Secret]
    new_id: Callable[[], str]


def show_health(shop: Shop, event: Mapping[str, Any]) -> Answer:
    return Answer(200, {"status": "ok"})


def show_config(shop: Shop, event: Mapping[str, Any]) -> Answer:
    discount = shop.discount()
    return Answer(
        200,
        asdict(shop.settings.identity)
        | {
            "config": {
                "DiscountEnabled": discount.enabled,
                "DiscountPercent": discount.percent,
                "LogLevel": shop.settings.log_level,
                "PageSize": shop.settings.page_size,
            },
            "secrets": {"ReceiptKey": shop.receipt_key()},
        },
    )


def create_order(shop: Shop, event: Mapping[str, Any]) -> Answer:
    draft = Draft.parse(_read_body(event))
    order = Order(
        id=draft.id or shop.new_id(),
        item=draft.item,
        qty=draft.qty,
        price=draft.price,
        total=total(draft, shop.discount().factor),
    )
    shop.orders.add(order, receipt=sign(order, shop.receipt_key()))
    try:
        shop.announce(order.id)
    except Exception:
        # Else a retry would get 409, and the order would wait for ever. A worker told all the same finds it deleted.
        with contextlib.suppress(RequestError):  # deleted by somebody meanwhile
            shop.orders.delete(order.id)
        raise
    return Answer(201, order, {"Location": f"/orders/{quote(order.id)}"})


def list_orders(shop: Shop, event: Mapping[str, Any]) -> Answer:
    start = (event.get("queryStringParameters") or {}).get("after")
    if start is not None and not is_id(start):
        raise RequestError(400, "after must be an order's id", field="after")
    orders, after = shop.orders.page(shop.settings.page_size, after=start)
    return Answer(200, {"orders": orders, "next": f"/orders?after={quote(after)}" if after else None})


def get_order(shop: Shop, event: Mapping[str, Any]) -> Answer:
    return Answer(200, shop.orders.get(_path_id(event)))


def delete_order(shop: Shop, event: Mapping[str, Any]) -> Answer:
    shop.orders.delete(_path_id(event))
    return Answer(204)


Route = Callable[[Shop, Mapping[str, Any]], Answer]
ROUTES: Mapping[str, Mapping[str, Route]] = {
    "/health": {"GET": show_health},
    "/config": {"GET": show_config},
    "/orders": {"GET": list_orders, "POST": create_order},
    "/orders/{id}": {"GET": get_order, "DELETE": delete_order},
}


def find_route(event: Mapping[str, Any]) -> Route:
    """Raises RequestError (404 or 405) when nothing serves the request."""
    methods = ROUTES.get(event["resource"])
    if methods is None:
        raise RequestError(404, f"there is nothing at {event['path']}")
    if event["httpMethod"] not in methods:
        raise RequestError(405, f"{event['path']} answers only {' and '.join(methods)}")
    return methods[event["httpMethod"]]


def sign(order: Order, key: Secret) -> str:
    """The receipt: shows whether a row was written by this copy of the service, or edited by hand."""
    return hmac.digest(key.reveal().encode(), f"{order.id} {order.total}".encode(), "sha256").hex()


class App:
    """The Lambda handler of the API."""

    def __init__(self, shop: Shop, log: Log, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._shop = shop
        self._log = log
        self._clock = clock

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = self._clock()
        answer = self._answer(event)
        self._log(
            _level(answer.status),
            "request",
            request_id=context.aws_request_id,
            method=event["httpMethod"],
            path=event["path"],
            status=answer.status,
            ms=round((self._clock() - started) * 1000, 2),
        )
        return {
            "statusCode": answer.status,
            "headers": {"Content-Type": "application/json", **self._shop.settings.identity.headers, **answer.headers},
            "body": "" if answer.body is None else json.dumps(answer.body, default=_encode),
        }

    def _answer(self, event: Mapping[str, Any]) -> Answer:
        try:
            return find_route(event)(self._shop, event)
        except RequestError as refused:
            return Answer(refused.status, {"error": refused.message, "field": refused.field})
        except Exception as error:
            # API Gateway answers 502 for a function that raised, and without our headers: same status, but ours.
            where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
            self._log("error", "failed", type=type(error).__name__, reason=str(error)[:LONGEST_REASON], where=where)
            return Answer(502, {"error": "the service failed; see its log", "field": None})


def _level(status: int) -> str:
    if status >= 500:
        return "error"
    return "warning" if status >= 400 else "info"


def _read_body(event: Mapping[str, Any]) -> str:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body).decode()
    except ValueError as error:
        raise RequestError(400, "body must be JSON in UTF-8", field="body") from error


def _path_id(event: Mapping[str, Any]) -> str:
    order_id = event["pathParameters"]["id"]
    if not is_id(order_id):
        raise RequestError(404, f"there is no order {order_id}", field="id")
    return order_id


def _encode(value: object) -> object:
    """JSON for what json cannot write by itself; Decimal of up to 15 digits is exact as a float."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Order):
        return asdict(value)
    if isinstance(value, Secret):
        return repr(value)
    raise TypeError(f"cannot send a {type(value).__name__}")


def make_app(environ: Mapping[str, str]) -> App:
    """The handler for what the template passed; raises KeyError for a variable that it did not."""
    settings = Settings.read(environ)
    identity = settings.identity
    shop = Shop(
        settings=settings,
        orders=OrderTable(lambda: client("dynamodb"), settings.table),
        announce=lambda order_id: client("sqs").send_message(
            QueueUrl=settings.queue_url, MessageBody=json.dumps({"id": order_id})
        ),
        discount=Cached(lambda: load_discount(client("ssm"), settings.parameter_path)),
        receipt_key=Cached(lambda: load_secret(client("secretsmanager"), settings.receipt_key)),
        new_id=lambda: os.urandom(8).hex(),
    )
    return App(shop, Log(settings.log_level, environment=identity.environment, release=identity.release))


@functools.cache
def _app() -> App:
    return make_app(os.environ)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    return _app()(event, context)
