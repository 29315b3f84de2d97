"""
Puts this package into a LocalStack that starts.

It fits one version of LocalStack's code. Any other one stays as it is, and its log says so.
"""

from __future__ import annotations

import logging
import os

from localstack.runtime import hooks

from multistack_localstack.supported import is_supported

LOG = logging.getLogger(__name__)


def install() -> bool:
    """
    Take the place of LocalStack's CloudFormation, whether it is loaded already or not.

    Returns:
        Whether this LocalStack is one that the package fits.
    """
    if not is_supported("CloudFormation updates"):
        return False
    # Imported late: on another version they might not even load.
    from localstack.aws.skeleton import create_dispatch_table
    from localstack.services.cloudformation.v2 import provider as localstack_provider
    from localstack.services.plugins import SERVICE_PLUGINS

    from multistack_localstack.cloudformation import streams
    from multistack_localstack.cloudformation.provider import CloudFormation

    # The service's factory looks the class up there when it loads.
    localstack_provider.CloudformationProviderV2 = CloudFormation
    if container := SERVICE_PLUGINS._services.get("cloudformation"):
        container.service.skeleton.dispatch_table = create_dispatch_table(CloudFormation())
    if os.environ.get("PROVIDER_OVERRIDE_DYNAMODB") == "moto":
        streams.apply()
    LOG.info("CloudFormation updates stacks with multistack's engine")
    return True


# Above 0: services may be loaded by a hook of the same stage.
@hooks.on_infra_start(priority=200)
def install_cloudformation() -> None:
    """What LocalStack calls when it starts."""
    install()
