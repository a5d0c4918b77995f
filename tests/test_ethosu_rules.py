"""Our rules for Ethos-U against Vela: models it refuses one operator of, and real conversions."""

from __future__ import annotations

import pytest

from bench.random_networks import random_graph, random_tflite
from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_outline import Outline, outline
from edgeml.target.ethosu import rules as ethosu_rules
from edgeml.target.ethosu import verdicts as ethosu
from edgeml.target.ethosu.rules import RULES_U55, RULES_U85
from edgeml.target.ethosu.vela import VelaOptions, compile_model, missing
from edgeml.target.ethosu.verdicts import verdicts
from edgeml.target.meter import MeterUnavailableError
from edgeml.target.profile import Target, load_target
from edgeml.target.rules import first_refusal, view, words
from tests import ethosu_models
from tests.make_tflite import ModelSpec, make
from tests.speed import assert_within

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

U55, U85 = load_target("ethos-u55-128"), load_target("ethos-u85-256")
CASES = [(name, i) for name, models in ethosu_models.REFUSED.items() for i in range(len(models))]


def _options(target: Target) -> VelaOptions:
    return VelaOptions.model_validate(target.options["vela"])


def _squeezed(text: str) -> str:
    return " ".join(text.split()).lower().rstrip(".")


@pytest.mark.parametrize("name, number", CASES)
def test_refused_as_by_vela(name: str, number: int) -> None:
    content = ethosu_models.build(ethosu_models.REFUSED[name][number]())
    rule = getattr(ethosu_rules, name)
    for target, rules in ((U55, RULES_U55), (U85, RULES_U85)):
        if rule not in rules:
            continue
        assert first_refusal(rules, view(read_model(content))[-1]) is rule
        said = compile_model(content, _options(target))
        assert said.host_ops == 1
        (complaint,) = said.complaints.values()
        spoken = _squeezed(f"{complaint.reason} {complaint.constraint}")
        says = _squeezed(words(rule)[0]).removesuffix(" on ethos-u55 and ethos-u65")
        assert says.replace('"bool", ', "") in spoken.replace('"bool", ', "")


@pytest.mark.parametrize("name, number", [case for case in CASES if case[0].endswith("_u55")])
def test_ethos_u85_runs_what_only_it_runs(name: str, number: int) -> None:
    content = ethosu_models.build(ethosu_models.REFUSED[name][number]())
    assert compile_model(content, _options(U85)).host_ops == 0
    assert [v.mapped for v in verdicts(read_model(content), None, U85)] == [True]
    assert [v.mapped for v in verdicts(read_model(content), None, U55)] == [False]


@pytest.mark.parametrize("number", range(len(ethosu_models.MAPPED)))
@pytest.mark.parametrize("target", [U55, U85], ids=lambda target: str(target.name))
def test_mapped_as_by_vela(number: int, target: Target) -> None:
    content = ethosu_models.build(ethosu_models.MAPPED[number]())
    assert compile_model(content, _options(target)).host_ops == 0
    assert all(v.mapped for v in verdicts(read_model(content), None, target))


def test_every_rule_is_tried() -> None:
    assert set(ethosu_models.REFUSED) == {rule.__name__ for rule in (*RULES_U55, *RULES_U85)}


def test_supported_operators_are_those_of_vela() -> None:
    from ethosu import regor

    for family, known in (("EthosU55", ethosu_rules.SUPPORTED_U55), ("EthosU85", ethosu_rules.SUPPORTED_U85)):
        table = {
            "ARG_MAX" if name == "ARGMAX" else name for name in regor.tflite_operator_constraints(family)
        }
        assert known == table
    narrow = "32-bit feature-maps are not supported."
    wide = {
        name for name, said in regor.tflite_operator_constraints("EthosU55").items() if narrow not in said
    }
    assert {"ARG_MAX" if name == "ARGMAX" else name for name in wide} == ethosu_rules.WIDE_U55


@pytest.mark.slow
@pytest.mark.parametrize("space", ["nano", "micro_cell", "mbconv_macro", "nasbench201"])
def test_outline_of_a_space_is_judged_as_its_conversion(space: str) -> None:
    graph = random_graph(space, 0)
    content = random_tflite(graph)
    model = read_model(content)
    for target in (U55, U85):
        before = verdicts(outline(graph), None, target)
        after = verdicts(model, content, target)
        # The converter orders branches as it likes.
        assert sorted((v.op, v.mapped) for v in before) == sorted((v.op, v.mapped) for v in after)


def test_words_are_those_of_vela_without_names_of_tensors() -> None:
    spec = ModelSpec()
    left = spec.op("FLOOR", [spec.conv(spec.tensor(1, 8, 8, 4), 8, 3)], (1, 8, 8, 8))
    spec.conv(left, 8, 3)
    content = make(spec)
    found = verdicts(read_model(content), content, U55)
    assert [v.mapped for v in found] == [True, False, True]
    assert found[1].reason == "Unsupported opType"
    assert found[1].instead.startswith("Leave it to the host")
    assert found[0].reason == ethosu_rules.MAPPED


def test_operators_with_one_fault_read_the_same() -> None:
    spec = ModelSpec()
    first = spec.op("ABS", [spec.tensor(1, 8, 8, 4, dtype="FLOAT32")], (1, 8, 8, 4), dtype="FLOAT32")
    spec.op("NEG", [first], (1, 8, 8, 4), dtype="FLOAT32")
    content = make(spec)
    reasons = {v.reason for v in verdicts(read_model(content), content, U55)}
    (reason,) = reasons
    assert reason.startswith("Operation has tensor with unsupported DataType Float32: Feature-map dataTypes")


def test_what_vela_compiled_is_named() -> None:
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 8, 8, 4)], (1, 8, 8, 4), custom="ethos-u")
    content = make(spec)
    (verdict,) = verdicts(read_model(content), content, U55)
    assert not verdict.mapped
    assert "already compiled by Vela" in verdict.reason


def test_rules_judge_where_vela_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(content: bytes, wanted: VelaOptions) -> None:
        raise MeterUnavailableError("not installed")

    monkeypatch.setattr(ethosu, "compile_model", absent)
    content = make(_floor())
    (verdict,) = verdicts(read_model(content), content, U55)
    assert (verdict.mapped, verdict.reason) == (False, "Unsupported opType")


def _floor() -> ModelSpec:
    spec = ModelSpec()
    spec.op("FLOOR", [spec.tensor(1, 8, 8, 4)], (1, 8, 8, 4))
    return spec


def test_a_crash_of_vela_is_a_verdict() -> None:
    spec = ModelSpec()  # Vela 5.2 ends with SIGSEGV on axes that are computed
    spec.op(
        "MEAN",
        [spec.tensor(1, 8, 8, 4), spec.tensor(2, dtype="INT32")],
        (1, 4),
        options=("Reducer", {"keepDims": False}),
    )
    content = make(spec)
    (verdict,) = verdicts(read_model(content), content, U55)
    assert not verdict.mapped
    assert "Vela" in verdict.reason and "\n" not in verdict.reason


def test_an_outline_takes_no_time() -> None:
    build = Outline()
    tensor = build.input(64, 64, 3)
    for _ in range(60):
        tensor = build.conv(tensor, 16, 3)
    model = build.finish(tensor)
    assert_within(0.01, lambda: verdicts(model, None, U55))
