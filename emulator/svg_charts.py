"""Charts as SVG for pages without scripts, drawn by pygal."""

from __future__ import annotations

import sys
from typing import Any


def import_pygal() -> tuple[Any, Any]:
    """
    The library and its class of styles.

    Late, as it takes long; without the finder that it leaves behind, of a kind that Python 3.12 has no use for.
    """
    import pygal
    from pygal.style import Style

    sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("pygal")]
    return pygal, Style


def plain_style(*colors: str, **more: Any) -> Any:
    """A style that takes the page's own font and colour of text, and has no background."""
    _, style_of = import_pygal()
    return style_of(
        background="transparent",
        plot_background="transparent",
        foreground="currentColor",
        foreground_strong="currentColor",
        foreground_subtle="currentColor",
        font_family="system-ui, sans-serif",
        colors=colors,
        **more,
    )


def draw(chart: Any) -> str:
    """A chart as SVG to put into a page."""
    chart.add_xml_filter(_without_scripts)
    return str(chart.render(is_unicode=True))


def _without_scripts(root: Any) -> Any:
    """pygal writes its settings for a script where it is told to do without one, and its address as comments."""
    for parent in list(root.iter()):
        for child in [one for one in parent if not isinstance(one.tag, str) or one.tag.endswith("script")]:
            parent.remove(child)
    return root
