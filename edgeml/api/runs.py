"""Runs: search, and what can be done with one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeml.errors import ConfigError, DeviceError, ModelError, RunError, UnknownNameError

if TYPE_CHECKING:
    from edgeml.search.progress import Listener
    from edgeml.search.settings import Settings
    from edgeml.search.workers.compute import Compute

LONGEST_STEM = 60
"""Characters of a run directory's own name: 255 bytes are the most that file systems take."""


@dataclass(frozen=True)
class Run:
    """A finished or interrupted search.

    Attributes:
        path: the run directory.
        status: "finished" or "interrupted".
    """

    path: Path
    status: str

    @property
    def leaderboard(self) -> list[dict[str, Any]]:
        """What `edgeml leaderboard --json` prints."""
        from edgeml.report.leaderboard import rows
        from edgeml.report.run_files import open_run

        return rows(open_run(self.path))

    @property
    def front(self) -> list[dict[str, Any]]:
        """Leaderboard rows of the Pareto front, most accurate first."""
        return [row for row in self.leaderboard if row["pareto"]]

    def report(self) -> Path:
        """Write report.html and return its path."""
        from edgeml.report.page import write_report

        return write_report(self.path)

    def export(
        self, pick: str = "preferred", formats: Iterable[str] = ("tflite", "onnx"), out: Path | None = None
    ) -> Path:
        """Write a candidate's files and return their folder.

        Raises:
            ModelError: a format is not what was scored; the files are there, their card says so.
        """
        from edgeml.api.exports import export

        done = export(self.path, pick, tuple(formats), out)
        if not done.ok:
            raise ModelError(f"{done.folder}: {' '.join(done.failures)}")
        return done.folder


