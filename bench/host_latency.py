"""Do two runs of one model agree within the printed interval, while the other core is busy?

    python bench/host_latency.py [--repeats 100] [--runtime litert|onnxruntime] [--json]

A repeat is two sessions of the same model, one after the other; it agrees where the value of the second lies
inside the interval that the first prints. A process that never rests runs on the other core meanwhile, and
this one is kept on the first. Models of four sizes, random networks of edgeml's own search spaces.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.random_networks import random_graph, random_tflite  # noqa: E402
from edgeml.deploy.tflite import read_model  # noqa: E402
from edgeml.target.measurement import Measurement  # noqa: E402
from edgeml.target.meters import litert_host, ort_host  # noqa: E402

NETWORKS: dict[str, tuple[str, int, tuple[int, int, int]]] = {
    "0.01 ms": ("nano", 1, (8, 8, 1)),
    "0.05 ms": ("nano", 0, (32, 32, 3)),
    "0.3 ms": ("micro_cell", 0, (32, 32, 3)),
    "1 ms": ("mbconv_macro", 3, (40, 40, 3)),
}
"""About how long each takes: space, seed and input of the network."""

_BUSY = "import os\nos.sched_setaffinity(0, {1})\nwhile True: sum(range(10000))"

Session = Callable[[bytes], Measurement]


@contextmanager
def busy_other_core() -> Iterator[None]:
    """This process on the first core, a restless one on the second."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    busy = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()
        os.sched_setaffinity(0, before)


def agreement(session: Session, model: bytes, repeats: int) -> dict[str, Any]:
    """Repeats of two sessions -> how many agree, and how wide the intervals are."""
    first, second = [], []
    for _ in range(repeats):
        first.append(session(model))
        second.append(session(model))
    inside = sum(a.low <= b.value <= a.high for a, b in zip(first, second, strict=True))
    overlap = sum(a.low <= b.high and b.low <= a.high for a, b in zip(first, second, strict=True))
    values = [m.value for m in (*first, *second)]
    return {
        "repeats": repeats,
        "agree_pct": 100 * inside / repeats,
        "intervals_overlap_pct": 100 * overlap / repeats,
        "median_ms": float(np.median(values)),
        "coefficient_of_variation": float(np.std(values) / np.mean(values)),
        "median_width_pct": 100 * float(np.median([(m.high - m.low) / m.value for m in first])),
        "busy_sessions": sum("notes" in m.conditions for m in (*first, *second)),
    }


def sessions() -> dict[str, Session]:
    """A session of each runtime."""
    return {
        "litert": lambda model: litert_host.latencies({"": model})[""],
        "onnxruntime": lambda model: ort_host.latencies({"": read_model(model)})[""],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--runtime", choices=list(sessions()), default="litert")
    parser.add_argument("--json", action="store_true", help="only JSON")
    given = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        print("skipped: there is no other core to keep busy")
        return
    rows = []
    models = {name: random_tflite(random_graph(*network)) for name, network in NETWORKS.items()}
    with busy_other_core():
        for name, model in models.items():
            rows.append({"network": name} | agreement(sessions()[given.runtime], model, given.repeats))
            if not given.json:
                print(
                    "  ".join(
                        f"{key} {value:.4g}" if key != "network" else value for key, value in rows[-1].items()
                    )
                )
    print(json.dumps({"runtime": given.runtime, "rows": rows, "load": os.getloadavg()}))


if __name__ == "__main__":
    main()
