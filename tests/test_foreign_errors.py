"""Foreign code that raises without a word becomes one sentence all the same."""

from __future__ import annotations

import pytest

from edgeml.deploy.foreign import first_line
from edgeml.deploy.runtime import interpreter
from edgeml.errors import ModelError


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("a\nb"), "a"), (ValueError("\n b"), " b"), (RuntimeError(), "RuntimeError")],
)
def test_the_first_line_that_says_something(error: Exception, said: str) -> None:
    assert first_line(error) == said


def test_litert_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter as litert

    def silent(**_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(litert, "Interpreter", silent)
    with pytest.raises(ModelError, match="LiteRT cannot load the model: RuntimeError"):
        interpreter(b"")
