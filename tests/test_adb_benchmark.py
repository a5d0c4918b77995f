"""Outputs of benchmark_model as people posted them, and damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeml.target.board.benchmark import Run, complaint, read_run

# From TensorFlow Lite 2.4 on a phone; under qemu, where means have an exponent; from a newer tool's log.
PHONE = """STARTING!
Num threads: [4]
Graph: [/data/local/tmp/yolov5s.tflite]
Loaded model /data/local/tmp/yolov5s.tflite
Initialized session in 16.242ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=2 first=360262 curr=248911 min=248911 max=360262 avg=304586 std=55675

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=249042 curr=250889 min=247067 max=254474 avg=249684 std=1442

Inference timings in us: Init: 16242, First inference: 360262, Warmup (avg): 304586, Inference (avg): 249684
Peak memory footprint (MB): init=4.92969 overall=138.809
"""
EXPONENT = """count=1 curr=3512391

count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.51239e+06, Inference (avg): 2.95034e+06
"""  # noqa: E501
PERCENTILES = """I tflite  : count=3 first=235158 curr=199462 min=199462 max=235158 avg=211669 std=16613 p5=199462 median=200386 p95=235158
I tflite  : count=25 first=187533 curr=140990 min=140071 max=195121 avg=145528 std=13583 p5=140545 median=141253 p95=187533
I tflite  : Inference timings in us: Init: 92318, First inference: 187533, Warmup (avg): 211669, Inference (avg): 145528
"""  # noqa: E501
# The summary is as posted; its two count lines are of the form that the shared sources print.
LITERT = """INFO: count=2 first=7450123 curr=7441040 min=7441040 max=7450123 avg=7.44558e+06 std=4541
INFO: count=10 first=7430200 curr=7428000 min=7416400 max=7448860 avg=7.4302e+06 std=9920
INFO: [benchmark_litert_model.h:89] ========== BENCHMARK RESULTS ==========
INFO: [benchmark_litert_model.h:98] Warmup (avg):         7441.04 ms (1 runs)
INFO: [benchmark_litert_model.h:100] Inference (avg):      7430.20 ms (10 runs)
"""
SAME = """count=9 curr=12(all same)

count=50 curr=12(all same)

Inference timings in us: Init: 99, First inference: 12, Warmup (avg): 12, Inference (avg): 12
"""


@pytest.mark.parametrize(
    "printed, expected",
    [
        (PHONE, Run(50, 247067, "minimum", 249684)),
        (EXPONENT, Run(50, 2727568, "minimum", 2950340)),
        (PERCENTILES, Run(25, 140545, "5th percentile", 145528)),
        (LITERT, Run(10, 7416400, "minimum", 7430200)),
        (SAME, Run(50, 12, "minimum", 12)),
        (PHONE.replace("\n", "\r\n"), Run(50, 247067, "minimum", 249684)),
    ],
)
def test_the_timed_phase(printed: str, expected: Run) -> None:
    assert read_run(printed) == expected


@pytest.mark.parametrize("printed", [PHONE, EXPONENT, PERCENTILES, LITERT, SAME])
def test_a_tool_that_was_cut_short_gives_nothing(printed: str) -> None:
    summary = max(printed.find("Inference timings"), printed.find("Inference (avg):  "))
    assert all(read_run(printed[:end]) is None for end in range(summary))


@pytest.mark.parametrize(
    "count", ["count=0", "count=50 curr=0(all same)", "count=5 curr=nan", "count=5 curr=."]
)
def test_a_phase_without_a_time_is_none(count: str) -> None:
    assert read_run(SAME.replace("count=50 curr=12(all same)", count)) is None


@given(st.text(alphabet="0123456789.e+ ", max_size=9))
def test_no_text_brings_it_down(text: str) -> None:
    for printed in (text, SAME.replace("12", text)):
        run = read_run(printed)
        assert run is None or 0 < run.low_us < float("inf")


def test_the_reason_is_the_first_error() -> None:
    errors = "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '9'.\nERROR: Benchmarking failed.\n"
    assert complaint("STARTING!\n" + errors) == "Didn't find op for builtin opcode 'CONV_2D' version '9'."
    assert complaint("E tflite  : Benchmarking failed.") == "Benchmarking failed."
    assert complaint("STARTING!") == ""
