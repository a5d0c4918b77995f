"""The examples of an exported folder run with nothing but their runtime, numpy and pillow, and are right."""

from __future__ import annotations

import importlib.metadata
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeml.data.dataset import Dataset
from edgeml.data.images.pixels import read_pixels, resize_all
from edgeml.deploy.runtime import predict
from edgeml.export.examples import _model, examples
from edgeml.export.folder import export_files
from edgeml.export.spec import DataSpec
from edgeml.report.run_files import open_run

# Only what an example needs is on the path of its process, by name of the distribution.
RUNTIMES = {"example_litert.py": "ai-edge-litert", "example_onnx.py": "onnxruntime"}
ALONE = """
import importlib.util, runpy, sys
sys.path[:0] = [{links!r}]
assert importlib.util.find_spec("edgeml") is None and importlib.util.find_spec("tensorflow") is None
sys.argv = {argv!r}
runpy.run_path(sys.argv[0], run_name="__main__")
assert not any(name.partition(".")[0] == "edgeml" for name in sys.modules)
"""


@pytest.fixture(scope="module")
def exported(finished_run, tmp_path_factory):
    files = open_run(finished_run)
    out = tmp_path_factory.mktemp("exported") / "out"
    formats = ("tflite", "onnx", "onnx-int8", "tflite-fp16")
    export_files(finished_run, files.front[0], out, formats, dict(files.run))
    return out


def test_no_example_gives_features_to_the_model_of_waveforms():
    assert _model({"tflite-waveform": ["model_waveform.tflite"]}, "tflite") == ""
    both = {"tflite-waveform": ["model_waveform.tflite"], "tflite-fp16": ["model_fp16.tflite"]}
    assert _model(both, "tflite") == "model_fp16.tflite"


@pytest.fixture(scope="module")
def test_split(finished_run):
    return Dataset.open(finished_run / "data").test


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    """`links(distribution)`: a folder with it, numpy, pillow and what they require, and nothing else."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp("links")
        waiting, seen = [name, "numpy", "pillow"], set()
        while waiting:
            found = importlib.metadata.distribution(waiting.pop())
            if found.name in seen:
                continue
            seen.add(found.name)
            tops = {path.parts[0] for path in found.files or () if path.parts[0] not in ("..", "__pycache__")}
            for top in tops:
                target = folder / top
                if not target.exists():
                    target.symlink_to(Path(str(found.locate_file(top))))
            needed = [r for r in found.requires or () if "extra ==" not in r]
            waiting += [
                part for r in needed if installed(part := re.split(r"[^\w.-]", r, maxsplit=1)[0]) and ok(r)
            ]
        return folder

    return make


def installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def ok(requirement: str) -> bool:
    return "sys_platform" not in requirement


def alone(links: Path, script: Path, *arguments: str) -> list[tuple[float, str]]:
    """Run an example in a process that sees `links` only -> (probability, class), best first."""
    code = ALONE.format(links=str(links), argv=[str(script), *map(str, arguments)])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", code],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("  ", 1) for line in done.stdout.splitlines()]
    return [(float(probability), name) for probability, name in rows]


@pytest.mark.parametrize("name", RUNTIMES)
def test_example_alone(exported, finished_run, test_split, links, tmp_path, name):
    folder = links(RUNTIMES[name])
    key = json.loads((exported / "model.json").read_text())["key"]
    scored = (finished_run / "candidates" / key / "model.tflite").read_bytes()
    picked = [0, 7, 100]
    expected = predict(scored, test_split.inputs[picked])
    near = 1e-6 if name == "example_litert.py" else 0.2  # the float network is not the int8 one
    for index, wanted in zip(picked, expected, strict=True):
        image = test_split.inputs[index]
        Image.fromarray(image[..., 0]).save(tmp_path / "digit.png")
        np.save(tmp_path / "pixels.npy", image)
        np.save(tmp_path / "values.npy", image[..., 0] * (16 / 255))  # as scikit-learn has them
        for file in ("digit.png", "pixels.npy", "values.npy"):
            rows = alone(folder, exported / name, tmp_path / file)
            assert len(rows) == 3 and [p for p, _ in rows] == sorted((p for p, _ in rows), reverse=True)
            for probability, label in rows:
                assert probability == pytest.approx(wanted[int(label)], abs=near)
        if name == "example_litert.py":
            best = np.argsort(-wanted, kind="stable")[:3]
            assert [label for _, label in rows] == [str(label) for label in best]


def test_other_files_of_the_folder_can_be_named(exported, links, test_split, tmp_path):
    np.save(tmp_path / "x.npy", test_split.inputs[3])
    litert, onnx = links("ai-edge-litert"), links("onnxruntime")
    whole = alone(litert, exported / "example_litert.py", tmp_path / "x.npy")
    half = alone(litert, exported / "example_litert.py", tmp_path / "x.npy", exported / "model_fp16.tflite")
    int8 = alone(onnx, exported / "example_onnx.py", tmp_path / "x.npy", exported / "model_int8.onnx")
    both = alone(onnx, exported / "example_onnx.py", tmp_path / "x.npy")
    assert {n: p for p, n in half} == pytest.approx({n: p for p, n in both}, abs=1e-2)
    assert int8[0][0] == pytest.approx(whole[0][0], abs=0.02)


@pytest.mark.parametrize("arguments", [(), ("a", "b", "c")])
def test_usage(exported, arguments):
    done = subprocess.run(
        [sys.executable, exported / "example_litert.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr.startswith("usage: python example_litert.py IMAGE")


def data(height: int, width: int, channels: int, **more) -> DataSpec:
    return DataSpec(
        name="d", kind="folder", source="d", hash="0", classes=["a", "b"], counts={},
        input_shape=(height, width, channels), **more,
    )  # fmt: skip


def loaded(tmp_path: Path, shape, described: DataSpec) -> dict:
    """The example's functions."""
    script = tmp_path / "example_litert.py"
    script.write_bytes(examples({"tflite": ["model.tflite"]}, shape, described)["example_litert.py"])
    return runpy.run_path(str(script), run_name="example")


