"""What TensorFlow Lite's benchmark_model printed -> its readings.

Formats: `Stat` and `StatWithPercentiles` of the tool's sources (tsl/util/stats_calculator.h), a line after
each of its two phases, warm-up first, for example
`count=50 first=249042 curr=250889 min=247067 max=254474 avg=249684 std=1442`,
in newer ones followed by ` p5=140545 median=141253 p95=187533`; `count=3 curr=12(all same)` where nothing
varied. Times are whole microseconds. A summary follows: `Inference timings in us: ...` in TensorFlow Lite's
tool, `Inference (avg):      7.43 ms (10 runs)` in LiteRT's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,2})?"
_COUNT = re.compile(
    rf"\bcount=(?P<count>[0-9]+)(?: first={_NUMBER})? curr=(?P<curr>{_NUMBER})"
    rf"(?:(?P<same>\(all same\))| min=(?P<min>{_NUMBER}) max={_NUMBER} avg=(?P<avg>{_NUMBER}) std={_NUMBER}"
    rf"(?: p5=(?P<p5>{_NUMBER}) median={_NUMBER} p95={_NUMBER})?)?"
)
_SUMMARY = re.compile(r"Inference timings in us: Init: |Inference \(avg\): +[0-9.]+ ms")
_ERROR = re.compile(r"^(?:ERROR: |E tflite *: )(?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One run of the tool.

    Attributes:
        count: inferences.
        low_us: fast end of their times: 5th percentile, or the minimum where the tool does not give it.
        statistic: which of the two.
        mean_us: their mean.
    """

    count: int
    low_us: float
    statistic: str
    mean_us: float


def read_run(printed: str) -> Run | None:
    """Output -> the timed phase; None where the tool did not come to its end."""
    phases = list(_COUNT.finditer(printed))
    if len(phases) < 2 or not _SUMMARY.search(printed):
        return None
    last = phases[-1]
    mean = float(last["avg"] or last["curr"])
    low, statistic = (
        (last["p5"], "5th percentile") if last["p5"] else (last["min"] or last["curr"], "minimum")
    )
    if int(last["count"]) < 1 or float(low) <= 0:
        return None
    return Run(int(last["count"]), float(low), statistic, mean)


def complaint(printed: str) -> str:
    """The tool's own reason for a failure; "" where it gave none."""
    texts = [match["text"].strip() for match in _ERROR.finditer(printed)]
    reasons = [text for text in texts if text != "Benchmarking failed."]
    return (reasons or texts or [""])[0][:300]
