"""Calibration -> what `edgeml calibrate` prints: every model measured and predicted without it."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from edgeml.report import figures
from edgeml.target.calibrate.calibration import Calibration


def text(found: Calibration) -> Group:
    """Calibration -> what rich prints."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("model", no_wrap=True)
    for name in ("MMACs", "measured ms", "predicted ms, held out", "off", "by MACs alone ms"):
        table.add_column(name, justify="right")
    for row in found.rows:
        off = f"{100 * (row.predicted_ms / row.measured_ms - 1):+.0f} %"
        values = (row.mmacs, row.measured_ms, row.predicted_ms, row.by_macs_ms)
        mmacs, measured, predicted, by_macs = (figures.number(value) for value in values)
        table.add_row(*map(Text, (row.model, mmacs, measured, predicted, off, by_macs)))
    head = f"{found.base} fitted to {found.device} ({found.estimator}, {found.dtype} models)"
    notes = [Text(f"note: {note}") for note in found.notes]
    return Group(Text(head, style="bold"), table, Text(found.summary), *notes)
