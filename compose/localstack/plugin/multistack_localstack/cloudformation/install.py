"""
Puts this package into a LocalStack that starts.

It fits one version of LocalStack's code. Any other one stays as it is, and its log says so.
"""

from __future__ import annotations

import logging

from localstack.constants import VERSION
from localstack.runtime import hooks

LOG = logging.getLogger(__name__)

_FITS = "4.14."


def install() -> bool:
    """
    Take the place of LocalStack's CloudFormation, before the service is loaded.

    Returns:
        Whether this LocalStack is one that the package fits.
    """
    if not VERSION.startswith(_FITS):
        LOG.warning(
            "multistack: CloudFormation stays as it is: its updates are mended for LocalStack %sx, this is %s",
            _FITS,
            VERSION,
        )
        return False
    # Imported late: on another version they might not even load.
    from localstack.services.cloudformation.v2 import provider as localstack_provider

    from multistack_localstack.cloudformation import alias_weights
    from multistack_localstack.cloudformation.provider import CloudFormation

    # The service's factory looks the class up there when it loads.
    localstack_provider.CloudformationProviderV2 = CloudFormation  # type: ignore[misc]
    alias_weights.apply()
    LOG.info("multistack: CloudFormation updates are mended")
    return True


# Above 0: services may be loaded by a hook of the same stage.
@hooks.on_infra_start(priority=200)
def install_cloudformation() -> None:
    """What LocalStack calls when it starts."""
    install()
