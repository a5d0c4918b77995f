"""Finding and reading YAML files: which one wins, and that nothing but ConfigError ever comes out."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeml import resources
from edgeml.errors import ConfigError, UnknownNameError

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("targets", "search_spaces")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Roots called cwd, first, second ($EDGEML_PATH), package and checkout, each with its own thing.yaml."""
    roots = {
        name: tmp_path / name for name in ("cwd", "first", "second", "package/edgeml/builtin", "package")
    }
    for name, root in roots.items():
        (root / "targets").mkdir(parents=True)
        (root / "targets" / "thing.yaml").write_text(f"description: {name}\n")
        (root / "targets" / f"only_{name.rpartition('/')[2]}.yaml").write_text("{a: 1}\n")
    monkeypatch.chdir(roots["cwd"])
    monkeypatch.setenv("EDGEML_PATH", f"{roots['first']}::{roots['second']}:{tmp_path / 'absent'}")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package" / "edgeml")
    return roots


def test_cwd_beats_edgeml_path_beats_package_beats_checkout(places: dict[str, Path]) -> None:
    for root in places.values():
        found = resources.find("targets", "thing", "target")
        assert found == root / "targets" / "thing.yaml"
        found.unlink()
    with pytest.raises(UnknownNameError):
        resources.find("targets", "thing", "target")


def test_names_come_from_every_place_once(places: dict[str, Path]) -> None:
    known = ["only_builtin", "only_cwd", "only_first", "only_package", "only_second", "thing"]
    assert resources.names("targets") == known


def test_a_path_is_taken_as_it_is(places: dict[str, Path]) -> None:
    path = places["second"] / "targets" / "thing.yaml"
    assert resources.find("targets", str(path), "target") == path
    assert resources.find("targets", "targets/thing.yaml", "target") == Path("targets/thing.yaml")


def test_an_unknown_name_lists_and_suggests(places: dict[str, Path]) -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown target 'thnig'.*'thing'.*Known: only_builtin, .*thing\."
    ):
        resources.find("targets", "thnig", "target")
    with pytest.raises(UnknownNameError, match=r"absent\.yaml"):
        resources.find("targets", "absent.yaml", "target")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", "../targets/thing", "a\0b", "x" * 5000, "x" * 5000 + ".yaml"]
)
def test_odd_names_are_unknown_names(places: dict[str, Path], name: str) -> None:
    with pytest.raises(UnknownNameError):
        resources.find("targets", name, "target")


@pytest.mark.parametrize("kind", KINDS)
def test_the_checkout_is_found_from_anywhere(kind: str, tmp_path: Path) -> None:
    code = f"from edgeml import resources; print(*resources.names({kind!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    checkout = ROOT / kind
    assert done.stdout.split() == sorted(path.stem for path in checkout.glob("*.yaml"))


@pytest.mark.slow
def test_the_wheel_holds_every_yaml_file(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, capture_output=True, text=True, check=True)
    packed = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    files = [path.relative_to(ROOT) for kind in KINDS for path in (ROOT / kind).glob("*.yaml")]
    assert {f"edgeml/builtin/{path}" for path in files} <= packed
    kernels = (ROOT / "edgeml" / "deploy" / "c99" / "kernels").iterdir()
    assert {str(path.relative_to(ROOT)) for path in kernels} <= packed
    assert not (ROOT / "edgeml" / "builtin").exists()


def read(tmp_path: Path, text: str) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    path = tmp_path / "case.yaml"
    path.write_text(text, encoding="utf-8")
    return resources.load_yaml(path)


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    value, lines = read(tmp_path, "a: 1\nb:\n  - x\n  - y: 2\n")
    assert value == {"a": 1, "b": ["x", {"y": 2}]}
    assert (lines[("a",)], lines[("b",)], lines[("b", 0)], lines[("b", 1, "y")]) == (1, 2, 3, 4)


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"case\.yaml:3: not valid YAML"):
        read(tmp_path, "a: 1\nb: 2\nc: }\n")


