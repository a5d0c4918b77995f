"""Guardrails: every planted fault is found, none is seen where there is none, and what is done about it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeml.data.dataset import load
from edgeml.data.guardrails.finding import Finding
from edgeml.data.guardrails.guardrails import check, merged
from edgeml.data.guardrails.near import near_pairs, thumbnails
from edgeml.data.inspection import inspect
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, Split


def scene(rng, side=32):
    """A smooth picture that no other resembles."""
    small = Image.fromarray(rng.integers(0, 255, (6, 6, 3)).astype(np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def photos(root, classes=("cat", "dog"), count=30, seed=0):
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            scene(rng).save(root / name / f"{name}{index:02}.png")
    return root


def codes(found):
    return {finding.code: finding for finding in found.findings}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("clean") / "set")


@pytest.fixture
def copied(clean, tmp_path):
    return Path(shutil.copytree(clean, tmp_path / "set"))


def exact_copy(root):
    shutil.copy(root / "cat/cat00.png", root / "cat/again.png")


def near_copy(root):
    image = Image.open(root / "cat/cat01.png").point(lambda value: 0.9 * value + 10)
    image.save(root / "cat/again.jpg", quality=80)


def conflict(root):
    shutil.copy(root / "cat/cat02.png", root / "dog/cat.png")


def broken(root):
    (root / "dog/dog03.png").write_bytes((root / "dog/dog03.png").read_bytes()[:90])


def blank(root):
    Image.new("RGB", (32, 32), (0, 0, 90)).save(root / "dog/blue.png")


def disguise(root):
    Image.open(root / "dog/dog04.png").save(root / "dog/dog04.jpg", "PNG")
    (root / "dog/dog04.png").unlink()


def other_case(root):
    photos(root, ("Dog",), 22, seed=5)


def misspelt(root):
    photos(root, ("bird",), 30, seed=6)
    photos(root, ("brid",), 4, seed=7)


def few(root):
    photos(root, ("newt",), 6, seed=8)


def unbalanced(root):
    photos(root, ("eels",), 330, seed=9)


def long_one(root):
    scene(np.random.default_rng(3)).resize((200, 32)).save(root / "cat/long.png")


def tiny(root):
    scene(np.random.default_rng(4)).resize((12, 12)).save(root / "cat/tiny.png")


def split_by_hand(root):
    """Train and test folders that share nothing."""
    for part, seed in (("train", 0), ("test", 1)):
        photos(root / part, count=24, seed=seed)
    return root


PLANTED = {
    "duplicates": (exact_copy, 1, "cat/again.png"),
    "near-duplicates": (near_copy, 1, "cat/again.jpg"),
    "conflicting-labels": (conflict, 1, "dog/cat.png"),
    "corrupt-files": (broken, 1, "dog03.png"),
    "blank": (blank, 1, "dog/blue.png"),
    "extension-mismatch": (disguise, 1, "dog04.jpg"),
    "label-case": (other_case, 1, "'Dog' (22)"),
    "label-typing": (misspelt, 1, "'brid' (4) for 'bird' (30)"),
    "few-samples": (few, 1, "newt (6)"),
    "class-balance": (unbalanced, 3, "eels (330)"),
    "aspect-ratio": (long_one, 1, "200 x 32"),
    "tiny-images": (tiny, 1, "12 x 12"),
}


@pytest.mark.parametrize("code", PLANTED)
def test_each_planted_fault_is_found(copied, code):
    plant, count, example = PLANTED[code]
    plant(copied)
    found = inspect(str(copied))
    finding = codes(found)[code]
    assert finding.count == count and finding.severity == "warning"
    assert any(example in name for name in finding.examples), finding.examples
    accompanying = {
        "conflicting-labels": {"duplicates"},
        "label-typing": {"few-samples"},
        "class-balance": {"few-samples"},
        "aspect-ratio": {"image-sizes"},
        "tiny-images": {"image-sizes"},
        "few-samples": set(),
    }
    assert set(codes(found)) - {code} <= accompanying.get(code, set())
    assert found.ok


def test_nothing_is_found_in_clean_pictures(clean):
    assert inspect(str(clean)).findings == ()


def test_nothing_is_found_in_digits():
    assert inspect("digits").findings == ()


def test_a_leak_between_given_parts_is_a_warning_and_a_copied_part_an_error(tmp_path, cli):
    root = split_by_hand(tmp_path / "set")
    assert inspect(str(root)).findings == ()
    shutil.copy(root / "train/cat/cat00.png", root / "test/cat/leak.png")
    near = Image.open(root / "train/dog/dog00.png").point(lambda value: 0.9 * value)
    near.save(root / "test/dog/near.jpg", quality=85)
    found = codes(inspect(str(root)))
    assert set(found) == {"duplicates-across-splits", "near-duplicates-across-splits"}
    leak = found["duplicates-across-splits"]
    assert (leak.severity, leak.count) == ("warning", 1)
    assert leak.examples == ("train/cat/cat00.png = test/cat/leak.png",)
    assert found["near-duplicates-across-splits"].examples == ("train/dog/dog00.png = test/dog/near.jpg",)
    shutil.rmtree(root / "test")
    shutil.copytree(root / "train", root / "test")
    code, out, _ = cli("data", root, "--json")
    assert code == 2 and json.loads(out)["findings"][0]["code"] == "duplicates-across-splits"
    code, out, err = cli("search", "--data", root, "--target", "null", "--out", "run")
    said = err.splitlines()[-1]  # on a slow machine, how far decoding is stands before it
    assert code == 2 and "exact copies" in said and "edgeml data" in said and "Traceback" not in err
    assert not Path("run/run.json").exists()


def test_copies_stay_in_one_split(tmp_path):
    root = photos(tmp_path / "set", count=20)
    for index in range(10):
        for again in range(3):
            shutil.copy(root / f"cat/cat{index:02}.png", root / f"cat/again{index}-{again}.png")
    data = load(str(root), guarded=True)
    held = [{image.tobytes() for image in split.inputs} for split in (data.train, data.val, data.test)]
    assert sum(len(pictures) for pictures in held) == 40 and all(held)
    assert codes(data)["duplicates"].count == 30


def test_groups_that_share_copies_become_one():
    groups = np.array([7, 7, 3, 3, 5, 9])
    copies = np.array([0, 1, 1, 2, 3, 4])
    found = merged(groups, copies)
    assert len(set(found[:4])) == 1 and len(set(found)) == 3


def windows(kind, inputs, labels, classes=("a", "b"), **given):
    split = Split(inputs, np.asarray(labels, np.int64))
    about = {"kind": kind, **given}
    return Source("set", kind, "set", classes, {"train": split}, preprocessing=about)


def test_silent_and_clipped_recordings():
    rng = np.random.default_rng(0)
    t = np.arange(8000) / 8000
    sound = np.stack([0.3 * np.sin(2 * np.pi * (200 + 7 * k) * t + k) for k in range(40)])
    waves = np.rint(32767 * sound + rng.normal(0, 20, sound.shape)).astype(np.int16)
    clean = windows("audio", waves[:, :, None, None], np.arange(40) % 2, rate_hz=8000)
    assert check(clean) == ()
    waves[3] = rng.integers(-5, 6, 8000)
    waves[8] = np.clip(6 * waves[8].astype(np.int32), -32768, 32767)
    waves[9] = np.clip(waves[9], -9000, 9000)  # by an amplifier before the converter
    found = {f.code: f for f in check(windows("audio", waves[:, :, None, None], np.arange(40) % 2))}
    assert found["silent"].examples == ("train 3",)
    assert found["clipped"].examples == ("train 8", "train 9") and found["clipped"].severity == "warning"


def test_all_silent_is_an_error():
    quiet = np.arange(40, dtype=np.int16)[:, None, None, None] % 7 * np.ones((1, 50, 1, 1), np.int16)
    found = check(windows("audio", quiet, np.arange(40) % 2))
    assert (found[0].code, found[0].severity) == ("silent", "error")


def test_constant_features_and_windows():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (60, 1, 1, 4)).astype(np.uint8)
    rows[..., 2] = 9
    found = check(windows("table", rows, np.arange(60) % 2))
    assert [(f.code, f.count, f.examples) for f in found] == [("constant-feature", 1, ("feature 2",))]
    still = rng.integers(0, 256, (60, 20, 1, 3)).astype(np.uint8)
    still[5] = 128
    found = check(windows("sensor", still, np.arange(60) % 2))
    assert [(f.code, f.examples) for f in found] == [("constant-window", ("train 5",))]


def test_missing_cells_of_a_table(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        f"{'' if i % 10 == 0 else round(rng.normal(), 4)},{rng.normal():.4f},{'ab'[i % 2]}" for i in range(80)
    ]
    path = tmp_path / "table.csv"
    path.write_text("x,y,label\n" + "\n".join(lines) + "\n")
    found = codes(inspect(str(path)))["missing-values"]
    assert (found.count, found.examples) == (8, ("x (8 of 80)",))


def test_target_values_far_out():
    values = np.random.default_rng(0).normal(5, 1, 300).astype(np.float32)
    inputs = np.random.default_rng(1).integers(0, 256, (300, 1, 1, 3)).astype(np.uint8)
    values[17] = 1e6
    split = Split(inputs, values)
    about = {"kind": "table"}
    found = check(Source("s", "table", "s", (), {"train": split}, "regression", preprocessing=about))
    assert [(f.code, f.examples) for f in found] == [("target-outliers", ("1e+06",))]


def test_numbers_are_no_misspellings(tmp_path):
    root = photos(tmp_path / "set", ("class10",), 40)
    photos(root, ("class11",), 5, seed=2)
    assert "label-typing" not in codes(inspect(str(root)))


def test_pictures_of_one_kind_are_not_near(shared_data):
    """Fashion-MNIST: of 4,000 shirts and shoes, at most a handful are as near as copies are."""
    with np.load(shared_data("fashion_mnist") / "fashion_mnist.npz") as found:
        images = found["x_train"][:4000, ..., None]
    rows, _ = thumbnails(images, np.arange(len(images)))
    assert len(near_pairs(rows, np.arange(len(images)))) <= 4
    again = np.clip(images[:200] * 0.9 + 8, 0, 255).astype(np.uint8)
    rows, _ = thumbnails(np.concatenate([images, again]), np.arange(4200))
    pairs = near_pairs(rows, np.arange(4200))
    assert len([pair for pair in pairs if pair[1] == pair[0] + 4000]) >= 195


def test_run_json_records_what_was_found(cli, copied):
    exact_copy(copied)
    code, _, err = cli("search", "--data", copied, "--target", "null", "--trials", 1, "--epochs", 0.2,
                       "--compress", "none", "--fidelity", "full", "--out", "run")  # fmt: skip
    assert code == 0, err
    listed = json.loads(Path("run/run.json").read_text())["dataset"]["guardrails"]
    assert [Finding.from_dict(one).code for one in listed] == ["duplicates"]
    assert listed[0]["severity"] == "warning" and "cat/again.png" in listed[0]["examples"][0]


def test_the_table_on_the_screen(cli, copied):
    other_case(copied)
    code, out, _ = cli("data", copied)
    assert code == 0 and "label-case" in out and "keeps them apart" in out and "1 warning" in out
    code, _, err = cli("data", copied / "nothing")
    assert code == 2 and "does not exist" in err


def test_a_finding_has_a_known_severity():
    with pytest.raises(ValueError, match="severity"):
        Finding("fatal", "x", 1, "a.", "b.")


def test_names_follow_samples(clean):
    source = read_source(str(clean), ReadOptions())
    assert source.names["train"][31] == "dog/dog01.png"
