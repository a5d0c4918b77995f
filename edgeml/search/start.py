"""Where the weights of a training come from: the candidate's own, a parent's, or fresh ones."""

from __future__ import annotations

from typing import Any

from edgeml.arch.cell import Arch
from edgeml.arch.graph import Graph
from edgeml.search.evaluate import Job, Order
from edgeml.search.run_dir import RunDir, read_json
from edgeml.train.build import Network, get_weights, set_weights
from edgeml.train.inherit import SHRINK, inherit, load_weights


def start(run: RunDir, job: Job, order: Order, graph: Graph, model: Network) -> dict[str, Any]:
    """Write the first weights into a fresh model.

    Returns:
        What the candidate says of them: parent, inherited_fraction, source, lineage; empty where fresh.
    """
    if order.carry and order.before is not None:
        set_weights(model, graph, load_weights(str(run.candidates / order.key / "weights.safetensors")))
        return {}
    if not job.inherits or order.parent is None:
        return {}
    from edgeml.arch.difference import difference

    folder = run.candidates / order.parent
    theirs = Arch.from_dict(read_json(folder / "candidate.json")["arch"])
    weights = load_weights(str(folder / "weights.safetensors"))
    found = inherit(graph, get_weights(model, graph), theirs.graph, weights, shrink=SHRINK)
    set_weights(model, graph, found.weights)
    return {
        "parent": order.parent,
        "inherited_fraction": found.fraction,
        "source": found.source,
        "lineage": difference(Arch.from_dict(order.arch), theirs),
    }
