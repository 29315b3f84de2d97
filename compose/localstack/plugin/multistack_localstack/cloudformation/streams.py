"""
A table's stream that was switched off can be switched on again; moto, which answers for DynamoDB, refuses it.

Without this a table whose stream an update added and a rollback took away could never get one again.

Source:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from typing import Any

from localstack.utils.patch import patch


def apply() -> None:
    """Let moto forget the label of a stream that is off, by which it knows that there is one."""
    from moto.dynamodb.models import DynamoDBBackend

    @patch(DynamoDBBackend.update_table_streams)
    def update_table_streams(original: Any, self: Any, table: Any, stream_specification: Any) -> Any:
        if not (table.stream_specification or {}).get("StreamEnabled"):
            table.latest_stream_label = None
        return original(self, table, stream_specification)
