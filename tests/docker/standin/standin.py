"""MiniStack with what the driver asks of an image of multistack: its condition, and a checkpoint on request."""

import asyncio
import json
import os
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack

# A file beside the state: what is in it is what is wrong.
_PROBLEM = Path("/var/lib/localstack/problem")


async def app(scope, receive, send):
    """The two routes, and MiniStack's own behind them."""
    path = scope.get("path", "")
    if path == "/_standin/checkpoint":
        ministack.save_all(ministack._build_persistence_save_dict())
        await _answer(send, {})
    elif path == "/_multistack/state":
        problem = _PROBLEM.read_text().strip() if _PROBLEM.exists() else ""
        await _answer(send, {"problem": problem, "loss": ""})
    else:
        await ministack.app(scope, receive, send)


async def _answer(send, content):
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


if __name__ == "__main__":
    Path(os.environ["STATE_DIR"]).mkdir(parents=True, exist_ok=True)
    config = Config()
    config.bind = ["0.0.0.0:4566"]
    asyncio.run(serve(app, config))
