"""What a model costs on a target: from its graph before training, from its bytes afterwards.

Every metric comes from the first of the target's meters that gives it. Size, RAM, MACs and parameters are
known without a meter; a meter of the target that gives them too has the better figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version

from edgeml.arch.cost import Cost, cost
from edgeml.arch.graph import Graph
from edgeml.deploy.tflite_outline import outline
from edgeml.errors import ModelError, UnknownNameError
from edgeml.target.measurement import exact
from edgeml.target.meter import (
    Figures,
    MeterEntry,
    MeterUnavailableError,
    Subject,
    UnreadableModelError,
    options,
)
from edgeml.target.meter_table import METERS
from edgeml.target.profile import Target, load_target
from edgeml.target.rule_sets import refusals, verdicts


def known_target(name: str) -> Target:
    """Name or path -> Target whose meters exist and whose options fit them.

    Raises:
        UnknownNameError: no such target, or it names a meter or a rule set that does not exist.
        ConfigError: the file does not validate.
    """
    target = load_target(name)
    for meter in (*target.meters, *target.options):
        if meter not in METERS:
            raise UnknownNameError("meter", meter, METERS)
        options(target, meter, METERS[meter].options)
    refusals(target)
    return target


def expected(graph: Graph, target: Target) -> Figures:
    """What is known of an architecture before it is trained: exact counts and estimates."""
    found = _own_figures(cost(graph))
    subject = Subject(outline(graph))
    found |= _by_meters({"": subject}, target, lambda entry: entry.before_training)[""]
    return _with_host_ops(found, subject, target)


def figures_at_rest(subject: Subject, target: Target) -> Figures:
    """A model -> what can be said of it without timing anything.

    Raises:
        ModelError: the device cannot run it.
    """
    found = _file_figures(subject)
    found |= _by_meters({"": subject}, target, lambda entry: not entry.wall_clock)[""]
    return _with_host_ops(found, subject, target)


def measure(model: bytes, known: Cost | None, target: Target) -> Figures:
    """TFLite bytes and its graph's cost -> every metric of the target.

    Args:
        model: flatbuffer.
        known: of the graph it was made from; None for a foreign file (then no parameters and no own RAM).
        target: decides the meters.

    Raises:
        ModelError: the device cannot run it.
    """
    subject = Subject.of(model)
    found = (_own_figures(known) if known else {}) | _file_figures(subject)
    found |= _by_meters({"": subject}, target)[""]
    return _with_host_ops(found, subject, target)


def measure_again(models: Mapping[str, bytes], target: Target) -> dict[str, Figures]:
    """Models by name -> the figures that differ from run to run, all taken in one session.

    What an earlier meter of the profile says without a clock is not timed by a later one.
    """
    subjects, timed = {name: Subject.of(model) for name, model in models.items()}, metrics_of_clock(target)

    def wanted(entry: MeterEntry) -> bool:
        return entry.wall_clock and not timed.isdisjoint(entry.kinds)

    found = _by_meters(subjects, target, wanted)
    return {
        name: {metric: figure for metric, figure in figures.items() if metric in timed}
        for name, figures in found.items()
    }


def passed_over(target: Target, found: Figures) -> list[str]:
    """Figures of a model -> a sentence for each meter that would give others but cannot be used here."""
    said = []
    for meter in target.meters:
        entry = METERS[meter]
        worse = [m for m, kind in entry.kinds.items() if m in found and found[m].kind != kind]
        if worse and (reason := entry.missing(target)):
            kinds = " or ".join(sorted({found[metric].kind for metric in worse}))
            said.append(
                f"{', '.join(worse)}: {kinds}, since {meter} cannot be used here ({reason.rstrip('.')})."
            )
    return said


def longest_s(target: Target) -> float:
    """Seconds that the target's meters may take for a model, by the limits that the profile gives them."""
    return sum(options(target, meter, METERS[meter].options).longest_s for meter in target.meters)


def metrics_of_artifact(target: Target) -> set[str]:
    """Metrics that a usable meter of the target reads off the artifact, trained or not."""
    entries = [METERS[name] for name in target.meters]
    usable = [entry for entry in entries if not entry.before_training and not entry.missing(target)]
    return {metric for entry in usable for metric in entry.metrics}


def metrics_of_outline(target: Target) -> set[str]:
    """Metrics that the target's estimators and rules tell of an architecture before it is trained."""
    entries = [METERS[name] for name in target.meters if METERS[name].before_training]
    found = {metric for entry in entries for metric in entry.metrics}
    return found | ({"host_ops"} if target.rules else set()) | {"ram_bytes"}


def metrics_of_clock(target: Target) -> set[str]:
    """Metrics that a stopwatch decides, so that they differ from run to run."""
    known: set[str] = set()
    timed: set[str] = set()
    for entry in (METERS[name] for name in target.meters):
        if not entry.missing(target):
            timed |= set(entry.metrics) - known if entry.wall_clock else set()
            known |= set(entry.metrics)
    return timed


def _by_meters(
    subjects: Mapping[str, Subject], target: Target, wanted: Callable[[MeterEntry], bool] = lambda _: True
) -> dict[str, Figures]:
    """Figures of every model by the target's meters; the first that gives a metric decides it.

    Raises:
        ModelError: the device cannot run a model, or no meter here can look into it.
    """
    found: dict[str, Figures] = {name: {} for name in subjects}
    known: set[str] = set()
    unread: UnreadableModelError | None = None
    untimed: list[str] = []
    for meter in target.meters:
        entry = METERS[meter]
        if not set(entry.metrics) - known:
            continue
        if not wanted(entry):
            continue
        try:
            given = entry.measure(subjects, target)
        except MeterUnavailableError as error:
            untimed += [f"{meter}: {str(error).rstrip('.')}"] if entry.wall_clock else []
            continue
        except UnreadableModelError as error:
            unread = error
            continue
        for name, figures in given.items():
            found[name] = figures | found[name]
        known |= set.intersection(*(set(figures) for figures in found.values()))
    if unread is not None and not any(found.values()):
        raise ModelError(f"{str(unread).rstrip('.')} ({'; '.join(untimed)})." if untimed else str(unread))
    return found


def _with_host_ops(found: Figures, subject: Subject, target: Target) -> Figures:
    """Operators that the target's rules refuse, where no meter counted them."""
    if target.rules is None or "host_ops" in found:
        return found
    refused = sum(not v.mapped for v in verdicts(subject.model, subject.content, target))
    return found | {"host_ops": exact("host_ops", refused, "operators", "estimated", _own("rules"))}


def _file_figures(subject: Subject) -> Figures:
    """What the file itself says; a compiled one does not say its MACs."""
    model = subject.model
    size = exact("size_bytes", model.file_bytes, "bytes", "measured", "length of the .tflite file")
    macs = exact("macs", model.macs, "MACs", "counted", _own("operators of the file"))
    return {"size_bytes": size} | ({} if model.compiled_for_edgetpu else {"macs": macs})


def _own_figures(known: Cost) -> Figures:
    return {
        "size_bytes": exact("size_bytes", known.size_bytes, "bytes", "estimated", _own("fit on file sizes")),
        "ram_bytes": exact(
            "ram_bytes", known.ram_bytes, "bytes", "estimated", _own("liveness of activations")
        ),
        "macs": exact("macs", known.macs, "MACs", "counted", _own("graph")),
        "params": exact("params", known.params, "parameters", "counted", _own("graph")),
    }


@cache
def _own(what: str) -> str:
    """Tool of a figure of edgeml's own; importlib.metadata reads a file for each answer."""
    return f"edgeml {version('edgeml')} {what}"
