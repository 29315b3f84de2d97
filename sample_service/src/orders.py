"""What an order is, what it costs, and where it is kept. Money is Decimal throughout, in whole cents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NoReturn

CENT = Decimal("0.01")
MOST = 1_000_000  # keeps a total within 15 digits, so that it is still exact as a JSON number
LONGEST_ITEM = 200
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RequestError(Exception):
    """
    The caller's mistake.

    Args:
        status: The HTTP status to answer.
        field: What is wrong: a field of the order, ``body``, or None.
    """

    def __init__(self, status: int, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order as the caller wrote it, checked; without an id when the service shall choose one."""

    id: str | None
    item: str
    qty: int
    price: Decimal

    @classmethod
    def parse(cls, body: str) -> Draft:
        """Raises RequestError naming the first field that is missing or wrong; unknown fields are left alone."""
        fields = _read_object(body)
        return cls(id=_read_id(fields), item=_read_item(fields), qty=_read_qty(fields), price=_read_price(fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order that was accepted."""

    id: str
    item: str
    qty: int
    price: Decimal
    total: Decimal
    status: str = "placed"


def is_id(value: object) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def total(draft: Draft, factor: Decimal) -> Decimal:
    """The price of all pieces after the discount, rounded once and half up."""
    return (draft.qty * draft.price * factor).quantize(CENT, ROUND_HALF_UP)


def _read_object(body: str) -> dict[str, Any]:
    try:
        fields = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (RecursionError, ValueError) as error:
        raise RequestError(400, f"body must be JSON: {error}", field="body") from error
    except InvalidOperation as error:
        raise RequestError(400, "body holds a number that is out of range", field="body") from error
    if not isinstance(fields, dict):
        raise RequestError(400, "body must be a JSON object with item, qty and price", field="body")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _require(fields: Mapping[str, Any], field: str) -> Any:
    if field not in fields:
        raise RequestError(400, f"{field} is missing", field=field)
    return fields[field]


def _read_id(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("id")
    if value is None or is_id(value):
        return value
    raise RequestError(400, "id must be 1 to 64 letters, digits, dots, dashes or underscores", field="id")


def _read_item(fields: Mapping[str, Any]) -> str:
    value = _require(fields, "item")
    if isinstance(value, str) and 0 < len(value.strip()) <= LONGEST_ITEM and value.isprintable():
        return value.strip()
    raise RequestError(400, f"item must be 1 to {LONGEST_ITEM} printable characters", field="item")


def _read_qty(fields: Mapping[str, Any]) -> int:
    value = _require(fields, "qty")
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST:
        return value
    raise RequestError(400, f"qty must be a whole number from 1 to {MOST}", field="qty")


def _read_price(fields: Mapping[str, Any]) -> Decimal:
    value = _require(fields, "price")
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and CENT <= value <= MOST:
        cents = Decimal(value).quantize(CENT)
        if cents == value:
            return cents
    raise RequestError(400, f"price must be a number from {CENT} to {MOST} with at most 2 decimals", field="price")


class OrderTable:
    """
    The orders in DynamoDB.

    Args:
        dynamodb: Gives the low-level client; called only when it is needed.
        name: The table's name.
    """

    def __init__(self, dynamodb: Callable[[], Any], name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    def add(self, order: Order, *, receipt: str) -> None:
        """Raises RequestError (409) when the id is taken."""
        client = self._dynamodb()
        try:
            client.put_item(
                TableName=self._name,
                Item=_to_item(order) | {"receipt": {"S": receipt}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except client.exceptions.ConditionalCheckFailedException as error:
            raise RequestError(409, f"order {order.id} exists already", field="id") from error

    def get(self, order_id: str) -> Order:
        """Raises RequestError (404) when there is none."""
        found = self._dynamodb().get_item(TableName=self._name, Key={"id": {"S": order_id}}, ConsistentRead=True)
        if "Item" not in found:
            raise _unknown(order_id)
        return _from_item(found["Item"])

    def delete(self, order_id: str) -> None:
        """Raises RequestError (404) when there is none."""
        client = self._dynamodb()
        try:
            client.delete_item(
                TableName=self._name, Key={"id": {"S": order_id}}, ConditionExpression="attribute_exists(id)"
            )
        except client.exceptions.ConditionalCheckFailedException as error:
            raise _unknown(order_id) from error

    def page(self, size: int, *, after: str | None) -> tuple[list[Order], str | None]:
        """Up to *size* orders in no useful order, and the id to go on after, or None at the end."""
        start = {"ExclusiveStartKey": {"id": {"S": after}}} if after else {}
        found = self._dynamodb().scan(TableName=self._name, Limit=size, **start)
        last = found.get("LastEvaluatedKey")
        return [_from_item(item) for item in found["Items"]], last["id"]["S"] if last else None

    def mark_processed(self, order_id: str) -> bool:
        """Whether the order was still there to mark."""
        client = self._dynamodb()
        try:
            client.update_item(
                TableName=self._name,
                Key={"id": {"S": order_id}},
                UpdateExpression="SET #status = :processed",
                ConditionExpression="attribute_exists(id)",
                ExpressionAttributeNames={"#status": "status"},  # a reserved word
                ExpressionAttributeValues={":processed": {"S": "processed"}},
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _unknown(order_id: str) -> RequestError:
    return RequestError(404, f"there is no order {order_id}", field="id")


def _to_item(order: Order) -> dict[str, dict[str, str]]:
    return {
        "id": {"S": order.id},
        "item": {"S": order.item},
        "qty": {"N": str(order.qty)},
        "price": {"N": str(order.price)},
        "total": {"N": str(order.total)},
        "status": {"S": order.status},
    }


def _from_item(item: Mapping[str, Mapping[str, str]]) -> Order:
    return Order(
        id=item["id"]["S"],
        item=item["item"]["S"],
        qty=int(item["qty"]["N"]),
        price=Decimal(item["price"]["N"]),
        total=Decimal(item["total"]["N"]),
        status=item["status"]["S"],
    )
