"""
Modules that LocalStack imports at its start and few need: they are imported when first used.

While those that import them are loaded, a stand-in is in their place. 100 MB are EC2's backend, of which SSM wants one
name to send commands to instances; 20 MB each are EC2's API, of which CloudFormation wants two names for type checkers,
SAM's translator, and a validator of OpenAPI that is switched off.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

# Module, and the names that are taken from it.
Names = Mapping[str, Sequence[str]]

_OPENAPI: Names = {
    "openapi_core": ["OpenAPI"],
    "openapi_core.contrib.werkzeug": ["WerkzeugOpenAPIRequest", "WerkzeugOpenAPIResponse"],
    "openapi_core.exceptions": ["OpenAPIError"],
    "openapi_core.validation.request.exceptions": ["RequestValidationError"],
    "openapi_core.validation.response.exceptions": ["ResponseValidationError"],
}
_SSM: Names = {"moto.ec2": ["ec2_backends"]}
_CLOUDFORMATION: Names = {
    "localstack.aws.api.ec2": ["AvailabilityZoneList", "DescribeAvailabilityZonesResult"],
    "samtranslator.translator.managed_policy_translator": ["ManagedPolicyLoader"],
    "samtranslator.translator.transform": ["transform"],
}


class Late:
    """Stands for one name of a module; asked for anything, it imports the module and asks the real one."""

    def __init__(self, module: str, name: str) -> None:
        self._found: Callable[[], Any] = lambda: getattr(importlib.import_module(module), name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the real one."""
        return self._found()(*args, **options)

    def __getattr__(self, name: str) -> Any:
        """Of the real one."""
        return getattr(self._found(), name)

    def __getitem__(self, key: Any) -> Any:
        """Of the real one."""
        return self._found()[key]


@contextmanager
def standing_in(names: Names) -> Iterator[None]:
    """For as long as the importers are loaded; a module that is there already stays itself."""
    made = {module: _stand_in(module, wanted) for module, wanted in names.items() if module not in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for module, stand_in in made.items():
            if sys.modules.get(module) is stand_in:
                del sys.modules[module]


def _stand_in(module: str, names: Sequence[str]) -> ModuleType:
    made = ModuleType(module)
    for name in names:
        setattr(made, name, Late(module, name))
    return made


def load_gateway(*, validates: bool) -> None:
    """Load what handles requests; *validates*: against LocalStack's OpenAPI, which its settings can ask for."""
    with standing_in({} if validates else _OPENAPI):
        importlib.import_module("localstack.aws.handlers.validation")


def load_ssm() -> None:
    """Load SSM's backend."""
    with standing_in(_SSM):
        importlib.import_module("moto.ssm.models")


def load_cloudformation() -> None:
    """Load CloudFormation's engines."""
    with standing_in(_CLOUDFORMATION):
        importlib.import_module("localstack.services.cloudformation.v2.provider")
