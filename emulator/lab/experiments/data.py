"""X11, X12, X14: one role and one table for environments that should not know of each other."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator, Mapping
from typing import Any

from emulator.endpoint import client
from emulator.lab.experiment import Basis, Experiment, fails, in_both_worlds
from emulator.lab.operator import Operator
from emulator.lab.releases import RENAMED, release, take_back, version_of
from emulator.lab.topologies import Place

_ROLE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"
_EVALUATION = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"
_KEYS = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.CoreComponents.html"
_JOB = "orders-clean-up"
# Deletes the orders of every table that its role lets it reach: it asks for no name, so it can't get one wrong.
_CLEAN_UP = """
import boto3

def handler(event, context):
    aws = boto3.client("dynamodb")
    done = {}
    for table in event["tables"]:
        try:
            rows = aws.scan(TableName=table)["Items"]
            for row in rows:
                aws.delete_item(TableName=table, Key={"id": row["id"]})
            done[table] = len(rows)
        except aws.exceptions.ClientError as error:
            done[table] = error.response["Error"]["Code"]
    return done
"""

Rows = Mapping[str, list[dict[str, Any]]]


def _tighten(operator: Operator) -> Generator[None, None, None]:
    test = operator.test
    only = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "NotResource": _table_arn(test)}],
    }
    named: dict[str, Any] = {"RoleName": test.role, "PolicyName": "only-tests-table"}
    yield
    operator.aws("iam", "put_role_policy", **named, PolicyDocument=json.dumps(only))
    yield
    operator.aws("iam", "delete_role_policy", **named)


def _clean_up(operator: Operator) -> Generator[None, None, None]:
    _make_job(operator)
    before: dict[str, Rows] = {}
    operator.does(
        "aws dynamodb scan --table-name … > rows.json  # of every table", lambda: before.update(rows=_rows(operator))
    )
    yield
    tables = operator.aws("dynamodb", "list_tables")["TableNames"]
    operator.does(
        f"aws lambda invoke --function-name {_JOB} --payload fileb://tables.json answer.json",
        lambda: client(operator.test.endpoint, "lambda").invoke(
            FunctionName=_JOB, Payload=json.dumps({"tables": tables})
        ),
    )
    operator.does(
        f"aws dynamodb scan --table-name {operator.test.table} --select COUNT",
        lambda: operator.doubt("the job did not empty test's own table", when=bool(_rows_of(operator.test))),
    )
    yield
    operator.does(
        "aws dynamodb batch-write-item --request-items …  # the rows of every table",
        lambda: _put_back(operator, before["rows"]),
    )
    operator.aws("lambda", "delete_function", at=operator.test, FunctionName=_JOB)


def _rename_in_shared(operator: Operator) -> Generator[None, None, None]:
    """Test works on prod's table, "to have real data"."""
    test, prod = operator.test, operator.prod
    operator.edit_variable("test", "table", prod.table)
    yield from _rename(operator, prod.table)
    operator.edit_variable("test", "table", test.table)


def _rename_in_own(operator: Operator) -> Generator[None, None, None]:
    yield from _rename(operator, operator.test.table)


def _rename(operator: Operator, table: str) -> Generator[None, None, None]:
    before = version_of(operator, operator.test)
    yield
    release(operator, RENAMED)
    _move(operator, table, "qty", "pieces")
    yield
    _move(operator, table, "pieces", "qty")
    take_back(operator, operator.test, before)


def _move(operator: Operator, table: str, old: str, new: str) -> None:
    """Rename a field of every order: what the release brings along as its migration."""

    def work() -> None:
        aws = client(operator.test.endpoint, "dynamodb")
        for row in aws.scan(TableName=table, ConsistentRead=True)["Items"]:
            aws.update_item(
                TableName=table,
                Key={"id": row["id"]},
                UpdateExpression="SET #new = #old REMOVE #old",
                ExpressionAttributeNames={"#old": old, "#new": new},
            )

    operator.does(f"python migrate.py --table {table} --rename {old}={new}", work)


def _make_job(operator: Operator) -> None:
    """The clean-up job, a function that runs as test's own does."""
    test = operator.test
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", _CLEAN_UP)
    role = f"arn:aws:iam::{test.endpoint.account_id}:role/{test.role}"

    def work() -> None:
        aws = client(test.endpoint, "lambda")
        aws.create_function(
            FunctionName=_JOB,
            Runtime="python3.12",
            Handler="index.handler",
            Role=role,
            Timeout=30,
            Code={"ZipFile": packed.getvalue()},
        )
        aws.get_waiter("function_active_v2").wait(FunctionName=_JOB, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})

    operator.does(
        f"aws lambda create-function --function-name {_JOB} --runtime python3.12 --handler index.handler"
        f" --role {role} --zip-file fileb://clean_up.zip",
        work,
    )


def _rows(operator: Operator) -> Rows:
    """The rows of every environment, by table."""
    return {place.table: _rows_of(place) for place in operator.places.values()}


def _rows_of(place: Place) -> list[dict[str, Any]]:
    return list(client(place.endpoint, "dynamodb").scan(TableName=place.table, ConsistentRead=True)["Items"])


def _put_back(operator: Operator, rows: Rows) -> None:
    for place in operator.places.values():
        for row in rows[place.table]:
            client(place.endpoint, "dynamodb").put_item(TableName=place.table, Item=row)


def _table_arn(place: Place) -> str:
    return f"arn:aws:dynamodb:{place.endpoint.region}:{place.endpoint.account_id}:table/{place.table}"


EXPERIMENTS = (
    Experiment(
        id="X11",
        title="test's role is tightened",
        meant="Let test reach test's table and nothing else.",
        setting="one execution role for all environments",
        variants=in_both_worlds(
            single=_tighten,
            multi=_tighten,
            prod_sees=fails(502),
            shared="The role of test's calls is the role of prod's calls.",
            separate="Test's function has a role of its own, and needs no more than test's table.",
        ),
        sources=(
            _ROLE,
            _EVALUATION,
        ),
        needs=(
            "iam/a-changed-role-takes-effect-without-a-deployment",
            "iam/an-explicit-deny-wins",
        ),
    ),
    Experiment(
        id="X12",
        title="a clean-up job of test reaches every table",
        meant="Empty test's table every night, with a job that runs under test's role.",
        setting="one execution role that allows the tables of all environments",
        variants=in_both_worlds(
            single=_clean_up,
            multi=_clean_up,
            prod_sees=fails(404),
            shared="The job deletes what its role allows, and that is prod's rows as well.",
            separate="Test's role allows test's table; for any other the job is answered AccessDenied.",
        ),
        sources=(_ROLE,),
        needs=("iam/an-action-is-allowed-on-its-resources-only",),
    ),
    Experiment(
        id="X14",
        title="a release under test renames a field in a shared table",
        meant="Try release v5, which calls qty pieces, with its migration, in test.",
        setting="a table that test and prod share",
        variants=in_both_worlds(
            single=_rename_in_shared,
            multi=_rename_in_own,
            prod_sees=fails(502),
            shared="Prod's code still reads qty, which no order of the shared table has any more.",
            separate="Test's migration changes test's table.",
        ),
        sources=(_KEYS,),
        basis=Basis.MODEL,
    ),
)
