"""What the learning strategies are made of: what they read of a study, and the controller of `rl`."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from edgeml.arch.space import Decision, Space
from edgeml.arch.space_file import load_space
from edgeml.search.archive import pareto
from edgeml.search.strategy.learning import distributions
from edgeml.search.strategy.observed import Observed, crowding, non_domination_ranks
from edgeml.search.strategy.rl import Controller, features, rewards


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def filled(space, count, objectives=2, seed=0):
    """Random trials with random values, one in ten infeasible."""
    rng, fixed = np.random.default_rng(seed), distributions(space)
    return [
        create_trial(
            params={d.name: d.choices[rng.integers(len(d.choices))] for d in space.decisions},
            distributions=fixed,
            values=rng.random(objectives).tolist(),
            constraints={"c": 0.5 if rng.random() < 0.1 else -1.0},
        )
        for _ in range(count)
    ]


# -- what learning strategies read ------------------------------------------------------------------------


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_best_of_a_study_agrees_with_sorting_everything(objectives):
    space = load_space("nasbench201")
    study = optuna.create_study(directions=["minimize"] * objectives)
    observed = Observed(space)
    for part in range(2):
        study.add_trials(filled(space, 350, objectives, seed=part))
        observed.read(study, study.ask())
    feasible = np.flatnonzero(observed.excess == 0)
    front = feasible[pareto.front(observed.values[feasible].tolist())]
    assert sorted(observed.front().tolist()) == sorted(front.tolist())
    assert set(front.tolist()) <= set(observed.best(len(front)).tolist())
    assert len(observed.best(20)) == 20
    assert (observed.excess[observed.best(200)] == 0).all()


def test_values_refreshed_in_place_are_read_anew():
    space = load_space("nasbench201")
    study = optuna.create_study(directions=["minimize"] * 2)
    study.add_trials(filled(space, 40))
    observed = Observed(space)
    observed.read(study, study.ask())
    row = next(i for i in range(40) if i not in observed.front() and observed.excess[i] == 0)
    observed.complete[row].values = [-1.0, -1.0]
    observed.read(study, study.ask())
    assert observed.front().tolist() == [row]
    observed.complete[row].values = [99.0, 99.0]
    observed.read(study, study.ask())
    assert row not in observed.front()
    assert observed.values[row].tolist() == [99.0, 99.0]


def test_trials_in_training_are_seen_and_another_study_is_not_mixed_up():
    space = load_space("nasbench201")
    observed = Observed(space)
    for count in (30, 20):
        study = optuna.create_study(directions=["minimize"] * 2)
        study.add_trials(filled(space, count, seed=count))
        training = study.ask(fixed_distributions=distributions(space))
        asked = study.ask()
        observed.read(study, asked)
        assert [t.number for t in observed.running] == [training.number]
        assert len(observed.values) == len(observed.indices) == len(observed.complete) == count
        study.tell(training, [0.0, 0.0])
        observed.read(study, study.ask())
        assert observed.values[-1].tolist() == [0.0, 0.0] and not observed.running


def test_ranks_and_crowding_by_hand():
    values = np.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0], [2.0, 2.0], [3.0, 3.0], [1.0, 1.0]])
    assert non_domination_ranks(values).tolist() == [0, 0, 0, 1, 2, 0]
    assert crowding(values[:3]).tolist() == [np.inf, 2.0, np.inf]
    assert crowding(np.ones((3, 2)))[1] == 0.0


# -- rl ---------------------------------------------------------------------------------------------------


def test_rewards_prefer_the_end_of_the_front_that_the_weights_ask_for():
    values = np.array([[0.0, 9.0], [1.0, 1.0], [9.0, 0.0], [9.0, 9.0]])
    feasible = np.zeros(4)
    assert rewards(values, feasible, np.array([0.95, 0.05])).argmax() == 0
    assert rewards(values, feasible, np.array([0.5, 0.5])).argmax() == 1
    assert rewards(values, feasible, np.array([0.05, 0.95])).argmax() == 2
    assert rewards(values, np.array([0.0, 0.1, 0.2, 0.0]), np.array([0.5, 0.5])).argsort()[:2].tolist() == [
        2,
        1,
    ]
    assert not rewards(np.ones((5, 2)), np.zeros(5), np.array([0.5, 0.5])).any()
    assert features(np.array([0.5, 0.5])).tolist() == [0.5, 0.5, 1.0]


def test_the_controller_learns_what_each_objective_wants():
    """Error falls and cost grows with every index: either objective alone asks for its own corner."""
    space = Space("line", "d", tuple(Decision(f"d{i}", (1, 2, 4)) for i in range(4)), None)
    controller, observed = Controller(space, 0), Observed(space)
    study = optuna.create_study(directions=["minimize"] * 2)
    for _ in range(120):
        trial = study.ask()
        observed.read(study, trial)
        indices = controller(observed)
        if indices is None:
            indices = np.random.default_rng(trial.number).integers(0, 3, 4)
        study.tell(trial, state=TrialState.FAIL)
        total = float(indices.sum())
        params = observed.to_choices(indices)
        study.add_trial(
            create_trial(params=params, distributions=distributions(space), values=[-total, total])
        )
    accurate, cheap = (controller.policy(np.array(w)) @ np.arange(3) for w in ([1.0, 0.0], [0.0, 1.0]))
    assert accurate.mean() > 1.4 and cheap.mean() < 0.6, (accurate, cheap)
