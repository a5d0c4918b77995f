"""How a search ends: a space that workers exhaust, rungs that nobody reached, Ctrl-C in what follows."""

import json
import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest

from edgeml.arch.space_file import load_space
from edgeml.search.finishing import finishing
from edgeml.search.finishing.compression import plan
from edgeml.search.ladder import Ladder, Rung
from edgeml.search.progress import Progress
from edgeml.search.workers.executor import Inline, WorkerDiedError
from edgeml.train import awake
from tests import test_rungs, test_search

TINY = """\
description: tiny
kind: cells
stem: {channels: [4, 8]}
cell: {nodes: 1, wiring: complete, output: last, ops: [skip, conv_1x1, avg_pool_3x3], reduction: none}
stages: {count: 1, repeat: [1, 2], growth: [1.0]}
"""


class Two:
    """Two slots, whose results come from elsewhere and at other times."""

    slots = 2

    def __init__(self):
        self.calls = 0

    def submit(self, function, *arguments):
        future, self.calls = Future(), self.calls + 1
        wait_s = 0.02 + 0.01 * (self.calls % 2)
        threading.Timer(wait_s, lambda: future.set_result(function(*arguments))).start()
        return future

    def kill(self):
        pass

    close = kill


@pytest.mark.parametrize("ladder", [test_rungs.FULL, test_rungs.TWO], ids=lambda ladder: ladder.name)
@pytest.mark.parametrize("strategy", ["auto", "random", "evolution", "grid"])
def test_a_space_that_two_workers_exhaust(tmp_path, ladder, strategy):
    (tmp_path / "tiny.yaml").write_text(TINY)
    space = str(tmp_path / "tiny.yaml")
    run = test_rungs.study(ladder, strategy, trials=100, space=space, executor=Two())
    run.search()
    assert run.progress.exhausted and len(run.archive.candidates) == 10


@pytest.mark.parametrize("trials", [1, 5, 6, 8])
def test_something_is_trained_fully_where_a_rung_between_has_a_small_share(trials):
    ladder = Ladder("c", (Rung(0.1, share=0.6), Rung(0.5, share=0.1), Rung(1.0, share=0.3)))
    run = test_rungs.study(ladder, "auto", trials=trials)
    run.search()
    assert any(candidate.status == "complete" for candidate in run.archive.candidates.values())


def test_what_was_refused_untrained_costs_no_training():
    def half(job, order):
        found = test_rungs.evaluate(job, order)
        refused = order.index == 0 and order.number % 2
        return replace(found, status="infeasible", rungs=[], accuracy=None) if refused else found

    run = test_rungs.study(test_rungs.TWO, "random", trials=40)
    run._trainings._evaluate = half
    run.search()
    plain = test_rungs.study(test_rungs.TWO, "random", trials=20)
    plain.search()
    again = test_rungs.study(test_rungs.TWO, "random", trials=40)
    again.restore(list(run.archive.candidates.values()), {})
    assert run.rungs.spent == pytest.approx(plain.rungs.spent)
    assert again.rungs.spent == pytest.approx(plain.rungs.spent)


@pytest.mark.parametrize("where", ["final_figures", "confirm", "diagnose"])
def test_ctrl_c_in_what_follows_a_search_ends_it_with_what_there_is(tmp_path, monkeypatch, where):
    study = test_search.study_in(tmp_path, load_space("nano"), trials=6)
    study.settings = replace(study.settings, confirm=True)
    study.search()
    own = {"test_accuracy": {"value": 0.5}, "metrics": {}}
    given = {
        "final_figures": lambda job, keys: dict.fromkeys(keys, own),
        "confirm": lambda *_: {"accuracy": 0.5},
        "diagnose": lambda *_: {},
    }

    def pressed(*_):
        raise KeyboardInterrupt

    for name, function in given.items():
        monkeypatch.setattr(finishing, name, pressed if name == where else function)
    finishing.finish(study, Inline(), plan("none"), [])
    assert study.progress.interrupted
    assert json.loads((tmp_path / "state.json").read_text())["status"] == "interrupted"


def test_a_network_on_which_workers_died_is_no_feasible_one_for_the_strategy(tmp_path):
    """It has no costs: told at 1e9 of each it would stretch every scale."""
    deaths = dict.fromkeys((3, 4, 5), WorkerDiedError("died"))
    study = test_search.study_in(tmp_path, load_space("nano"), trials=8, executor=test_search.Failing(deaths))
    study.search()
    (gone,) = [one for one in study.archive.candidates.values() if one.deaths]
    assert gone.status == "infeasible"
    told = study._asker.told()
    assert len(told) == 8 and sum(trial.values is None for trial in told) == 1
    assert max(max(trial.values) for trial in told if trial.values) < 1e8


@pytest.mark.parametrize(("late_s", "again"), [(40.0, True), (70.0, False)])
def test_a_training_whose_worker_died_is_tried_again_in_the_time_that_is_left(late_s, again):
    orders = []

    class Slow(test_search.Failing):
        def submit(self, function, job, order):
            orders.append(order)
            if self.calls == 0:
                study.progress.started_at -= late_s
            return super().submit(function, job, order)

    executor = Slow({1: WorkerDiedError("died")})
    study = test_rungs.study(test_rungs.FULL, "random", trials=None, time_s=60.0, executor=executor)
    study.settings = replace(study.settings, trials=2)
    study.search()
    assert (len(orders) > 1) == again
    if again:
        first, second = orders[:2]
        assert second.key == first.key and 1 < second.fidelity.max_s < first.fidelity.max_s / 2


def test_what_is_left_for_the_front_knows_how_long_earlier_sessions_searched():
    """After a kill too, and without what they did besides searching."""
    now = awake.now()
    progress = Progress(started_at=now - 5.0)
    progress.restore({"elapsed_s": 100.0, "searched_s": 40.0, "time_s": {"further": 35.0}}, 30.0)
    assert progress.elapsed_s == pytest.approx(105, abs=0.5)
    assert progress.searched_s == pytest.approx(45, abs=0.5)
    progress.ended_at = now - 2.0
    assert progress.searched_s == pytest.approx(43, abs=0.5)
    old = Progress(started_at=now)
    old.restore({"elapsed_s": 100.0, "time_s": {"further": 35.0}}, 30.0)
    assert old.searched_s == pytest.approx(65, abs=0.5)
    none = Progress(started_at=now)
    none.restore({}, 12.0)
    assert none.searched_s == pytest.approx(12, abs=0.5)
