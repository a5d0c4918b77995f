"""What the report says of timings on a noisy computer."""

from types import SimpleNamespace

from edgeml.report.noise import noise


def run_of(*conditions):
    def figure(found):
        return SimpleNamespace(value=2.0, low=1.9, high=2.1, conditions=found)

    return SimpleNamespace(scored=[SimpleNamespace(figures={"latency_ms": figure(c)}) for c in conditions])


def test_noise_in_one_sentence():
    calm = {"rounds": 25, "calm_rounds": 20, "waited_s": 1.25}
    busy = {"rounds": 25, "calm_rounds": 0, "waited_s": None, "notes": ["This computer was busy"]}
    assert noise(run_of(calm, busy)) == (
        "2 latencies were timed on the searching computer: 20 of 50 rounds were calm; intervals are +-5.0 % "
        "wide in the median; 1 were taken while the computer was busy, and their intervals say so; they "
        "waited up to 1.2 s for trainings to stand still; 1 were taken beside a training that did not stand "
        "still."
    )
    assert noise(run_of({"threads": 1})) is None
