"""House rules: rooms, file lengths, start-up time, docstrings, names, nothing that runs foreign code."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.speed import assert_within
from tools import lint_house

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "edgeml").rglob("*.py"))
HEAVY = ("tensorflow", "tf_keras", "onnx", "onnxruntime", "optuna", "sklearn", "PIL", "altair")
BANNED_NAMES = {
    "manager",
    "helper",
    "helpers",
    "utils",
    "util",
    "handler",
    "engine",
    "context",
    "base",
    "common",
    "misc",
}
FOREIGN_CODE = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch"}
CALLS = {
    "eval", "exec", "__import__", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
    "os.system", "os.popen", "tempfile.mktemp", "ssl._create_unverified_context",
    "*.enable_unsafe_deserialization",
}  # fmt: skip
KEYWORDS = {"allow_pickle=True", "shell=True", "verify=False", "safe_mode=False", "StrictHostKeyChecking=no"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def venv_program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_rooms_import_only_leftwards() -> None:
    done = subprocess.run(
        [venv_program("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_too_long() -> None:
    assert lint_house.long_files() == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "long.py").write_text("\n" * 300)
    (tmp_path / "tools" / "fits.py").write_text("\n" * 299)
    assert lint_house.long_files(tmp_path) == ["tools/long.py has 300 lines; split it, the limit is 299."]


def test_help_is_there_in_half_a_second() -> None:
    def run() -> None:
        done = subprocess.run([venv_program("edgeml"), "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    assert_within(0.5, run)


@pytest.mark.parametrize("module", ["edgeml", "edgeml.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_everything_public_has_a_docstring(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    missing = [name for name, value in public(module) if not inspect.getdoc(value)]
    assert missing == []


def public(module: object) -> Iterator[tuple[str, object]]:
    """The module, its public functions, classes and methods (an override inherits its docstring)."""
    name = module.__name__  # type: ignore[attr-defined]
    if name.rpartition(".")[2] != "__main__":
        yield name, module
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        if inspect.isfunction(value):
            yield f"{name}.{key}", value
        elif inspect.isclass(value):
            yield f"{name}.{key}", value
            for method, member in inspect.getmembers(
                value, lambda m: inspect.isfunction(m) or isinstance(m, property)
            ):
                code = member.fget if isinstance(member, property) else member
                if not method.startswith("_") and code is not None and code.__module__ == name:
                    yield f"{name}.{key}.{method}", getattr(value, method)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_names_say_what_a_module_is(path: Path) -> None:
    words = set(module_name(path).replace("_", ".").split("."))
    assert not words & BANNED_NAMES


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_nothing_runs_foreign_code(path: Path) -> None:
    assert list(foreign_code(ast.parse(path.read_text(encoding="utf-8")))) == []


def foreign_code(tree: ast.AST) -> Iterator[str]:
    """Pickle and its kind, eval, exec, yaml.load, shells, allow_pickle=True and their like, by line."""
    for node in ast.walk(tree):
        found: set[str] = set()
        if isinstance(node, ast.Import):
            found = {alias.name.partition(".")[0] for alias in node.names} & FOREIGN_CODE
        elif isinstance(node, ast.ImportFrom):
            found = {(node.module or "").partition(".")[0]} & FOREIGN_CODE
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found = {called, f"*.{called.rpartition('.')[2]}"} & CALLS
            found |= {ast.unparse(word) for word in node.keywords} & KEYWORDS
            if called in ("np.load", "numpy.load") and "allow_pickle=False" not in ast.unparse(node):
                found.add("np.load without allow_pickle=False")
        for name in found:
            yield f"line {node.lineno}: {name}"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec(x)",
        "yaml.load(x)",
        "f(allow_pickle=True)",
        "np.load(x)",
        "subprocess.run(x, shell=True)",
        "tempfile.mktemp()",
        "requests.get(x, verify=False)",
        "import torch",
        "os.system(x)",
        "keras.config.enable_unsafe_deserialization()",
        "tf_keras.models.load_model(x, safe_mode=False)",
    ],
)
def test_foreign_code_is_seen(code: str) -> None:
    assert list(foreign_code(ast.parse(code)))


def test_what_only_looks_like_foreign_code_is_not() -> None:
    assert not list(foreign_code(ast.parse("model.eval()\nyaml.safe_load(x)\n'never pickle'\n")))


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "bench").glob("*.py")))
def test_every_benchmark_imports(name):
    """Benchmarks run for minutes, so only what they import is tried."""
    importlib.import_module(f"bench.{name}")
