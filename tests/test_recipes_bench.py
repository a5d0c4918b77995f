"""bench/recipes.py: what an arm says, and its table."""

from __future__ import annotations

from bench.recipes import Arm, table


def test_an_arm_is_a_name_and_settings() -> None:
    assert Arm.read("plain") == Arm("plain", {})
    assert Arm.read("both:label_smoothing=0.05,flip=true,epochs=2") == Arm(
        "both", {"label_smoothing": 0.05, "flip": True}, 2.0
    )
    assert Arm.read("taught:teacher=0.7/3,again=0.5") == Arm("taught", {}, 1.0, 0.5, (0.7, 3.0))


def test_points_are_those_of_the_same_network_with_the_first_arm() -> None:
    def row(network: int, arm: str, val: float, cpu_s: float) -> dict[str, object]:
        return {"network": network, "arm": arm, "val": val, "cpu_s": cpu_s}

    rows = [row(0, "as it is", 0.5, 1), row(1, "as it is", 0.9, 3), row(0, "x", 0.6, 2), row(1, "x", 0.92, 6)]
    lines = table(rows, [Arm("as it is", {}), Arm("x", {})])
    assert lines[0] == "| arm | val % | more | CPU s |"
    assert lines[2] == "| as it is | 70.0 | +0.0 (0.0) | 2.0 |"
    assert lines[3] == "| x | 76.0 | +6.0 (4.0) | 4.0 |"