def pictures(folder: Path) -> list[Path]:
    """Files of every kind that training data may hold."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (90, 61, 3), np.uint8))
    smooth = rgb.resize((640, 400), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth.save(folder / "big.jpg", quality=90)
    smooth.save(folder / "turned.jpg", exif=exif)
    rgb.save(folder / "rgb.png")
    rgb.convert("L").save(folder / "grey.png")
    rgba = rgb.convert("RGBA")
    rgba.putalpha(Image.fromarray(rng.integers(0, 256, (90, 61), np.uint8)))
    rgba.save(folder / "alpha.png")
    rgb.quantize(32).save(folder / "palette.gif", transparency=3)
    Image.fromarray(rng.integers(0, 65536, (40, 50), np.uint16)).save(folder / "deep.png")
    Image.fromarray(rng.random((40, 50), np.float32)).save(folder / "float.tiff")
    rgb.convert("1").save(folder / "two.bmp")
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    "shape, size", [((24, 24, 3), (24, 24)), ((16, 20, 3), (32, 40)), ((16, 16, 1), (48, 48))]
)
def test_images_are_prepared_as_for_training(tmp_path, shape, size):
    """read_pixels at the data's size, then the network's resolution: pixel by pixel the same."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    example = loaded(tmp_path, shape, data(*size, shape[2]))
    for path in pictures(folder):
        whole = read_pixels(path, *size, shape[2] == 1)
        (wanted,) = resize_all(whole[None], *shape[:2])
        assert np.array_equal(example["read_pixels"](path), wanted), path.name


def test_values_of_the_data_set_become_pixels(tmp_path):
    described = data(4, 4, 1, value_scale=2 / 255, value_offset=-1.0)
    example = loaded(tmp_path, (4, 4, 1), described)
    np.save(tmp_path / "v.npy", np.linspace(-1, 1, 16).reshape(1, 4, 4, 1).astype(np.float32))
    wanted = np.rint(np.linspace(0, 255, 16)).reshape(4, 4, 1)
    assert np.abs(example["read_pixels"](tmp_path / "v.npy").astype(int) - wanted).max() <= 1
    np.save(tmp_path / "v.npy", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(SystemExit, match="shape"):
        example["read_pixels"](tmp_path / "v.npy")


def test_only_examples_of_what_is_there():
    described = data(8, 8, 1)
    assert set(examples({"onnx": ["model.onnx"]}, (8, 8, 1), described)) == {"example_onnx.py"}
    assert set(examples({"keras": ["model.h5"]}, (8, 8, 1), described)) == set()
    both = {"tflite": ["model.tflite"], "mediapipe": ["model_mediapipe.tflite"]}
    grey = examples(both, (8, 8, 1), described)
    assert b'"model_mediapipe.tflite"' in grey["MediaPipeClassifier.kt"]
    assert "MediaPipeClassifier.kt" not in examples({"tflite": ["model.tflite"]}, (8, 8, 1), described)
    colour = examples({"tflite": ["model.tflite"]}, (8, 8, 3), data(8, 8, 3))
    assert b'"model.tflite"' in colour["MediaPipeClassifier.kt"]
    half = examples({"tflite-fp16": ["model_fp16.tflite"]}, (8, 8, 1), described)
    assert set(half) == {"example_litert.py"} and b"model_fp16.tflite" in half["example_litert.py"]
    for made in (grey, colour, half):
        assert not any(b"{{" in content for content in made.values())


def test_python_examples_pass_ruff(exported):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,B", "--ignore", "E501",
         *map(str, exported.glob("*.py"))], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_example_for_readers(finished_run, tmp_path):
    """examples/export_and_run.py, as it stands in the repository."""
    script = Path(__file__).parent.parent / "examples" / "export_and_run.py"
    run = shutil.copytree(finished_run, tmp_path / "run")
    done = subprocess.run(
        [sys.executable, script, run], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tflite: same class on 100.0% of 269 images, LiteRT")
    assert lines[1].startswith("onnx: same class on 100.0% of 269 images, onnxruntime")
    assert len(lines) == 7 and Path(lines[6].removeprefix("files in ")).is_dir()
