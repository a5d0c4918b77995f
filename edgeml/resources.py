"""Finds a target or a search space by name: working directory, $EDGEML_PATH, package, checkout.

A name is a file stem ("cpu") or a path to a YAML file ("targets/mine.yaml").
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from edgeml.errors import ConfigError, UnknownNameError

MOST_BYTES = 1 << 20
"""Of a YAML file; the longest of ours has 6 kB, a calibrated profile 3 kB."""
MOST_VALUES = 100_000
"""In a YAML file with its aliases written out: nine lines of nine aliases each are 400 million."""
MOST_SHOWN = 120
"""Characters of a value in a message."""
_PACKAGE = Path(__file__).resolve().parent


def folders(kind: str) -> list[Path]:
    """Folders that may hold `kind` ("targets", "search_spaces" or "fidelities"), most specific first."""
    roots = [Path.cwd()]
    roots += [Path(entry) for entry in os.environ.get("EDGEML_PATH", "").split(os.pathsep) if entry]
    roots += [_PACKAGE / "builtin", _PACKAGE.parent]
    found: list[Path] = []
    for root in roots:
        folder = (root / kind).resolve()
        if folder.is_dir() and folder not in found:
            found.append(folder)
    return found


def names(kind: str) -> list[str]:
    """Names of all YAML files of `kind`, sorted."""
    return sorted({path.stem for folder in folders(kind) for path in folder.glob("*.yaml")})


def find(kind: str, name: str, what: str) -> Path:
    """Path of the YAML file called `name`.

    Args:
        kind: "targets", "search_spaces" or "fidelities".
        name: a stem such as "cpu" or a path ending in .yaml.
        what: how error messages call it, for example "target".

    Raises:
        UnknownNameError: no such file; the message lists and suggests the known names.
    """
    if is_path(name):
        path = Path(name)
        if _is_file(path):
            return path
        raise UnknownNameError(what, name, names(kind))
    for folder in folders(kind):
        path = folder / f"{name}.yaml"
        if _is_file(path) and path.parent == folder:
            return path
    raise UnknownNameError(what, name, names(kind))


def is_path(name: str) -> bool:
    """Whether `find` takes it as the path of a file."""
    return name.endswith((".yaml", ".yml"))


def name_of(kind: str, path: Path, what: str) -> str:
    """A YAML file -> the name that `find` takes for it: its stem where that leads there, else its path."""
    try:
        named = find(kind, path.stem, what)
    except UnknownNameError:
        return str(path)
    return path.stem if named.resolve() == path.resolve() else str(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system takes
        return False


def load_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    """YAML file -> (its mapping, line number of every value by its path of keys).

    The line numbers let validation errors point at the line a user has to edit.

    Raises:
        ConfigError: the file is not readable UTF-8 YAML or its top level is not a mapping.
    """
    import yaml

    lines: dict[tuple[str | int, ...], int] = {}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(
                f"{path}: has {path.stat().st_size:,} bytes, expected a YAML file of at most "
                f"{MOST_BYTES:,}; check the name."
            )
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _collect_lines(root, (), lines, {})
        value = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected a UTF-8 YAML file.") from error
    # PyYAML itself raises the last three where a tag does not fit its value, as in `!!timestamp noon`.
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        said = "nested too deep" if isinstance(error, RecursionError) else error
        problem = " ".join(str(getattr(error, "problem", None) or said).split())[:MOST_SHOWN]
        raise ConfigError(f"{where}: not valid YAML ({problem}); fix the syntax on that line.") from error
    if not isinstance(value, dict) or root is None:
        raise ConfigError(f"{path}: found {type(value).__name__}, expected a mapping of keys to values.")
    return value, lines


def _collect_lines(
    node: Any, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], done: dict[int, int]
) -> int:
    """Lines of a node and of what it holds -> how many values that is with every alias written out.

    `done` knows the numbers of the nodes seen, 0 while one is still open.
    """
    import yaml

    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if id(node) in done:
        if not done[id(node)]:
            raise ValueError(f"the value on line {line} contains itself")
        return done[id(node)]  # an alias: what it holds has its lines where the anchor stands
    done[id(node)], count = 0, 1
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            place = (*path, str(key.value))
            if place in lines and key.value != "<<":
                raise ValueError(
                    f"{str(key.value)[:MOST_SHOWN]!r} stands on line {lines[place]} and again on line "
                    f"{key.start_mark.line + 1}; remove one"
                )
            lines[place] = key.start_mark.line + 1
            count += _collect_lines(child, place, lines, done)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            count += _collect_lines(child, (*path, index), lines, done)
    if count > MOST_VALUES:
        raise ValueError(
            f"the aliases up to line {line} stand for more than {MOST_VALUES:,} values; write fewer"
        )
    done[id(node)] = count
    return count


def validation_message(path: Path, lines: dict[tuple[str | int, ...], int], error: Any) -> str:
    """First problem of a pydantic ValidationError as one sentence with file and line."""
    first = error.errors()[0]
    where = tuple(
        part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-"))
    )
    known = where
    while known and known not in lines:
        known = known[:-1]
    line = lines.get(known, 1)
    key = ".".join(str(part) for part in where) or "the file"
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    found = "" if isinstance(first["input"], dict | list) else f", found {_brief(first['input'])}"
    said = first["msg"].removeprefix("Value error, ")
    return f"{path}:{line}: {key[:MOST_SHOWN]}: {said[: 5 * MOST_SHOWN]}{found}{more}."


def _brief(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out an int of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
