"""
Lets the official image `localstack/localstack:4.14.0` update stacks; LocalStack runs it in its own process.

Mount this file into `/etc/localstack/init/start.d`, and the folder `compose/localstack/plugin` to `/opt/multistack`, or
to where MULTISTACK_PLUGIN says. Not below `start.d`: LocalStack would run every file in there.
"""

import os
import sys

sys.path.insert(0, os.environ.get("MULTISTACK_PLUGIN", "/opt/multistack"))

from multistack_localstack.cloudformation.install import install
from multistack_localstack.executor.patches import weighted_aliases

if install():
    weighted_aliases()
