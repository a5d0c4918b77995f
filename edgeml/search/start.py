"""Where the weights of a training come from: the candidate's own, a parent's, the bank's, or fresh ones.

`morph` starts from the trained candidate that fits best (its very function where the new network has grown
from it, else what overlaps); `bank` from the shared weight bank; `auto` is `morph` where a new network's
first training is short, else fresh weights (docs/decisions/016-inherit-auto.md).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.difference import difference
from edgeml.arch.graph import Graph
from edgeml.search.candidate import Candidate
from edgeml.search.evaluate import Job, Order
from edgeml.search.ladder import Ladder
from edgeml.search.run_dir import RunDir
from edgeml.train.bank import Bank
from edgeml.train.build import Network, get_weights, set_weights
from edgeml.train.fidelity import Fidelity
from edgeml.train.inherit import inherit, load_weights

WEIGHTS = "weights.safetensors"
UNCOMPRESSED = "uncompressed.safetensors"
"""Weights before a compression that the recipe asks for: what others inherit from."""
FRESH: dict[str, Any] = {"parent": None, "inherited_fraction": None, "source": None, "lineage": None}
"""What a candidate says of fresh weights, whatever it inherited on the rung below."""


AUTO_EPOCHS = 2.0
"""Passes over the data from which on a network trained from scratch is as good as one that inherits."""


def weights_from(inherit: str, ladder: Ladder, full: Fidelity) -> str:
    """--inherit, `auto` as what it is for a search on this ladder: morph, bank or none."""
    if inherit != "auto":
        return inherit
    return "morph" if ladder.fidelity(ladder.first, full).epochs < AUTO_EPOCHS else "none"


def start(run: RunDir, job: Job, order: Order, graph: Graph, model: Network) -> dict[str, Any]:
    """Write the first weights into a fresh model.

    Returns:
        What the candidate says of them: parent, inherited_fraction, source, lineage; empty where it goes on
        from its own.
    """
    if order.carry and order.before is not None:
        set_weights(model, graph, load_weights(str(run.candidates / order.key / WEIGHTS)))
        return {}
    fresh = get_weights(model, graph)
    if job.from_bank:
        weights, fraction = Bank.open(run.bank).slice(graph, fresh)
        set_weights(model, graph, weights)
        return {**FRESH, "inherited_fraction": fraction, "source": "bank"} if fraction else dict(FRESH)
    if not job.inherits or order.parent is None:
        return dict(FRESH)
    folder = run.candidates / order.parent
    parent = run.load(order.parent)
    theirs = Arch.from_dict(parent.arch)
    trained = job.rungs[min(parent.rung, len(job.rungs) - 1)]  # perhaps wider and deeper: it was promoted
    source = replace(trained, resolution=order.rung.resolution).scaled(theirs).graph
    found = inherit(graph, fresh, source, load_weights(str(_weights(folder))))
    set_weights(model, graph, found.weights)
    return {
        "parent": order.parent,
        "inherited_fraction": found.fraction,
        "source": found.source,
        "lineage": difference(Arch.from_dict(order.arch), theirs),
    }


def deposit(run: RunDir, order: Order, candidate: Candidate) -> None:
    """Write what a candidate was trained to into the bank; only the coordinator does.

    Raises:
        StorageError: the disk is full.
    """
    path = _weights(run.candidates / candidate.key)
    if candidate.status not in ("complete", "stopped") or not path.exists():
        return
    bank = Bank.open(run.bank)
    graph = order.rung.scaled(Arch.from_dict(candidate.arch)).graph
    bank.deposit(graph, load_weights(str(path)), int(candidate.fidelity.get("samples", 0)))
    bank.save()


def _weights(folder: Path) -> Path:
    """A candidate's weights as they were trained."""
    before = folder / UNCOMPRESSED
    return before if before.exists() else folder / WEIGHTS
