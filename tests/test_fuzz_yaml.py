"""No YAML file that a user gives ends in a traceback: valid documents, changed as a hand may change them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz_mutations import damaged_text, damaged_value
from bench.fuzz_yaml import YAML_ODD, as_yaml
from edgeml.arch.space_file import load_space
from edgeml.errors import ConfigError, EdgemlError
from edgeml.resources import load_yaml
from edgeml.search.ladder import load_ladder
from edgeml.target.measure import known_target

ROOT = Path(__file__).resolve().parent.parent
READERS = {"search_spaces": load_space, "targets": known_target, "fidelities": load_ladder}
QUICK = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("kind", READERS)
@QUICK
@given(seed=st.integers(0, 10**9), data=st.data())
def test_a_changed_file_is_read_or_refused_in_one_sentence(kind, tmp_path, seed, data):
    import yaml

    text = data.draw(st.sampled_from(sorted(ROOT.joinpath(kind).glob("*.yaml")))).read_text("utf-8")
    rng = random.Random(seed)
    value = json.loads(json.dumps(yaml.safe_load(text), default=str))
    path = tmp_path / "given.yaml"
    path.write_bytes(damaged_text(rng, text) if seed % 3 else as_yaml(rng, damaged_value(rng, value)))
    try:
        READERS[kind](str(path))
    except EdgemlError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("text", YAML_ODD, ids=lambda text: text[:12])
def test_what_only_yaml_has_is_read_or_refused(text, tmp_path):
    path = tmp_path / "given.yaml"
    path.write_text(text + "\n", encoding="utf-8")
    try:
        load_yaml(path)
    except ConfigError as error:
        assert str(path) in str(error) and len(str(error)) < 1000


def test_aliases_that_stand_for_millions_and_keys_that_stand_twice_are_refused(tmp_path):
    path = tmp_path / "given.yaml"
    for text, words in ((YAML_ODD[0], "aliases"), ("a: 1\nb: 2\na: 3\n", "again on line 3")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=words):
            load_yaml(path)


def test_a_number_of_thousands_of_digits_is_named_without_being_written_out(tmp_path):
    path = tmp_path / "given.yaml"
    path.write_text("description: x\nrungs: [{epochs: 0x" + "f" * 5000 + "}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="thousands of digits"):
        load_ladder(str(path))


def test_make_bench_reads_hundreds_of_damaged_inputs_not_the_ten_thousand():
    """In a process of its own: the script asks libraries for one thread."""
    asked = "from bench.endurance_fuzz import FULL, _parsed; print(FULL, _parsed([]).inputs)"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    full, inputs = map(int, done.stdout.split())
    assert full == 10_000 and 100 <= inputs <= 1000
