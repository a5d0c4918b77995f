"""What aarch64 instructions per inference say: counts, against MACs and against published milliseconds.

    python bench/arm_instructions.py [--json]

1. MLPerf Tiny's references on every CPU.  2. Random architectures of the search spaces: instructions against
MACs and LiteRT on this computer.  3. Widths 16 to 32: this computer against a Cortex-A53.  4. `rows()`:
published latencies against a line through instructions, and one through MACs, leave-one-model-out (minutes).
Milliseconds from instructions are estimates. Needs the sysroot and ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import arm_instructions_networks as networks  # noqa: E402
from bench.shared_data import DATA  # noqa: E402
from edgeml.arch.cell import lower  # noqa: E402
from edgeml.arch.space import Task  # noqa: E402
from edgeml.arch.space_file import load_space  # noqa: E402
from edgeml.deploy.tflite import read_model  # noqa: E402
from edgeml.errors import DisconnectedArchError  # noqa: E402
from edgeml.target.meters import litert_host, qemu_arm  # noqa: E402
from edgeml.target.meters.qemu_arm import QemuArmOptions  # noqa: E402
from edgeml.target.qemu import sysroot  # noqa: E402
from edgeml.target.qemu.cpu import cpu_names  # noqa: E402

TINY = {
    "ResNet-8": "pretrainedResnet_quant",
    "keyword spotting": "kws_ref_model",
    "visual wake words": "vww_96_int8",
    "anomaly detection": "ad01_int8",
}
NETWORKS_PER_SPACE, CELLS = 8, 30
SPACES = ("micro_cell", "mbconv_macro", "nano")

Row = dict[str, Any]


def instructions(model: bytes, cpu: str) -> int:
    runs, _ = qemu_arm.count(model, QemuArmOptions(cpu=cpu))
    return runs[-1]


def need(*names: str) -> None:
    """Raise FileNotFoundError with the reason where the sysroot or a folder of DATA is absent."""
    found = sysroot.find()
    if isinstance(found, str):
        raise FileNotFoundError(found)
    for name in names:
        if not (DATA / name).exists():
            raise FileNotFoundError(f"{DATA / name} is not on this machine")


def table(name: str) -> list[dict[str, str]]:
    path = DATA / name
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.DictReader(text.splitlines()))


def spearman(left: Sequence[float], right: Sequence[float]) -> float:
    return round(float(spearmanr(left, right).statistic), 3)


def tiny() -> list[Row]:
    need("mlperf_tiny")
    found = []
    for name, stem in TINY.items():
        model = (DATA / "mlperf_tiny" / "models" / f"{stem}.tflite").read_bytes()
        counts = {cpu: instructions(model, cpu) for cpu in cpu_names()}
        found.append({"model": name, "macs": read_model(model).macs, **counts})
    return found


def spaces() -> Row:
    """Random architectures of the search spaces, int8: rank of instructions, MACs and this computer's ms."""
    need()
    models, macs = {}, []
    for name in SPACES:
        space, rng, count = load_space(name), random.Random(name), 0
        while count < NETWORKS_PER_SPACE:
            try:
                graph = lower(space.decode(space.sample(rng), Task((32, 32, 3), 10)))
            except DisconnectedArchError:
                continue
            models[f"{name}-{count}"] = networks.tflite(graph, int8=True)
            macs.append(read_model(models[f"{name}-{count}"]).macs)
            count += 1
    host = [found.value for found in litert_host.latencies(models).values()]
    a53, a76 = (
        [instructions(model, cpu) for model in models.values()] for cpu in ("cortex-a53", "cortex-a76")
    )
    per_mac = np.array(a53) / np.array(macs)
    return {
        "networks": len(models),
        "spearman_a53_macs": spearman(a53, macs),
        "spearman_a76_macs": spearman(a76, macs),
        "spearman_a53_a76": spearman(a53, a76),
        "spearman_a53_host_ms": spearman(a53, host),
        "a53_instructions_per_mac": [round(float(q), 2) for q in np.percentile(per_mac, (0, 50, 100))],
    }


def widths() -> Row:
    """Width 16 to 32 in steps of 2: what this computer sees, and what a Cortex-A53 would execute."""
    need()
    models = {f"{width}": networks.tflite(networks.one_width(width), int8=True) for width in range(16, 33, 2)}
    host = [found.value for found in litert_host.latencies(models).values()]
    a53 = [instructions(model, "cortex-a53") for model in models.values()]
    pairs = [(i, j) for i in range(len(a53)) for j in range(i)]
    turned = sum((host[i] - host[j]) * (a53[i] - a53[j]) < 0 for i, j in pairs)
    return {
        "widths": list(models),
        "host_ms": [round(ms, 4) for ms in host],
        "a53_instructions": a53,
        "host_ms_largest_over_smallest": round(max(host) / min(host), 2),
        "a53_largest_over_smallest": round(max(a53) / min(a53), 2),
        "pairs_ranked_otherwise": f"{turned} of {len(pairs)}",
        "spearman": spearman(a53, host),
    }


