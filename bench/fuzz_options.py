"""Names and values of options for bench/endurance_fuzz.py, right and wrong."""

from bench.fuzz_mutations import NUMBERS, WORDS

OPTIONS = (
    *(
        "--trials",
        "--time",
        "--limit",
        "--seed",
        "--epochs",
        "--fidelity",
        "--space",
        "--strategy",
        "--inherit",
    ),
    *("--compress", "--max-drop", "--image-size", "--task", "--metric", "--label", "--group", "--window"),
    *("--stride", "--target", "--prefer", "--budget", "--out", "--data", "--nonsense"),
)
VALUES = (
    *WORDS,
    *(
        "1h",
        "90s",
        "1h30m",
        "-5s",
        "1e9h",
        "0s",
        "1d",
        "size_kb=nan",
        "size_kb=-1",
        "ram_kb=1e999",
        "=",
        "a=b",
        "size_kb",
    ),
    *(
        "prune:2",
        "prune:-1",
        "prune:nan",
        "prune:0:0",
        "cluster:0",
        "cluster:1e9",
        "bayesian:",
        "evolution:x",
        "rl:1",
    ),
    *(
        "cpu\n",
        "CPU",
        "./cpu",
        "../targets/cpu",
        "digits",
        "auto",
        "none",
        "\ud800",
        "tabular-regression",
        "size_kb@x=1",
    ),
    *(str(number) for number in NUMBERS[:-1]),
)
