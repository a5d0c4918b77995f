"""What a run teaches: sentences with known answers, true on little data too."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_report_files import arch, dump, edit, figure, learning, write_run
from test_report_page import Page
from test_report_rungs import climbing

from edgeml.report import compare_json, convergence, importance, lesson_plots, plots, size_effect, trades
from edgeml.report.page import write_report
from edgeml.report.run_files import RunFiles, open_run

PARAMS = [1000 * 2**i for i in range(8)]


def many(path: Path, n: int = 48, seed: int = 0) -> Path:
    """A run in which `width` matters, `op` a little and `noise` not; doublings bring 2 points up to 32 k."""
    write_run(path)
    rng = random.Random(seed)
    value = json.loads(next(path.rglob("candidate.json")).read_text())
    for file in path.rglob("candidate.json"):
        file.unlink()
    for number in range(n):
        size = rng.choice(PARAMS)
        op = rng.choice(["conv", "pool"])
        accuracy = 0.95 - 0.02 * max(0.0, math.log2(32000 / size)) + 0.01 * (op == "conv")
        accuracy += rng.gauss(0, 0.001)
        key = f"{number:012x}"
        speed = 8 - math.log2(size / 1000)  # larger ones learn in fewer epochs
        history = [
            {"epoch": e, "loss": 1 / e, "accuracy": accuracy * (1 - math.exp(-e / speed))}
            for e in range(1, 81)
        ]
        own = {
            "key": key,
            "number": number,
            "status": "complete",
            "reason": None,
            "accuracy": accuracy,
            "accuracy_float": accuracy,
            "choices": {"width": size, "op": op, "noise": rng.choice(["a", "b", "c"])},
            "metrics": {
                "params": figure("params", size, "counted", "graph"),
                "macs": figure("macs", 10 * size, "counted", "graph"),
                "latency_ms": figure("latency_ms", size / 1000, "measured", "x"),
            },
            "parent": None,
            "fidelity": {"epochs": 80},
            "history": history,
            "recipe": {"learning_rate": 0.008, "optimiser": "adam" if number % 2 else "sgd"},
            "rungs": [{"rung": 0, "epochs": 80.0, "accuracy": accuracy, "cost": 1.0}],
        }
        dump(path / "candidates" / key / "candidate.json", {**value, **own})
    (path / "front.json").unlink()
    return path


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    return open_run(many(tmp_path_factory.mktemp("runs") / "big"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    return open_run(write_run(tmp_path_factory.mktemp("runs") / "small"))


def test_doubling_is_said_with_range_bend_and_confidence(big: RunFiles) -> None:
    words = size_effect.sentences(big)
    assert words[0].startswith("Parameters: doubling the parameters brought about 2.")
    assert "between 1 k and 32 k, and nothing to speak of beyond" in words[0]
    assert "48 candidates after full training" in words[0]
    assert words[1].startswith("MACs: doubling the MACs brought about 2.")


def test_few_candidates_are_said_to_be_few(small: RunFiles) -> None:
    assert size_effect.sentences(small)[0].startswith("7 candidates with the same training: too few")
    assert convergence.sentence(small) is not None
    assert "too few" in str(convergence.sentence(small))
    assert importance.importance(small) is None
    assert importance.sentence(small, None).startswith("7 candidates with the same training: too few")


def test_what_was_trained_further_counts_as_it_was_after_full_training(small: RunFiles) -> None:
    row = {"epochs": 40.0, "before": 0.8, "accuracy": 0.99, "kept": True, "cpu_s": 5.0}
    best = small.front_candidates[0]
    changed = replace(best, further=(row, {**row, "before": 0.99}))
    run = replace(small, candidates=tuple(changed if c is best else c for c in small.candidates))
    assert {c.key: score for c, score in size_effect.sample(run).points}[best.key] == 0.8
    assert compare_json.cpu_seconds(run) == (compare_json.cpu_seconds(small) or 0.0) + 10.0


def test_a_history_goes_on_where_training_did() -> None:
    def epochs(number):
        return [{"epoch": e, "accuracy": 0.5} for e in range(1, number + 1)]

    one = SimpleNamespace(
        rungs=({"epochs": 2.0}, {"epochs": 3.0}),
        further=({"epochs": 5.0, "kept": True}, {"epochs": 9.0, "kept": False}),
        fidelity={"epochs": 10.0},
        history=(*epochs(2), *epochs(3), *epochs(5)),
    )
    assert [at for at, _ in plots.continued(one)] == list(range(1, 11))


def test_many_candidates_with_the_same_choices_are_not_called_too_few(big: RunFiles) -> None:
    run = replace(big, candidates=tuple(replace(c, choices={"width": 8}) for c in big.candidates))
    assert importance.importance(run) is None
    assert importance.sentence(run, None) == (
        "48 candidates with the same training: no decision was made in two ways, or all score the same, so "
        "nothing can be told of which mattered."
    )


def test_a_lower_rung_is_taken_where_more_candidates_had_it(tmp_path: Path) -> None:
    run = open_run(climbing(tmp_path / "run"))
    taken = size_effect.sample(run)
    assert taken.whole  # 7 on the lower rung are too few as well
    more = [replace(c, key=f"{c.key}{i}") for c in run.candidates for i in range(2)]
    taken = size_effect.sample(replace(run, candidates=tuple(more)))
    assert (len(taken.points), taken.whole) == (8, True)  # 4 were trained fully
    thrice = [
        replace(c, key=f"{c.key}{i}") for c in run.candidates if c.number in (0, 1, 2) for i in range(3)
    ]
    few = replace(run, candidates=tuple(thrice))
    taken = size_effect.sample(few)
    assert (len(taken.points), taken.whole) == (9, False)
    assert taken.training == "20 % of the epochs and 50 % of the data"
    assert "3 candidates had full training, too few" in size_effect.sentences(few)[-1]


def test_epochs_to_ninety_per_cent_are_between_the_rows() -> None:
    one = SimpleNamespace(rungs=(), further=(), fidelity={"epochs": 40}, history=tuple(learning(0.9)))
    found = convergence.epochs_to_share(one, "accuracy")
    final = sum(0.9 * (1 - 0.6 / e) for e in (38, 39, 40)) / 3
    assert found is not None
    assert 5 < found < 6
    low, high = (0.9 * (1 - 0.6 / e) for e in (5, 6))
    assert found == pytest.approx(5 + (0.9 * final - low) / (high - low))
    falling = convergence.epochs_to_share(one, "loss")
    assert falling is not None
    assert 6 < falling < 10


def test_larger_networks_that_learn_faster_are_said_to(big: RunFiles) -> None:
    words = str(convergence.sentence(big))
    assert "fewer epochs to 90 % of the final training accuracy" in words
    assert "48 fully trained candidates that began afresh" in words


def test_trades_name_gain_factor_and_ties(small: RunFiles) -> None:
    words = trades.sentences(small)
    assert words[0].startswith("Latency, from ")
    assert "at 0.0410 ms on: +2.5 points cost 1.27x" in words[0]
    assert "then +1.0 points cost 2.12x" in words[0]
    assert words[-1] == trades.TIE


def test_one_on_the_front_trades_nothing(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    run = open_run(path)
    dump(path / "front.json", {"keys": [run.knee], "knee": run.knee})
    assert trades.sentences(open_run(path)) == [
        f"Nothing is traded: {run.knee} alone is on the front, best in every objective."
    ]


def test_importance_finds_what_was_planted(big: RunFiles) -> None:
    found = importance.importance(big)
    assert found is not None
    assert found.told
    assert [d.name for d in found.decisions][:2] == ["width", "op"]
    assert found.decisions[0].share > 0.4 > found.decisions[1].share > 0
    assert abs(found.decisions[2].share) < 0.05
    assert found.decisions[1].best is not None
    assert found.decisions[1].best.name == "conv"
    assert "mattered most: width" in importance.sentence(big, found)
    assert "noise" not in importance.sentence(big, found)
    names = [row["name"] for row in lesson_plots.decisions(found)["layer"][0]["data"]["values"]]
    assert names[0] == "width"


def test_importance_of_noise_is_not_told(big: RunFiles) -> None:
    rng = random.Random(1)
    noisy = tuple(replace(c, accuracy=0.9 + rng.gauss(0, 0.01)) for c in big.candidates)
    run = replace(big, candidates=noisy)
    found = importance.importance(run)
    assert found is not None
    assert not found.told
    assert importance.sentence(run, found).startswith("Which decisions mattered cannot be told")


def test_the_page_has_it_all(tmp_path: Path) -> None:
    page = Page(write_report(many(tmp_path / "run")))
    for words in (
        "Would more or fewer units help?",
        "How does size change how fast a network learns?",
        "Score and parameters",
        "Epochs to 90 % and parameters",
        "Importance of the decisions",
        "All were trained with: learning rate 0.008.",
        "sgd",
    ):
        assert words in page.text


def test_findings_of_guardrails_are_shown_worst_first(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    data = json.loads((path / "run.json").read_text())["dataset"]
    one = {"count": 3, "means": "Means <b>.", "does": "Does.", "examples": ["<script>a.png"]}
    found = [{**one, "severity": "note", "code": "later"}, {**one, "severity": "warning", "code": "first"}]
    edit(path / "run.json", dataset={**data, "guardrails": found})
    text = Page(write_report(path)).text
    assert "The guardrails found: 1 warning, 1 note." in text
    assert text.index("first") < text.index("later")
    assert "<script>a.png" in text
    edit(path / "run.json", dataset={**data, "guardrails": []})
    assert "found nothing to object to" in Page(write_report(path)).text


def test_the_widest_stage_is_what_channels_are_of() -> None:
    assert size_effect.size_of(_candidate(arch(0).to_dict()), "channels") == 24
    assert size_effect.size_of(_candidate({"stages": "none"}), "channels") is None


def _candidate(value: dict) -> SimpleNamespace:
    return SimpleNamespace(arch=value, figures={})