def line_errors(x: Sequence[float], ms: Sequence[float]) -> np.ndarray:
    """Relative errors of ms = a + b x, each model by a line through the others (least relative squares)."""
    x, ms = np.asarray(x, float), np.asarray(ms, float)
    predicted = np.empty_like(ms)
    for left_out in range(len(ms)):
        kept = np.arange(len(ms)) != left_out
        design = np.stack([np.ones_like(x), x], 1)
        fitted, *_ = np.linalg.lstsq(design[kept] / ms[kept, None], np.ones(kept.sum()), rcond=None)
        predicted[left_out] = design[left_out] @ fitted
    return predicted / ms - 1


def row(
    against: str, cpu: str, counts: Sequence[float], macs: Sequence[float], ms: Sequence[float], note: str
):
    errors, baseline = (np.abs(line_errors(x, ms)) for x in (counts, macs))
    return {
        "estimator": f"line through aarch64 instructions ({cpu})",
        "metric": "latency_ms",
        "against": against,
        "n": len(ms),
        "mape_pct": round(float(errors.mean() * 100), 1),
        "within10_pct": round(float((errors <= 0.1).mean() * 100)),
        "within20_pct": round(float((errors <= 0.2).mean() * 100)),
        "spearman": spearman(counts, ms),
        "baseline_mape_pct": round(float(baseline.mean() * 100), 1),
        "baseline_spearman": spearman(macs, ms),
        "note": note,
    }


def pixel3_int8() -> Row:
    found = []
    for entry in table("published_latency/tflite_hosted_models_pixel3.csv"):
        kind, *rest = entry["model"].removesuffix("_quant").removeprefix("Mobilenet_").split("_")
        if entry["type"] == "int8" and kind in ("V1", "V2") and "Mobilenet" in entry["model"]:
            make = networks.mobilenet_v1 if kind == "V1" else networks.mobilenet_v2
            found.append((networks.tflite(make(float(rest[0]), int(rest[1])), True), entry))
    return published(
        found,
        "pixel3_cpu_4threads_ms",
        "kryo-385-gold",
        "Pixel 3, hosted int8 MobileNets (TensorFlow Lite, 2019)",
        "published with 4 threads, counted on one; the published files have uint8 weights, one scale a layer",
    )


def pixel1_float() -> Row:
    found = []
    for entry in table("published_latency/mobilenet_v2_v3_pixel.csv"):
        kind, _, rest = entry["model"].partition(" ")
        if kind == "V2":
            width, size = rest.split("_")
            found.append((networks.tflite(networks.mobilenet_v2(float(width), int(size)), False), entry))
    return published(
        found,
        "pixel1_ms",
        "cortex-a72",
        "Pixel 1, float MobileNetV2 (one large core, 2018)",
        "a Pixel 1 has Kryo cores, of which no emulated CPU is one",
    )


def published(found, column: str, cpu: str, against: str, note: str) -> Row:
    counts = [instructions(model, cpu) for model, _ in found]
    macs = [read_model(model).macs for model, _ in found]
    return row(against, cpu, counts, macs, [float(entry[column]) for _, entry in found], note)


def cells() -> list[Row]:
    """NAS-Bench-201 cells, float32, against a Raspberry Pi 5, a Raspberry Pi 4 and a Pixel 3."""
    pi5 = table("hwnas360/hwnas360_nb201.csv.gz")
    others = table("nb201/nb201_latency_help_latbench.csv.gz")
    names = table("nb201/nb201_accuracy.csv.gz")
    usable = [
        index
        for index, entry in enumerate(pi5)
        if entry["rep_index"] == entry["nb201_index"] and float(entry["pi5_litert_cifar100_ms"]) > 0.2
    ]
    drawn = random.Random(0).sample(usable, CELLS)
    models = [networks.nasbench201(names[index]["arch_str"]) for index in drawn]
    macs = [networks.nasbench201_macs(names[index]["arch_str"]) for index in drawn]
    sources = (
        ("Raspberry Pi 5, LiteRT, NAS-Bench-201 cells", "cortex-a76", pi5, "pi5_litert_cifar100_ms"),
        ("Raspberry Pi 4, NAS-Bench-201 cells (HW-NAS-Bench)", "cortex-a72", others, "raspi4_ms"),
        ("Pixel 3, NAS-Bench-201 cells (HW-NAS-Bench)", "kryo-385-gold", others, "pixel3_ms"),
    )
    found = []
    for against, cpu, entries, column in sources:
        ms = [float(entries[index][column]) for index in drawn]
        counts = [instructions(model, cpu) for model in models]
        found.append(row(against, cpu, counts, macs, ms, f"{CELLS} random cells, float32"))
    return found


def rows() -> list[Row]:
    """Published latencies against instructions, for bench/target_truth.py."""
    need("published_latency", "hwnas360", "nb201")
    return [pixel3_int8(), pixel1_float(), *cells()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="only JSON")
    only_json = parser.parse_args().json
    result: Row = {}
    for name, part in (("mlperf_tiny", tiny), ("spaces", spaces), ("widths", widths), ("rows", rows)):
        try:
            result[name] = part()
        except FileNotFoundError as error:
            result[name] = f"skipped: {error}"
        if not only_json:
            print(f"\n{name}")
            found = result[name]
            for line in found if isinstance(found, list) else [found]:
                print(
                    "  " + (line if isinstance(line, str) else "  ".join(f"{k} {v}" for k, v in line.items()))
                )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
