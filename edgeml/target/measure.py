"""What a model costs on a target: from its graph before training, from its bytes afterwards.

Every metric comes from the first of the target's meters that gives it. Size, RAM, MACs and parameters are
known without a meter; a meter of the target that gives them too has the better figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version

from edgeml.arch.cost import Cost, cost
from edgeml.arch.graph import Graph
from edgeml.deploy.tflite_outline import outline
from edgeml.errors import UnknownNameError
from edgeml.target.measurement import Measurement, exact
from edgeml.target.meter import Figures, MeterEntry, MeterUnavailableError, Subject, options
from edgeml.target.meters import litert_host
from edgeml.target.profile import Target, load_target


def known_target(name: str) -> Target:
    """Name or path -> Target whose meters exist and whose options fit them.

    Raises:
        UnknownNameError: no such target, or it names a meter that does not exist.
        ConfigError: the file does not validate.
    """
    target = load_target(name)
    for meter in (*target.meters, *target.options):
        if meter not in METERS:
            raise UnknownNameError("meter", meter, METERS)
        options(target, meter, METERS[meter].options)
    return target


def expected(graph: Graph, target: Target) -> Figures:
    """What is known of an architecture before it is trained: exact counts and estimates."""
    found = _own_figures(cost(graph))
    subject = Subject(outline(graph))
    return found | _by_meters({"": subject}, target, lambda entry: entry.before_training)[""]


def measure(model: bytes, known: Cost | None, target: Target) -> Figures:
    """TFLite bytes and its graph's cost -> every metric of the target.

    Args:
        model: flatbuffer.
        known: of the graph it was made from; None for a foreign file (then no parameters and no own RAM).
        target: decides the meters.

    Raises:
        ModelError: the device cannot run it.
    """
    found = _own_figures(known) if known else {}
    found["size_bytes"] = exact("size_bytes", len(model), "bytes", "measured", "length of the .tflite file")
    subject = Subject.of(model)
    if known is None:
        found["macs"] = exact("macs", subject.model.macs, "MACs", "counted", _own("operators of the file"))
    return found | _by_meters({"": subject}, target)[""]


def measure_again(models: Mapping[str, bytes], target: Target) -> dict[str, Figures]:
    """Models by name -> the figures that differ from run to run, all taken in one session."""
    subjects = {name: Subject.of(model) for name, model in models.items()}
    return _by_meters(subjects, target, lambda entry: entry.wall_clock)


def _by_meters(
    subjects: Mapping[str, Subject], target: Target, wanted: Callable[[MeterEntry], bool] = lambda _: True
) -> dict[str, Figures]:
    """Figures of every model by the target's meters; the first that gives a metric decides it."""
    found: dict[str, Figures] = {name: {} for name in subjects}
    known: set[str] = set()
    for meter in target.meters:
        entry = METERS[meter]
        if not set(entry.metrics) - known:
            continue
        if not wanted(entry):
            continue
        try:
            given = entry.measure(subjects, target)
        except MeterUnavailableError:
            continue
        for name, figures in given.items():
            found[name] = figures | found[name]
        known |= set.intersection(*(set(figures) for figures in found.values()))
    return found


def _own_figures(known: Cost) -> Figures:
    return {
        "size_bytes": exact("size_bytes", known.size_bytes, "bytes", "estimated", _own("fit on file sizes")),
        "ram_bytes": exact("ram_bytes", known.ram_bytes, "bytes", "estimated", _own("liveness of activations")),
        "macs": exact("macs", known.macs, "MACs", "counted", _own("graph")),
        "params": exact("params", known.params, "parameters", "counted", _own("graph")),
    }


def _own(what: str) -> str:
    return f"edgeml {version('edgeml')} {what}"


METERS: dict[str, MeterEntry] = {
    "litert_host": MeterEntry(
        litert_host.measure,
        metrics=("latency_ms",),
        kind="measured",
        does="Times LiteRT on this computer, models in turn.",
        wall_clock=True,
        options=litert_host.HostOptions,
    ),
}
"""Meters by the name used in target files."""
