"""LocalStack's CloudFormation with the operations of this package in the place of its own."""

from __future__ import annotations

from localstack.services.cloudformation.v2.provider import CloudformationProviderV2

from multistack_localstack.cloudformation.api.change_sets import ChangeSets
from multistack_localstack.cloudformation.api.descriptions import Descriptions
from multistack_localstack.cloudformation.api.drift import Drift
from multistack_localstack.cloudformation.api.rollbacks import Rollbacks
from multistack_localstack.cloudformation.api.stacks import Stacks


class CloudFormation(ChangeSets, Descriptions, Drift, Rollbacks, Stacks, CloudformationProviderV2):
    """The provider; stack sets, types and macros are LocalStack's."""

    def _log_create_issue_info(self) -> None:
        """LocalStack asks here for reports of bugs in its engine, which isn't at work."""
