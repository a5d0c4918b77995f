"""Ops of the user's own: a function in a Python file, under a name that space files may use.

A search evaluates in worker processes, and an export or a report may come days later: so the file is named in
$EDGEML_OPS (several with the path separator), and whoever needs the op imports the file again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import re
import sys
from pathlib import Path

from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import Input
from edgeml.arch.ops import OPS, Op
from edgeml.errors import ConfigError

VARIABLE = "EDGEML_OPS"
TRIED = ((4, 4, 1), (4, 8, 1), (4, 4, 2), (4, 8, 2))
"""Channels before and after, stride: what every op must manage."""


def register_op(name: str, op: Op) -> None:
    """Make a function an op that space files may name, in this process and in the workers of its searches.

    Args:
        name: small letters, digits and underscores. Part of an architecture's identity: give another
            function another name.
        op: as those of edgeml/arch/ops.py: (builder, place, source node, channels, stride, activation) ->
            node with `channels` channels at 1 / `stride` of the size. A function of a module or script,
            because worker processes import it again: keep what a script does under `if __name__ ==
            "__main__":`.

    Raises:
        ConfigError: the name is taken or no name, the function is in no file, or it does not do what an op
            does.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"op {name!r}: expected small letters, digits and underscores, such as ghost_3x3.")
    if name in OPS and _source(OPS[name]) != _source(op):
        raise ConfigError(f"op {name}: there is one of this name already; choose another name.")
    file = _source(op)[0]
    if not file or not Path(file).is_file():
        raise ConfigError(
            f"op {name}: its function is in no file, expected one in a module or script, which worker "
            "processes can import; write it into a file."
        )
    _try(name, op)
    OPS[name] = op
    known = os.environ.get(VARIABLE, "").split(os.pathsep)
    if file not in known:
        os.environ[VARIABLE] = os.pathsep.join([*filter(None, known), file])


def load_own() -> None:
    """Import the files of $EDGEML_OPS, which register their ops.

    Raises:
        ConfigError: one cannot be imported.
    """
    for file in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(file).resolve()
        main = getattr(sys.modules.get("__main__"), "__file__", None)
        name = f"edgeml_own_ops_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        if name in sys.modules or (main and Path(main).resolve() == path):
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ConfigError(f"${VARIABLE}: {file} is no Python file; name the file that registers the ops.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise ConfigError(
                f"${VARIABLE}: {file} cannot be imported ({type(error).__name__}: {error}); mend it, or "
                "take it out of the variable."
            ) from error


def _source(op: Op) -> tuple[str, str]:
    """File and name of a function; what functools.partial wraps counts."""
    plain = getattr(op, "func", op)
    try:
        return str(Path(inspect.getsourcefile(plain) or "").resolve()), str(
            getattr(plain, "__qualname__", op)
        )
    except TypeError:
        return "", str(op)


def _try(name: str, op: Op) -> None:
    """Run an op as networks will."""
    for before, after, stride in TRIED:
        build = GraphBuilder()
        source = build.add("input", Input((8, 8, before)))
        asked = f"{before} to {after} channels at stride {stride}"
        try:
            node = op(build, "op", source, after, stride, "relu6")
            found = None if node is None else build.shape(node)
        except Exception as error:
            raise ConfigError(f"op {name}: fails for {asked} ({type(error).__name__}: {error}).") from error
        wanted = (8 // stride, 8 // stride, after)
        if found != wanted:
            raise ConfigError(f"op {name}: gives {found} for {asked} on 8 x 8, expected {wanted}.")
