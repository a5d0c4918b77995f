"""Numbers -> the words people read: units, intervals, and always the kind of a figure."""

from __future__ import annotations

from collections.abc import Iterable

from edgeml.report.run_files import Figure, RunFiles

KIND_MARKS = {"measured": "m", "compiled": "c", "estimated": "e"}
"""The letter behind a figure in a narrow table, by the figure's kind."""

TITLES = {
    "accuracy": "accuracy",
    "latency_ms": "latency",
    "size_bytes": "size",
    "size_zip_bytes": "size zipped",
    "ram_bytes": "RAM",
    "flash_bytes": "flash",
    "parameter_bytes": "parameters on the device",
    "on_chip_bytes": "on chip",
    "streamed_bytes": "streamed",
    "host_ops": "operators left to the host",
    "macs": "MACs",
    "params": "parameters",
}
"""How people call a metric, by its name before any "@target"."""


def percent(fraction: float | None, digits: int = 1) -> str:
    """0.973 -> "97.3 %"; None -> "-"."""
    return "-" if fraction is None else f"{100 * fraction:.{digits}f} %"


def score(run: RunFiles, value: float | None, digits: int = 1) -> str:
    """A score of a run, 0..1, in the unit of its metric: "97.3 %", "0.973", "12.3"."""
    return run.goal.said(value, digits)


def many(number: int, noun: str) -> str:
    """1, "candidate" -> "1 candidate"; 2 -> "2 candidates"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def title(metric: str) -> str:
    """`latency_ms@coral` -> "latency on coral"."""
    base, _, target = metric.partition("@")
    words = TITLES.get(base, base.replace("_", " "))
    return f"{words} on {target}" if target else words


def capital(words: str) -> str:
    """The beginning of a sentence: its first letter is a capital."""
    return words[:1].upper() + words[1:]


IN_MIB = ("parameter_bytes", "on_chip_bytes", "streamed_bytes")
"""Shown in MiB, the unit of edgetpu_compiler and of the chip's memory."""


def unit(metric: str) -> str:
    """The unit in which a metric is shown, which for bytes is kB (1000 bytes) or MiB."""
    base = metric.partition("@")[0]
    if base in IN_MIB:
        return "MiB"
    if base.endswith("_bytes"):
        return "kB"
    return base.rpartition("_")[2] if base.endswith(("_ms", "_mj", "_s")) else ""


def heading(metric: str) -> str:
    """`latency_ms` -> "latency, ms": a metric with the unit in which it is shown."""
    words = unit(metric)
    return title(metric) + (f", {words}" if words else "")


def scale(metric: str) -> float:
    """Factor from the stored value to the one shown in `unit`."""
    if unit(metric) == "MiB":
        return 2.0**-20
    return 1e-3 if metric.partition("@")[0].endswith("_bytes") else 1.0


def count(value: float | None) -> str:
    """1234567 -> "1.23 M"."""
    if value is None:
        return "-"
    for limit, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * limit:  # what three digits would round up to 1e+03 of the unit below
            return f"{value / limit:.3g}{letter}"
    return f"{value:.4g}"


def number(value: float | None) -> str:
    """Three significant digits without an exponent: 0.0512, 1.23, 61.2, 1234."""
    if value is None:
        return "-"
    if value and abs(value) < 1e-4:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:#.3g}"
    return text.rstrip(".")


def shown(figure: Figure) -> str:
    """Figure -> "0.0512 ms", "61.2 kB" or "1.23 M"."""
    if not (words := unit(figure.metric)):
        return count(figure.value)
    return f"{number(figure.value * scale(figure.metric))} {words}"


def interval(figure: Figure) -> str:
    """Figure -> "0.0490 to 0.0520", or nothing where there is no interval."""
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return ""
    if not unit(figure.metric):
        return f"{count(figure.low)} to {count(figure.high)}"
    factor = scale(figure.metric)
    return f"{number(figure.low * factor)} to {number(figure.high * factor)}"


def unmeasured(kinds: Iterable[str]) -> str:
    """What stands behind figures: their kinds in brackets, nothing where all were measured."""
    found = sorted(set(kinds))
    return "" if found == ["measured"] else f" ({', '.join(found)})"


def told(figure: Figure) -> str:
    """Figure -> "0.0512 ms", "61.2 kB (estimated)": measured ones stand bare (docs/report.md)."""
    return shown(figure) + unmeasured([figure.kind])


def mark(kind: str) -> str:
    """Kind -> its letter; a kind nobody announced shows its first letter, in capitals."""
    return KIND_MARKS.get(kind, kind[:1].upper() or "?")


def legend(kinds: Iterable[str]) -> str:
    """Kinds in use -> "m measured, c compiled, e estimated" and any other kind that occurs."""
    others = sorted(set(kinds) - set(KIND_MARKS))
    return ", ".join(f"{mark(kind)} {kind}" for kind in (*KIND_MARKS, *others))
