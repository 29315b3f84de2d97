"""What unit tests of the emulator's parts share."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def api_id() -> str:
    """A REST API in MiniStack with nothing but its root."""
    from ministack.services import apigateway_v1

    found: str = json.loads(apigateway_v1._create_rest_api({"name": "api"})[2])["id"]
    return found
