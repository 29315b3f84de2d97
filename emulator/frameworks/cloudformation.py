"""Plain CloudFormation templates, as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.frameworks.service import GivenValue, Packaging, Service
from emulator.image_code import image_sources, pin_images
from emulator.including import files_of_template, read_whole
from emulator.settings import TEMPLATE_NAMES
from emulator.template import local_code


class CloudFormation:
    """Whatever no other framework recognises is taken for a template."""

    name = "CloudFormation"
    files = TEMPLATE_NAMES

    def recognises(self, path: Path) -> bool:
        """Always: that it is no template is said when it is read."""
        return True

    def parameters(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        """The template's own."""
        return dict(read_whole(path).get("Parameters", {}))

    def values(self, path: Path, environment: str) -> Mapping[str, GivenValue]:
        """None: a template has defaults only."""
        return {}

    def stages(self, path: Path) -> Sequence[str]:
        """None: a template knows no environments."""
        return ()

    def sources(self, path: Path) -> Sequence[Path]:
        """The template with those that it includes, and the code that they name."""
        template = read_whole(path)
        code = [one.path for one in local_code(template, path.parent)]
        return [*files_of_template(path), *code, *(one.context for one in image_sources(template, path.parent))]

    def read(self, path: Path, packaging: Packaging) -> Service:
        """The template, whose local paths start where it lies."""
        template = pin_images(read_whole(path), path.parent, packaging.images)
        return Service(template=template, folder=path.parent, path=path)
