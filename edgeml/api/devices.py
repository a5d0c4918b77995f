"""Models and devices: measure, check, calibrate. What loads a model does so in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgeml.errors import ModelError, RunError

if TYPE_CHECKING:
    from edgeml.target.calibrate.calibration import Calibration
    from edgeml.target.check import Check
    from edgeml.target.measurement import Measurement

Result = TypeVar("Result")

MEASURE_LIMIT_S = 120
"""Beside what a profile allows its meters: for reading a model and for what has no limit of its own."""
CALIBRATE_LIMIT_S = 3600


def measure(model: Path, target: str = "cpu", device: str | None = None) -> dict[str, Measurement]:
    """Measure a .tflite file on a target, in a child process; the work of `edgeml measure`.

    Args:
        model: .tflite file.
        target: name or path of a profile.
        device: "host", "ssh://user@board" or "adb[:SERIAL]": time it there, not by the profile's meters.

    Raises:
        EdgemlError: not a model, one that crashes the runtime, no such target, a device that does not answer.
    """
    from edgeml.deploy.runtime import read_file
    from edgeml.target.measure import known_target, longest_s
    from edgeml.target.measure import measure as measure_model

    profile, content = known_target(target), read_file(model)
    if device is not None:
        from edgeml.target.devices import settings_of, time_on

        given = settings_of(device, profile)
        session_s, limit_s = (given.timeout_s, given.longest_s) if given else (None, 0.0)
        asked = (device, {model.name: content}, profile.threads, session_s)
        found = in_child(model, time_on, *asked, limit_s=MEASURE_LIMIT_S + limit_s)
        return {"latency_ms": found[model.name]}
    limit_s = MEASURE_LIMIT_S + longest_s(profile)
    return in_child(model, measure_model, content, None, profile, limit_s=limit_s)


def check(path: Path, targets: Sequence[str] = ()) -> list[Check]:
    """Check a .tflite file, or every model on the front of a run; the work of `edgeml check`.

    Args:
        path: .tflite file or run directory.
        targets: names or paths of profiles; none for those of the run, or "cpu".

    Raises:
        EdgemlError: not a model or a run, no such target.
    """
    from edgeml.deploy.runtime import read_file
    from edgeml.report.run_files import open_run
    from edgeml.search.own_files import own
    from edgeml.search.run_dir import RunDir
    from edgeml.target.check import check as check_model
    from edgeml.target.measure import longest_s
    from edgeml.target.targets import Targets

    if _is_folder(path):
        files = open_run(path)
        folder = RunDir(path).candidates
        models = {c.key: read_file(folder / c.key / "model.tflite") for c in files.front_candidates}
        named = targets or own(path, "targets", (files.run.get("settings") or {}).get("targets") or ())
        if not models:
            raise RunError(f"{path} has no finished candidate to check; go on with `edgeml search --resume`.")
    else:
        models, named = {str(path): read_file(path)}, targets or ["cpu"]
    members = Targets.load(named).members
    return [
        in_child(path, check_model, content, target, name, limit_s=MEASURE_LIMIT_S + longest_s(target))
        for name, content in models.items()
        for target in members
    ]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a name longer than the file system takes
        raise ModelError(f"{path}: cannot be read ({error.strerror}); expected a model or a run.") from error


def calibrate(
    device: str, base: str, out: Path, *, models: int = 20, seed: int = 0, force: bool = False
) -> Calibration:
    """Fit a profile's estimator to a device and write the new profile; the work of `edgeml calibrate`.

    Args:
        device: "host", "ssh://user@board", "adb[:SERIAL]" or "csv:FILE".
        base: name or path of the profile whose estimator is fitted.
        out: YAML file to write.
        models: how many models are timed, 10 to 30.
        seed: of their choice.
        force: replace `out` where it exists.

    Raises:
        EdgemlError: no such profile or estimator, a device that does not answer, a CSV that cannot be used.
    """
    from edgeml.target.calibrate.calibration import calibrate as fit_profile

    work = partial(fit_profile, models=models, seed=seed, force=force)
    return in_child(None, work, device, base, out, limit_s=CALIBRATE_LIMIT_S)


def in_child(
    path: Path | None, function: Callable[..., Result], *arguments: Any, limit_s: float = MEASURE_LIMIT_S
) -> Result:
    """Run something that loads models in a quiet process of its own, with a time limit.

    Args:
        path: of a model, for messages; None where there are several.
        function: module-level.
        arguments: of the function.
        limit_s: seconds.
    """
    from edgeml.search.workers.executor import WorkerDiedError, Workers

    workers, which = Workers(Path(os.devnull)), path or "a model"
    try:
        return workers.submit(function, *arguments).result(limit_s)
    except WorkerDiedError as error:
        raise ModelError(f"{which}: the runtime crashed on it; it cannot be used.") from error
    except TimeoutError as error:
        raise ModelError(
            f"{which}: no answer within {limit_s:g} s; it is too slow or hangs the runtime."
        ) from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}" if path else str(error)) from error
    finally:
        workers.kill()
