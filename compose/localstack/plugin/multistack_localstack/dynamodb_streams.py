"""
DynamoDB Streams of the tables that moto keeps.

LocalStack's own providers read them from Kinesis or from a Java program, both downloads. Moto's remembers each shard
iterator for ever, and a mapping asks for one a second; here an iterator says all by itself.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.api.dynamodbstreams import (
    DescribeStreamOutput,
    DynamodbstreamsApi,
    GetRecordsOutput,
    GetShardIteratorOutput,
    ListStreamsOutput,
    ResourceNotFoundException,
    TrimmedDataAccessException,
)
from localstack.services.plugins import Service, aws_provider
from moto.dynamodb.models import dynamodb_backends

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
KEPT = timedelta(hours=24)
_MAX_RECORDS = 1000


@aws_provider(api="dynamodbstreams", name="moto")
def dynamodbstreams() -> Service:
    """The service, when ``PROVIDER_OVERRIDE_DYNAMODBSTREAMS`` is ``moto``."""
    return Service.for_provider(MotoStreams())


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader is in a shard: *sequence* is the number of the record that comes next."""

    stream: str
    shard: str
    sequence: int

    def token(self) -> str:
        """As a shard iterator."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def read(cls, token: str) -> Position:
        """
        The opposite of :meth:`token`.

        Raises:
            CommonServiceException: It is none of ours.
        """
        try:
            return cls(**json.loads(base64.urlsafe_b64decode(token)))
        except (ValueError, TypeError, binascii.Error) as error:
            raise CommonServiceException("ValidationException", "Invalid ShardIterator") from error


class MotoStreams(DynamodbstreamsApi):  # type: ignore[misc] - LocalStack's classes are not typed
    """LocalStack's provider."""

    def describe_stream(self, context: RequestContext, stream_arn: str, **_: Any) -> DescribeStreamOutput:
        """One open shard, as an unpartitioned table has."""
        table = _table_of(context, stream_arn)
        return DescribeStreamOutput(
            StreamDescription={
                "StreamArn": stream_arn,
                "StreamLabel": table.latest_stream_label,
                "StreamStatus": "ENABLED",
                "StreamViewType": table.stream_specification["StreamViewType"],
                "CreationRequestDateTime": table.stream_shard.created_on,
                "TableName": table.name,
                "KeySchema": table.schema,
                "Shards": [table.stream_shard.to_json()],
            }
        )

    def list_streams(self, context: RequestContext, table_name: str | None = None, **_: Any) -> ListStreamsOutput:
        """The streams of one table, or of all."""
        tables = list(_backend(context).tables.values())
        return ListStreamsOutput(
            Streams=[
                {
                    "StreamArn": _arn_of(table),
                    "TableName": table.name,
                    "StreamLabel": table.latest_stream_label,
                }
                for table in tables
                if _has_stream(table) and table_name in (None, table.name)
            ]
        )

    def get_shard_iterator(
        self,
        context: RequestContext,
        stream_arn: str,
        shard_id: str,
        shard_iterator_type: str,
        sequence_number: str | None = None,
        **_: Any,
    ) -> GetShardIteratorOutput:
        """A position at the beginning, at the end, or at a record."""
        shard = _table_of(context, stream_arn).stream_shard
        if shard.id != shard_id:
            raise ResourceNotFoundException(f"Requested resource not found: Shard: {shard_id} not found")
        sequence = _sequence(shard, shard_iterator_type, sequence_number)
        return GetShardIteratorOutput(ShardIterator=Position(stream_arn, shard_id, sequence).token())

    def get_records(
        self, context: RequestContext, shard_iterator: str, limit: int | None = None, **_: Any
    ) -> GetRecordsOutput:
        """Records from a position on, and the position after them."""
        position = Position.read(shard_iterator)
        shard = _table_of(context, position.stream).stream_shard
        _trim(shard, now=datetime.now(UTC))
        first = position.sequence - shard.starting_sequence_number
        if first < 0:
            raise TrimmedDataAccessException("The records before the trim horizon are gone")
        found = list(shard.items[first : first + (limit or _MAX_RECORDS)])
        after = Position(position.stream, position.shard, position.sequence + len(found))
        records = [_record(item.to_json(), context.region) for item in found]
        return GetRecordsOutput(Records=records, NextShardIterator=after.token())


def _backend(context: RequestContext) -> Any:
    return dynamodb_backends[context.account_id][context.region]


def _has_stream(table: Any) -> bool:
    return bool(table.latest_stream_label and table.stream_shard and table.stream_specification.get("StreamEnabled"))


def _arn_of(table: Any) -> str:
    return f"{table.table_arn}/stream/{table.latest_stream_label}"


def _table_of(context: RequestContext, stream_arn: str) -> Any:
    name = stream_arn.partition(":table/")[2].partition("/")[0]
    table = _backend(context).tables.get(name)
    if table is None or not _has_stream(table) or _arn_of(table) != stream_arn:
        raise ResourceNotFoundException(f"Requested resource not found: Stream: {stream_arn} not found")
    return table


def _sequence(shard: Any, kind: str, given: str | None) -> int:
    if kind == "TRIM_HORIZON":
        return int(shard.starting_sequence_number)
    if kind == "LATEST":
        return int(shard.starting_sequence_number) + len(shard.items)
    try:
        sequence = int(given or "")
    except ValueError as error:
        raise CommonServiceException("ValidationException", f"{kind} needs a SequenceNumber") from error
    return sequence + 1 if kind == "AFTER_SEQUENCE_NUMBER" else sequence


def _record(kept: dict[str, Any], region: str) -> dict[str, Any]:
    """A record as AWS gives it; moto's has empty images, and always the same region."""
    return {**kept, "awsRegion": region, "dynamodb": dict(_fields(kept["dynamodb"]))}


def _fields(kept: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in kept.items():
        if name == "ApproximateCreationDateTime":
            yield name, _time_of(value)
        elif value or name not in ("NewImage", "OldImage"):
            yield name, value


def _time_of(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)


def _trim(shard: Any, *, now: datetime) -> None:
    """Forget records over a day old; the numbers of the others stay."""
    old = 0
    for item in shard.items:
        if now - _time_of(item.record["dynamodb"]["ApproximateCreationDateTime"]) < KEPT:
            break
        old += 1
    if old:
        shard.starting_sequence_number += old
        del shard.items[:old]
