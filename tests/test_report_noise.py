"""What the report says of timings on a noisy computer."""

from types import SimpleNamespace

from edgeml.report.noise import noise
from edgeml.target import host_cpu
from edgeml.target.host_cpu import cpu_name


def run_of(*conditions):
    def figure(found):
        return SimpleNamespace(value=2.0, low=1.9, high=2.1, conditions=found)

    return SimpleNamespace(scored=[SimpleNamespace(figures={"latency_ms": figure(c)}) for c in conditions])


def test_noise_in_one_sentence():
    calm = {"rounds": 25, "calm_rounds": 20, "waited_s": 1.25}
    busy = {"rounds": 25, "calm_rounds": 0, "waited_s": None, "notes": ["This computer was busy"]}
    assert noise(run_of(calm, busy)) == (
        "2 latencies were timed on the searching computer: 20 of 50 rounds were calm; intervals are +-5.0 % "
        "wide in the median; 1 taken while the computer was busy, and their intervals say so; they "
        "waited up to 1.2 s for trainings to stand still; 1 taken beside a training that did not stand "
        "still."
    )
    assert noise(run_of({"threads": 1})) is None


def test_the_processor_that_was_measured_is_named():
    found = noise(run_of({"rounds": 25, "calm_rounds": 20, "cpu": cpu_name()}))
    assert cpu_name() and f"on the searching computer ({cpu_name()}): 20 of 25" in found


def test_the_processor_of_this_computer(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    for text, name in (
        ("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n", "Some CPU @ 2 GHz"),
        ("", "unknown"),
    ):
        cpuinfo.write_text(text)
        monkeypatch.setattr(host_cpu, "CPUINFO", cpuinfo)
        assert host_cpu.cpu_name.__wrapped__() == name
    assert set(host_cpu.measured_on()) == {"cpu", "host"}
