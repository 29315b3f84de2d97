"""The gap that ``emulator.drivers.launcher.gaps.any_method`` fills."""

from __future__ import annotations

import pytest
from ministack.services import apigateway_v1

from emulator.drivers.launcher.gaps import any_method

_SPEC = {
    "info": {"title": "orders", "version": "1.0"},
    "paths": {"/{proxy+}": {"x-amazon-apigateway-any-method": {"responses": {}}}},
}


def _imported_methods() -> set[str]:
    api = apigateway_v1._import_rest_api(_SPEC)
    return {
        method for resource in apigateway_v1._resources[api].values() for method in resource.get("resourceMethods", {})
    }


def test_ministack_still_skips_any_methods() -> None:
    """When this fails, MiniStack imports them itself: delete any_method.py and this file."""
    assert _imported_methods() == set()


def test_any_methods_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the addition, the extension becomes the method ANY."""
    for name in ("_import_path_item", "_OPENAPI_HTTP_METHODS"):
        monkeypatch.setattr(apigateway_v1, name, getattr(apigateway_v1, name))
    any_method.apply()
    assert _imported_methods() == {"ANY"}
