"""The bucket of artifacts, in an emulator of one's own and in one that others use too."""

from __future__ import annotations

from dataclasses import replace

from emulator.artifact import BUCKET
from emulator.artifact_bucket import name_of, put_in
from emulator.model import Endpoint

OWN = Endpoint(environment="test", url="http://127.0.0.1:1", account_id="111111111111", region="eu-west-1")
SHARED = replace(OWN, is_shared=True)
TEMPLATE = {
    "Resources": {
        "F": {"Properties": {"Code": {"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": "code/a"}}},
        "L": {"Properties": {"Tags": [{"Fn::Sub": BUCKET}, {"Fn::Sub": f"{BUCKET}-mine"}]}},
    }
}


def test_a_shared_emulator_has_names_of_buckets_for_all_accounts() -> None:
    """So the account is part of the name there."""
    assert name_of(OWN) == "multistack-artifacts-eu-west-1"
    assert name_of(SHARED) == "multistack-artifacts-eu-west-1-111111111111"


def test_a_template_takes_its_code_from_that_bucket() -> None:
    """Wherever it says so, and nowhere else; the artifact's own template stays as it is."""
    assert put_in(OWN, TEMPLATE) == TEMPLATE
    resources = put_in(SHARED, TEMPLATE)["Resources"]
    assert resources["F"]["Properties"]["Code"] == {"S3Bucket": name_of(SHARED), "S3Key": "code/a"}
    assert resources["L"]["Properties"]["Tags"] == [name_of(SHARED), {"Fn::Sub": f"{BUCKET}-mine"}]
    assert TEMPLATE["Resources"]["F"]["Properties"]["Code"]["S3Bucket"] == {"Fn::Sub": BUCKET}
