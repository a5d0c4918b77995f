"""The error tree: drawn as it is, and messages a user can act on."""

from __future__ import annotations

import inspect

import pytest

from edgeml import errors
from edgeml.errors import DisconnectedArchError, EdgemlError, UnknownNameError

CLASSES = [
    value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_the_drawing_names_every_class_with_its_place(error: type[Exception]) -> None:
    drawing = inspect.getdoc(errors) or ""
    assert error.__name__ in drawing
    drawn_below = f"+-- {error.__name__}" in drawing
    assert drawn_below == (EdgemlError in error.__mro__[1:])


def test_a_disconnected_arch_is_not_a_users_error() -> None:
    assert not issubclass(DisconnectedArchError, EdgemlError)


def test_an_unknown_name_lists_the_known_and_suggests_the_nearest() -> None:
    error = UnknownNameError("target", "cortex-m5", ["esp32", "cortex-m4"])
    assert str(error) == "unknown target 'cortex-m5'. Did you mean 'cortex-m4'? Known: cortex-m4, esp32."
    assert error.name == "cortex-m5"


def test_no_suggestion_where_nothing_is_near() -> None:
    assert str(UnknownNameError("op", "zzzz", ["skip"])) == "unknown op 'zzzz'. Known: skip."


def test_an_empty_list_of_known_names_says_none() -> None:
    assert str(UnknownNameError("pick", "knee", [])) == "unknown pick 'knee'. Known: none."
