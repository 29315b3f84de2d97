"""
Where stores and backends are.

LocalStack's stores and moto's backends exist once for each service, account and region. State that refers to one must,
after a restore, refer to the one that is there.
"""

from __future__ import annotations

from typing import Any

from localstack.services.stores import AccountRegionBundle, BaseStore
from moto.core.base_backend import BackendDict, BaseBackend

Bundle = AccountRegionBundle[Any] | BackendDict[Any]
# Kind and service of a bundle, account, region.
Place = tuple[str, str, str]

_bundles: dict[str, Bundle] = {}
_keys_of_backends: dict[type, str] = {}


def key_of(bundle: Bundle) -> str:
    """Under which *bundle* is known, e.g. ``moto:sqs``."""
    kind = "moto" if isinstance(bundle, BackendDict) else "store"
    return f"{kind}:{bundle.service_name}"


def register(bundle: Bundle) -> None:
    """Let what is in *bundle* have a place."""
    _bundles[key_of(bundle)] = bundle
    if isinstance(bundle, BackendDict):
        _keys_of_backends[bundle.backend] = key_of(bundle)


def of(value: BaseStore | BaseBackend) -> Place | None:
    """The place of *value*; None if it is not the one that is there."""
    if isinstance(value, BaseStore):
        key, account, region = f"store:{value._service_name}", value._account_id, value._region_name
    else:
        key, account, region = _keys_of_backends.get(type(value), ""), value.account_id, value.region_name
    bundle = _bundles.get(key)
    # Looked up as in any dictionary: asking a bundle makes what is not there.
    if bundle is None or dict.get(dict.get(bundle, account, {}), region) is not value:
        return None
    return key, account, region


def find(place: Place) -> Any:
    """What is at *place*; it is made if it is not there yet."""
    key, account, region = place
    return _bundles[key][account][region]