def test_a_validation_error_names_file_line_key_and_value(tmp_path: Path) -> None:
    class Limits(pydantic.BaseModel):
        flash_kb: int

    class Model(pydantic.BaseModel):
        name: str
        limits: list[Limits]

    value, lines = read(tmp_path, "name: x\nlimits:\n  - flash_kb: 1\n  - flash_kb: many\n")
    with pytest.raises(pydantic.ValidationError) as caught:
        Model.model_validate(value)
    message = resources.validation_message(tmp_path / "case.yaml", lines, caught.value)
    assert message.startswith(f"{tmp_path}/case.yaml:4: limits.1.flash_kb: ")
    assert "found 'many'" in message


def test_a_missing_key_points_at_the_mapping_it_is_missing_from(tmp_path: Path) -> None:
    class Model(pydantic.BaseModel):
        name: str

    _, lines = read(tmp_path, "# a comment\nother: 1\n")
    with pytest.raises(pydantic.ValidationError) as caught:
        Model.model_validate({"other": 1})
    assert "case.yaml:2: name: " in resources.validation_message(Path("case.yaml"), lines, caught.value)


WEIRD = {
    "empty": "",
    "scalar": "just words",
    "list": "[1, 2]",
    "nothing": "~",
    "two documents": "a: 1\n---\nb: 2\n",
    "tab": "a:\n\t- 1\n",
    "control character": "a: \x00\n",
    "unknown tag": "a: !device x\n",
    "python object": "a: !!python/object/apply:os.system [ls]\n",
    "empty int": 'a: !!int ""\n',
    "no bool": "a: !!bool perhaps\n",
    "no time": "a: !!timestamp noon\n",
    "no date": "a: 2024-13-45\n",
    "list as key": "? [1, 2]\n: 3\n",
    "undefined alias": "a: *b\n",
    "deep": "a: " + "[" * 5000 + "]" * 5000,
    "deep mapping": "{a: " * 3000 + "1" + "}" * 3000,
    "huge int": "a: " + "9" * 6000,
}


@pytest.mark.parametrize("text", WEIRD.values(), ids=WEIRD.keys())
def test_weird_yaml_is_a_config_error_of_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"case\.yaml") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["a: &a [*a, *a, *a, *a]", "a: &a {b: *a, c: *a, d: *a}"])
def test_an_alias_of_itself_is_a_config_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="the value on line 1 contains itself"):
        read(tmp_path, text)


@pytest.mark.timeout(60)
def test_aliases_of_aliases_do_not_take_for_ever(tmp_path: Path) -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    with pytest.raises(ConfigError, match="the aliases up to line 6 stand for more than 100,000 values"):
        read(tmp_path, text)


def test_files_that_cannot_be_read_are_config_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe\x00")
    (tmp_path / "folder.yaml").mkdir()
    for name in ("latin.yaml", "folder.yaml", "absent.yaml"):
        with pytest.raises(ConfigError, match=name):
            resources.load_yaml(tmp_path / name)


TAGS = (
    "",
    "!!int ",
    "!!float ",
    "!!bool ",
    "!!null ",
    "!!timestamp ",
    "!!binary ",
    "!!set ",
    "!!omap ",
    "!!pairs ",
)
SOURCES = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.text("ab:-[]{}#&*!|>'\"%@`?,. \n\t0123456789~<=_"),
    st.builds("a: {}{}".format, st.sampled_from(TAGS), st.text("ab019:-.+_xoeE[]{}\"' ")),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.dates(), st.lists
    ).map(lambda value: yaml.safe_dump({"key": value})),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SOURCES)
def test_any_text_is_a_mapping_or_a_config_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        value, lines = resources.load_yaml(path)
    except ConfigError as error:
        assert "fuzz.yaml" in str(error)
        return
    assert isinstance(value, dict)
    assert all(1 <= line <= text.count("\n") + text.count("\r") + 2 for line in lines.values())
