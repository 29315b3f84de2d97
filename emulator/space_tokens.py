from pathlib import Path

from emulator.model import Space


def join_url(url: str, state: Path, space: Space) -> str:
    return f"{url}/{space.name}/"
