"""Spec -> the sections of the card on data, training, search and how to do it again."""

from __future__ import annotations

from collections.abc import Iterable

from edgeml.data.goal import Goal
from edgeml.export.literals import markdown_text as text
from edgeml.export.search_spec import Lineage
from edgeml.export.spec import Spec
from edgeml.report import climb, figures
from edgeml.report.summary import duration
from edgeml.report.tables import plain


def _listed(title: str, items: Iterable[tuple[str, str]]) -> str:
    lines = [f"- {name}: {value}" for name, value in items if value]
    return f"## {title}\n\n" + "\n".join(lines)


def data(spec: Spec) -> str:
    """Which data, by hash, and how they were split."""
    found = spec.data
    height, width, channels = found.input_shape
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
    source = f"{text(found.source)} ({text(found.kind)}), {width} x {height} x {channels}"
    scaled = (found.value_scale, found.value_offset) != (1.0, 0.0)
    return _listed("Data", (
        ("source", source),
        ("images" if spec.kind == "image" else "samples", f"{counts}; {_split(spec)}"),
        ("SHA-256 of classes and splits", f"`{found.hash}`"),
        ("of the split alone", f"`{found.split_hash}`" if found.split_hash else ""),
        ("of the source's content", f"`{found.content_hash}`" if found.content_hash else ""),
        ("values", f"pixel = (value - {found.value_offset:g}) / {found.value_scale:g}" if scaled else ""),
        ("files that could not be read", str(found.skipped) if found.skipped else ""),
        ("warnings", text(" ".join(found.warnings), 2000)),
    ))  # fmt: skip


def _split(spec: Spec) -> str:
    """How the splits were made."""
    group = spec.data.asked.get("group")
    apart = f", each {text(str(group))} in one split only" if group else ""
    by = " by tenths of the target" if spec.data.task == "regression" else ""
    only = "; the training split holds what is normal only" if spec.data.task == "anomaly" else ""
    given = [name for name, part in spec.data.split_from.items() if part != "train" and name != "train"]
    if len(given) == 2:
        return f"split as the source is{only}"
    kept = f"{given[0]} as the source has it, else " if given else ""
    return f"{kept}stratified split{by} with seed {spec.data.seed}{apart}{only}"


def training(spec: Spec) -> str:
    """Recipe, amount, seed, and where the first weights came from."""
    own = spec.search.lineage
    recipe = ", ".join(
        f"{name.replace('_', ' ')} {plain(v)}" for name, v in spec.recipe.items() if v is not None
    )
    amount = f"{spec.fidelity['epochs']:g} epochs in batches of up to {spec.fidelity['batch_size']}"
    if spec.rebuilt:
        before = spec.data.goal.said(spec.rebuilt.scored.test.value)
        first = f"fresh: trained from scratch; the original scored {before} on its test split"
    elif own.parent:
        first = f"{figures.percent(own.inherited_fraction, 0)} inherited from {text(own.parent)} "
        first += f"({text(str(own.source))}): {text(own.lineage or 'no difference told', 400)}"
    elif own.source:
        first = f"{figures.percent(own.inherited_fraction, 0)} from the run's weight bank"
    else:
        first = "fresh"
    return _listed("Training", (
        ("recipe", text(recipe, 500)),
        ("amount", amount + ("" if spec.rebuilt else "".join(f"; {row}" for row in _rungs(spec)))),
        ("first weights", first),
        ("seed", f"{spec.seed} (weights, order of samples, augmentation)"),
        ("compression", text(_compression(own, spec.data.goal), 600)),
        ("int8", f"full integer, uint8 in and out, ranges {_ranges(spec)}"),
    ))  # fmt: skip


def _ranges(spec: Spec) -> str:
    found, compression = spec.calibration, spec.search.lineage.compression
    if compression and compression.method == "qat":
        return "as quantisation-aware training left them"
    share = f" {found.percentile:g}" if found.percentile else ""
    what = "images" if spec.kind == "image" else "samples"
    return f"from {found.images} training {what} ({found.rule}{share})"


def _compression(lineage: Lineage, goal: Goal) -> str:
    """What was done to a finalist after its training, in words."""
    found = lineage.compression
    if found is None:
        return ""
    said = found.model_dump(exclude={"of", "method"}, exclude_none=True)
    if found.drop is not None:
        said["drop"] = goal.gap(found.drop / 100, digits=2)
    of = f" of {found.of}" if found.of else ", as its recipe says"
    return f"{found.method}{of}: {plain(said)}"


def _rungs(spec: Spec) -> list[str]:
    lineage, said = spec.search.lineage, spec.data.goal.said
    found = []
    if lineage.climbed:
        steps = [f"rung {row.rung + 1}: {row.epochs:g} epochs, {said(row.accuracy)}" for row in lineage.rungs]
        found.append(f"over the rungs of the search ({', '.join(steps)} int8 on validation)")
    if kept := [row for row in lineage.further if row.kept]:
        steps = [f"{row.epochs:g} epochs: {said(row.before)} -> {said(row.accuracy)}" for row in kept]
        found.append(f"further from there in the time left ({', '.join(steps)} int8 on validation)")
    return found


def search(spec: Spec) -> str:
    """Strategy, space, budget, rungs, seeds, versions."""
    found, settings = spec.search, spec.search.settings
    trials = "as many architectures as fit" if settings.trials is None else f"{settings.trials} architectures"
    budget = trials + (f", {duration(settings.time_s)}" if settings.time_s else "")
    spent = f"; it ran for {duration(found.elapsed_s)}" if found.elapsed_s else ""
    goals = ", ".join(f"{one.direction} {figures.title(one.name)}" for one in found.objectives)
    limits = ", ".join(f"{name} <= {value:g}" for name, value in settings.limits.items())
    place = "the knee of the front" if found.knee else "on the front" if found.front else "not on the front"
    return _listed("How it was searched", (
        ("run", f"{text(found.run)}, {text(found.summary, 300)}"),
        ("this candidate", f"trial {found.trial}, {place}"),
        ("strategy", text(str(settings.strategy))),
        ("space", f"{text(found.space)}, {text(found.points)} points"),
        ("objectives", text(goals, 400)),
        ("limits", text(limits, 400)),
        ("budget", budget + spent),
        ("rungs", f"{text(found.ladder)}: {', then '.join(climb.share(rung) for rung in found.rungs)}"),
        ("did low rungs rank", text(" ".join(found.correlations), 500)),
        ("weights of new networks", text(f"--inherit {settings.inherit}")),
        ("compression of finalists", text(f"--compress {settings.compress}") if settings.compress else ""),
        ("seed", str(settings.seed)),
        ("versions", text(", ".join(f"{name} {number}" for name, number in spec.versions.items()), 500)),
        ("computer", text(plain(spec.host), 300)),
    ))  # fmt: skip


def again(spec: Spec) -> str:
    """Commands that check the folder, train the network again, and search again."""
    own = spec.search.lineage
    said = "`edgeml rebuild` trains this architecture from scratch with the same recipe, data and seed"
    if (own.climbed or own.inherited) and not spec.rebuilt:
        said += (
            f", for all of its {spec.fidelity['epochs']:g} epochs at once. In the search it climbed rungs or "
            "started from inherited weights, so the figures will differ"
        )
    fence = "`" * 3
    command = spec.search.command.encode("utf-8", "backslashreplace").decode()
    return (
        f"## Reproduce\n\n{said}. The second command starts the whole search again.\n\n{fence}\n"
        f"sha256sum -c SHA256SUMS\nedgeml rebuild .\n{command}\n{fence}"
    )
