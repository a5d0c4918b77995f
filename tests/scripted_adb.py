"""A scripted adb: no phone and no emulator is on the machines that run these tests, so this plays one.

Run as `adb` it answers `devices`, `push` and `shell` as the real program does. A command for the phone is
really run, by this computer's `sh`, in a folder that stands for /data/local/tmp, so quoting mistakes show.
What goes wrong and when is in phone.json beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TMP = "/data/local/tmp"

# Lines as TensorFlow Lite's benchmark_model prints them; the microseconds follow the model's size.
BENCHMARK = """#!{python} -SE
import os, sys, time
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
size = len(open(flags["graph"], "rb").read())
with open({log!r}, "a") as log:
    log.write("%d %s\\n" % (size, " ".join(sys.argv[2:])))
print("STARTING!\\nLog parameter values verbosely: [0]\\nGraph: [%s]" % flags["graph"])
mode = {mode!r}
if size == {bad}:
    if mode == "crash":
        os.kill(os.getpid(), 11)
    if mode == "hang":
        time.sleep(600)
    sys.stderr.write("ERROR: Didn't find op for builtin opcode 'CONV_2D' version '9'.\\n"
                     "ERROR: Registration failed.\\nERROR: Benchmarking failed.\\n")
    sys.exit(1)
print("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\nInitialized session in 1.234ms.")
print("count=3 first=%d curr=%d min=%d max=%d avg=%d std=9\\n" % (9 * size, size, size, 9 * size, 4 * size))
low, tail = size, ""
if mode == "percentiles":
    tail = " p5=%d median=%d p95=%d" % (size + 2, size + 20, size + 90)
print("count=50 first=%d curr=%d min=%d max=%d avg=%.6g std=7%s\\n"
      % (size + 30, size + 20, low, size + 99, size + 25.5, tail))
if mode != "cut":
    print("Inference timings in us: Init: 1234, First inference: %d, Warmup (avg): %d, Inference (avg): %d"
          % (9 * size, 4 * size, size + 25))
print("Memory footprint delta from the start of the tool (MB): init=1.5 overall=2.5")
"""

PROGRAMS = {
    "getprop": """case $1 in
ro.product.manufacturer) echo Google;; ro.product.model) echo 'Pixel 4';; ro.soc.model) echo;;
ro.board.platform) echo msmnile;; ro.product.cpu.abi) echo arm64-v8a;; ro.build.version.release) echo 13;;
esac""",
    "dumpsys": """case $1 in
thermalservice) printf 'IsStatusOverride: false\\nThermalEventListeners:\\nThermal Status: 1\\n';;
battery) printf 'Current Battery Service state:\\n  level: 80\\n  temperature: 305\\n';;
esac""",
    "taskset": 'shift; exec "$@"',
}


def write(folder: Path, mode: str = "", bad: int = -1, **plan: Any) -> Path:
    """A folder for PATH with the scripted adb, and its phone.

    Args:
        folder: to write into.
        mode: what the tool prints or does: "", "percentiles", "cut", "crash" or "hang".
        bad: size of the model it fails on.
        plan: `devices` (serial -> state), `vanish_at` (number of the shell command), `silent_at`,
            `push_error`, `old_shell` (no exit status, CR LF).

    Returns:
        The folder of the program; the phone's /data/local/tmp is `phone` beside it.
    """
    phone, programs, bin_folder = folder / "phone", folder / "programs", folder / "bin"
    for path in (phone, programs, bin_folder):
        path.mkdir(parents=True, exist_ok=True)
    plan = {"devices": {"9A2B": "device"}, **plan}
    (bin_folder / "phone.json").write_text(json.dumps(plan))
    _program(bin_folder / "adb", f'exec "{sys.executable}" -S -E "{Path(__file__)}" "$0" "$@"')
    for name, script in PROGRAMS.items():
        _program(programs / name, script)
    tool = phone / "benchmark_model"
    log = str(folder / "runs.log")
    tool.write_text(BENCHMARK.format(python=sys.executable, log=log, mode=mode, bad=bad))
    tool.chmod(0o755)
    return bin_folder


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def main(program: str, arguments: list[str]) -> int:
    home = Path(program).resolve().parent
    plan = json.loads((home / "phone.json").read_text())
    with (home / "calls.json").open("a") as log:
        log.write(json.dumps(arguments) + "\n")
    serial = None
    if arguments[:1] == ["-s"]:
        serial, arguments = arguments[1], arguments[2:]
    if arguments == ["devices"]:
        print("List of devices attached")
        for name, state in plan["devices"].items():
            print(f"{name}\t{state}")
        print()
        return 0
    if serial not in plan["devices"]:
        print(
            f"adb: device '{serial}' not found" if serial else "adb: no devices/emulators found",
            file=sys.stderr,
        )
        return 1
    sandbox = home.parent / "phone"
    if arguments[0] == "push":
        return push(arguments[1:-1], arguments[-1], sandbox, plan)
    if arguments[0] == "shell":
        return shell(" ".join(arguments[1:]), home, sandbox, plan)
    print(f"adb: unknown command {arguments[0]}", file=sys.stderr)
    return 1


def push(files: list[str], to: str, sandbox: Path, plan: dict[str, Any]) -> int:
    if plan.get("push_error"):
        print(f"adb: error: {plan['push_error']}", file=sys.stderr)
        return 1
    assert to.startswith(TMP)
    goal = sandbox / to[len(TMP) + 1 :]
    for file in files:
        copy = goal / Path(file).name if to.endswith("/") else goal
        copy.write_bytes(Path(file).read_bytes())
        copy.chmod(0o600)
    print(f"{len(files)} files pushed, 0 skipped.")
    return 0


def shell(command: str, home: Path, sandbox: Path, plan: dict[str, Any]) -> int:
    counter = home / "count"
    number = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(number))
    if number >= plan.get("vanish_at", number + 1):
        print(
            "adb: device 'offline' not found" if number > plan["vanish_at"] else "error: closed",
            file=sys.stderr,
        )
        return 1
    if number == plan.get("silent_at"):
        os.execvp("sleep", ["sleep", "30"])
    environment = {**os.environ, "PATH": f"{home.parent / 'programs'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command.replace(TMP, str(sandbox))],
        env=environment,
        capture_output=True,
        check=False,
        start_new_session=True,  # what runs on a phone does not end with the client
    )
    if plan.get("old_shell"):  # before Android 7: one stream, a terminal's line ends, no status
        sys.stdout.buffer.write((done.stdout + done.stderr).replace(b"\n", b"\r\n"))
        return 0
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
