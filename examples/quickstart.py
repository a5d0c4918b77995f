"""Search a network for this computer on scikit-learn's digits, look at the front, export the knee.

python examples/quickstart.py [OUT] [TRIALS]
"""

import sys

import edgeml


def main(out: str = "runs/quickstart", trials: int = 6) -> None:
    """Run a small search and print what came of it."""
    run = edgeml.search(data="digits", target="cpu", trials=trials, out=out)
    for row in run.front:
        latency = row["latency_ms"]
        print(
            f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {latency['value']:.4f} ms {latency['kind']}"
            f"  {row['size_bytes'] / 1000:.1f} kB"
        )
    print("exported to", run.export("knee"))
    print("report in", run.report())


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
