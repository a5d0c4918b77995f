"""The page's charts and the frame of its sections."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeml.report.markup import Child, Markup, join, tag
from edgeml.report.plots import Spec


@dataclass
class Charts:
    """The page's charts; `place` hands out the element that a chart will be drawn into."""

    specs: list[Spec] = field(default_factory=list)

    def place(self, title: str, spec: Spec | None, note: str = "") -> Markup | None:
        """Title and chart -> figure element, or None without a chart."""
        if spec is None:
            return None
        self.specs.append({**spec, "description": title})  # becomes the drawing's label for screen readers
        box = tag("div", id=f"chart-{len(self.specs) - 1}", class_="chart", role="img", aria_label=title)
        return tag("figure", tag("figcaption", title), box, tag("p", note, class_="note") if note else None)


def section(title: str, *children: Child) -> Markup | None:
    """A section with its heading; None where there is nothing in it."""
    body = join(children)
    return tag("section", tag("h2", title), body) if body else None