def search(
    data: Any = None,
    target: str | Sequence[str] | None = None,
    *,
    space: str | None = None,
    strategy: str | None = None,
    trials: int | None = None,
    time_s: float = 0.0,
    limits: Mapping[str, float] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    epochs: float | None = None,
    inherit: str | None = None,
    fidelity: str | None = None,
    curves: bool = True,
    confirm: bool = False,
    compress: str | None = None,
    max_drop: float | None = None,
    image_size: int | None = None,
    strict: bool = False,
    task: str | None = None,
    label: str | None = None,
    group: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    metric: str | None = None,
    prefer: str | None = None,
    budget: str | None = None,
    deterministic: bool = False,
    listener: Listener | None = None,
    compute: Compute | None = None,
) -> Run:
    """Search architectures for a data set and a device; the work of `edgeml search`.

    Args:
        data: "digits" or a path (docs/data.md); or arrays (x, y), {"train": (x, y), "test": (x, y)}, or a
            finite tf.data.Dataset of (image, label), kept in the cache. May be left out with `resume`.
        target: name or path of a target profile, or several: then each has its objectives, and there is one
            front. "cpu" when None.
        space: search space; when None that for the kind of data, of images the (first) target's own.
        strategy: "auto" (default), "grid", "random", "bayesian", "evolution" or "rl".
        trials: how many architectures to train; default: 30, or with `time_s` as many as it allows.
        time_s: seconds for the search; 0 for no limit.
        limits: by metric, for example {"size_bytes": 100_000}; "ram_bytes@mcu-m7" for one of several targets.
        out: run directory; a new one under runs/ when None.
        resume: go on with the run in `out`.
        seed: of everything random.
        epochs: of full training; the data set's size decides when None.
        inherit: where new networks' weights come from: "auto" (default), "morph", "bank" or "none".
        fidelity: the ladder of rungs: "fast", "balanced" (default), "full" or a YAML file.
        curves: end trainings whose learning curve will hardly reach the front.
        confirm: train the front's members from scratch too and report both accuracies.
        compress: what is done to the front's members at the end: "auto" (default), "ptq", "qat",
            "prune[:0.7]", "prune:2:4", "cluster[:32]" or "none". A resumed run may name another.
        max_drop: points of accuracy (of an error: per cent of the best constant's) that int8 may lose against
            float (default 0.5); beyond it "auto" trains quantisation-aware, and the report warns.
        image_size: side in pixels for folders of images.
        strict: unreadable files are fatal.
        task: what the data are, one of edgeml.data.options.TASK_NAMES; guessed when None.
        label: name of the label column of a table.
        group: name of the column whose equal values (a person, a recording) stay in one split.
        window: samples of a sensor window.
        stride: samples from one window to the next.
        metric: what is maximised (edgeml.data.metrics.METRICS); the task's own when None.
        prefer: "balanced" (default), "accuracy", "latency" or "size": which member of the front is picked,
            and where the search looks harder (docs/presets.md).
        budget: "quick", "standard" (default) or "thorough": trials, time, epochs and fidelity where they are
            not given, by the size of the data.
        deterministic: the same call gives the same files, byte for byte (docs/scale.md).
        listener: told about progress.
        compute: where evaluations run: worker processes, a cluster, a shared study (docs/scale.md).

    Returns:
        The run; its `front` holds the Pareto-optimal models.

    Raises:
        EdgemlError: bad input, limits that nothing meets, a run directory that cannot be used.
    """
    from edgeml.data.given import as_path
    from edgeml.search.archive.preference import DEFAULT_PREFER, preferring
    from edgeml.search.budget import DEFAULT_BUDGET
    from edgeml.search.budget import budget as budget_of
    from edgeml.search.finishing.compression import DEFAULT_COMPRESS, DEFAULT_MAX_DROP
    from edgeml.search.own_files import own
    from edgeml.search.run_dir import RunDir
    from edgeml.search.session import run_session
    from edgeml.search.settings import (
        DEFAULT_INHERIT,
        DEFAULT_STRATEGY,
        INHERITS,
        Settings,
    )
    from edgeml.search.workers.compute import LOCAL
    from edgeml.target.targets import Targets

    if trials is not None and trials < 1:
        raise ConfigError(f"--trials {trials}: expected at least 1.")
    if inherit is not None and inherit not in INHERITS:
        raise UnknownNameError("--inherit", inherit, INHERITS)
    old: dict[str, Any] = {}
    if resume:
        run_dir = RunDir(_path_to_resume(out))
        resume = data is None or not run_dir.unbegun  # with its data, one killed before it had begun begins
    if resume:
        old = run_dir.open()["settings"]
        data = old.get("data") if data is None else data
    if data is None:
        raise ConfigError(
            "--data is missing; give digits, a folder of class folders, a .npz file or IDX files."
        )
    named = [target] if isinstance(target, str) else list(target or old.get("targets") or ["cpu"])
    files = own(run_dir.path, "targets", named) if resume else named
    targets = preferring(Targets.load(files), prefer or str(old.get("prefer", DEFAULT_PREFER)))
    named_budget = budget or str(old.get("budget", DEFAULT_BUDGET))
    spent = budget_of(named_budget)
    limit_s = 0.0 if deterministic else spent.time_s
    settings = Settings(
        data=as_path(data),
        targets=named,
        space=space or old.get("space"),
        strategy=strategy or old.get("strategy") or DEFAULT_STRATEGY,
        trials=trials if trials is not None else old.get("trials", None if time_s else spent.trials),
        time_s=time_s or float(old.get("time_s", limit_s) if trials is None else 0.0),
        seed=seed or int(old.get("seed", 0)),
        limits=targets.limits(limits or {}) if limits or not old else old["limits"],
        epochs=epochs if epochs is not None else old.get("epochs"),
        inherit=inherit or str(old.get("inherit", DEFAULT_INHERIT)),
        fidelity=fidelity or str(old.get("fidelity", spent.fidelity)),
        curves=curves and bool(old.get("curves", True)),
        confirm=confirm or bool(old.get("confirm", False)),
        compress=compress or str(old.get("compress", DEFAULT_COMPRESS)),
        max_drop=float(old.get("max_drop", DEFAULT_MAX_DROP)) if max_drop is None else max_drop,
        image_size=image_size or old.get("image_size"),
        strict=strict,
        task=task or old.get("task"),
        label=label or old.get("label"),
        group=group or old.get("group"),
        window=window or old.get("window"),
        stride=stride or old.get("stride"),
        metric=metric or old.get("metric"),
        prefer=prefer or str(old.get("prefer", DEFAULT_PREFER)),
        budget=named_budget,
        deterministic=deterministic or bool(old.get("deterministic", False)),
    )
    if not resume:
        run_dir = RunDir(Path(out) if out else _new_path(settings))
    with run_dir.locked():
        try:
            study = run_session(run_dir, settings, targets, resume, listener, compute or LOCAL)
        except DeviceError as error:
            raise DeviceError(
                f"{error} What is finished is kept: go on with `edgeml search --resume --out {run_dir.path}`."
            ) from error
    run = Run(run_dir.path, study.status)
    if study.archive.candidates:
        run.report()
    return run


def _new_path(settings: Settings) -> Path:
    devices = "-".join(Path(name).stem for name in settings.targets)
    stem = f"{Path(settings.data).stem or 'data'}-{devices}"[:LONGEST_STEM]
    number = 1
    while (Path("runs") / f"{stem}-{number:03d}").exists():
        number += 1
    return Path("runs") / f"{stem}-{number:03d}"


def _path_to_resume(out: str | Path | None) -> Path:
    if out is not None:
        return Path(out)
    runs = sorted(Path("runs").glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise RunError("--resume: there is no run under runs/; name the run directory with --out.")
    return runs[-1].parent
