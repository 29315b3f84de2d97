"""Waiting for an emulator to be healthy."""

from __future__ import annotations

import pytest

from emulator.endpoint import wait_until_healthy
from emulator.errors import NotReady
from emulator.model import Endpoint
from tests.functional.servers import web_server


def test_another_emulator_on_the_port_of_one_that_died_is_not_it() -> None:
    """Else the service would be deployed into somebody else's environment."""
    with web_server(body=b'{"services": {"s3": "available"}}') as other:
        endpoint = Endpoint(
            environment="test",
            url=f"http://127.0.0.1:{other.server_address[1]}",
            account_id="111111111111",
            region="eu-west-1",
        )
        assert wait_until_healthy(endpoint, timeout=5) == {"s3": "available"}
        with pytest.raises(NotReady, match="environment test: its emulator ended while starting"):
            wait_until_healthy(endpoint, timeout=5, give_up=lambda: "its emulator ended while starting")
