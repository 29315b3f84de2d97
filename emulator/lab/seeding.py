"""The orders that each environment begins with: the same ids everywhere, told apart by their pieces."""

from __future__ import annotations

import http.client
import json

from emulator.errors import NotReady
from emulator.lab.topologies import Place, World
from emulator.lab.traffic import ORDER_IDS, PIECES

_PATIENCE = 30.0


def seed(world: World) -> None:
    """
    Post the orders, as a client would.

    Raises:
        NotReady: The service does not take one.
    """
    for place in world.places.values():
        for order in ORDER_IDS:
            _post(world.port, place, {"id": order, "item": "tea", "qty": PIECES[place.environment], "price": 19.99})


def _post(port: int, place: Place, order: dict[str, object]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"{place.path}/orders", body=json.dumps(order), headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"the lab's {place.path} does not answer: {error}", hint="multistack lab up") from error
    finally:
        connection.close()
    if response.status not in (201, 409):  # 409: it is there, a command that was stopped has posted it
        raise NotReady(
            f"the lab's {place.path} takes no order: {response.status} {body[:200].decode(errors='replace')}",
            hint="multistack lab down, then multistack lab up",
        )
