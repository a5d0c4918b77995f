"""A candidate as C99: the network without any library behind it, and a program that runs it."""

from __future__ import annotations

from collections.abc import Sequence

from edgeml.deploy.c99 import C99, to_c99
from edgeml.deploy.tflite import read_model
from edgeml.export.c_output import c99_header, c99_main
from edgeml.export.given import ExportInput
from edgeml.export.literals import c_string

_MAIN = """\
/* Raw input bytes (uint8, rows from the top, {shape}) on standard input -> {gives}.
 *
 *   cc -std=c99 -O2 model.c main.c -o model && ./model < input.raw
 *
 * For a microcontroller: arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 -c model.c; {arena} bytes of RAM for
 * the arena, {constants} bytes of flash for the tables and some kB for the code.
 */
#include <stdio.h>

{include}#include "model.h"

int main(void)
{{
    const uint8_t *output;
{declared}    if (fread(model_input(), 1, MODEL_INPUT_BYTES, stdin) != MODEL_INPUT_BYTES) {{
        fprintf(stderr, "expected %d bytes on standard input: {shape}, uint8\\n", MODEL_INPUT_BYTES);
        return 2;
    }}
{before}    model_run();
    output = (const uint8_t *)model_output();
{end}    return 0;
}}
"""


def c99(given: ExportInput) -> dict[str, bytes]:
    """`c99/`: the int8 network as C99 without dependencies, what its outputs mean and a minimal program."""
    compiled = to_c99(read_model(given.tflite))
    classifies = given.goal.task == "classification"
    meaning = {"labels.h": labels_header(given.classes)} if classifies else {"output.h": c99_header(given)}
    files = {**compiled.files, **meaning, "main.c": _main(compiled, given)}
    return {f"c99/{name}": text.encode("ascii") for name, text in files.items()}


def labels_header(classes: Sequence[str]) -> str:
    """Class names, in the order of the outputs -> labels.h: ASCII that holds them as UTF-8."""
    lines = "\n".join(f"    {c_string(name)}," for name in classes)
    return (
        "/* Names of the classes, in the order of the outputs; UTF-8. */\n"
        "#ifndef MODEL_LABELS_H\n#define MODEL_LABELS_H\n\n"
        f"static const char *const model_labels[{len(classes)}] = {{\n{lines}\n}};\n\n#endif\n"
    )


def _main(compiled: C99, given: ExportInput) -> str:
    return _MAIN.format(
        shape=" x ".join(map(str, given.graph.input_shape)),
        arena=compiled.arena_bytes,
        constants=compiled.constant_bytes,
        **c99_main(given),
    )
