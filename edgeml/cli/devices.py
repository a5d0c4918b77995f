"""Commands about models and devices: check, measure, calibrate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeml.cli.output import console, print_json, say

if TYPE_CHECKING:
    from edgeml.target.measurement import Measurement

CHECK_FAILED = 1


@click.command()
@click.argument("model", metavar="MODEL|RUN", type=click.Path(path_type=Path))
@click.option(
    "--target",
    multiple=True,
    help="Device profile; see `edgeml targets`. [default: cpu, or those of the run]",
)
@click.option("--json", "as_json", is_flag=True, help="A list of objects, one for each model and target.")
def check(model: Path, target: tuple[str, ...], as_json: bool) -> None:
    """Say operator by operator what a device makes of a .tflite file, or of the front of a run.

    Exit code 1 where a device refuses a model or a limit is broken.
    """
    from edgeml.api import check as check_models
    from edgeml.report.check_table import text

    found = check_models(model, target)
    if as_json:
        print_json([one.to_dict() for one in found])
    else:
        for one in found:
            console().print(text(one), highlight=False)
    if not all(one.ok for one in found):
        sys.exit(CHECK_FAILED)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target", default="cpu", show_default=True, help="Device profile; see `edgeml targets`.")
@click.option(
    "--device",
    help="Time it there instead: host, ssh://user@board or adb[:SERIAL], with the target's threads.",
)
@click.option("--json", "as_json", is_flag=True, help="An object instead of lines.")
def measure(model: Path, target: str, device: str | None, as_json: bool) -> None:
    """Measure a .tflite file on a target."""
    from edgeml.api import measure as measure_file

    found = measure_file(model, target, device)
    if as_json:
        print_json({name: m.to_dict() for name, m in found.items()})
        return
    for m in found.values():
        say(_line(m))
    if device is None:
        from edgeml.target.measure import known_target, passed_over

        for sentence in passed_over(known_target(target), found):
            say(f"note: {sentence}")


def _line(m: Measurement) -> str:
    spread = "" if m.low == m.high else f" [{m.low:.4g}, {m.high:.4g}]"
    return f"{m.metric}: {m.value:.6g}{spread} {m.unit}, {m.kind} by {m.tool}, n = {m.n}"


@click.command()
@click.option("--device", required=True, help="host, ssh://user@board, adb[:SERIAL] or csv:FILE.")
@click.option("--base", required=True, help="Device profile whose estimator is fitted.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="YAML file to write: targets/mine.yaml.",
)
@click.option(
    "--models", type=click.IntRange(10, 30), default=20, show_default=True, help="How many to time."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of models.")
@click.option("--force", is_flag=True, help="Replace the file where it exists.")
@click.option("--json", "as_json", is_flag=True, help="An object instead of a table.")
def calibrate(device: str, base: str, out: Path, models: int, seed: int, force: bool, as_json: bool) -> None:
    """Fit a profile's latency estimator to a device and write a profile with its held-out error.

    A designed set of models is timed on the device, or read from a CSV file with the columns model (path of a
    .tflite file) and latency_ms.
    """
    from edgeml.api import calibrate as calibrate_target

    found = calibrate_target(device, base, out, models=models, seed=seed, force=force)
    if as_json:
        print_json(found.to_dict())
    else:
        from edgeml.report.calibration_table import text
        from edgeml.resources import name_of

        console().print(text(found), highlight=False)
        say(f"wrote {out}; use it with --target {name_of('targets', out, 'target')}")
