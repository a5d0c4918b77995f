"""A candidate as C99: the network without any library behind it, and a program that runs it."""

from __future__ import annotations

from collections.abc import Sequence

from edgeml.deploy.c99 import C99, to_c99
from edgeml.deploy.tflite import read_model
from edgeml.export.given import ExportInput
from edgeml.export.literals import c_string

_MAIN = """\
/* Raw input bytes (uint8, rows from the top, {shape}) on standard input -> classes and what they got.
 *
 *   cc -std=c99 -O2 model.c main.c -o model && ./model < image.raw
 *
 * For a microcontroller: arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 -c model.c; {arena} bytes of RAM for
 * the arena, {constants} bytes of flash for the tables and some kB for the code.
 */
#include <stdio.h>

#include "labels.h"
#include "model.h"

int main(void)
{{
    const uint8_t *output;
    int i, best = 0;
    if (fread(model_input(), 1, MODEL_INPUT_BYTES, stdin) != MODEL_INPUT_BYTES) {{
        fprintf(stderr, "expected %d bytes on standard input: {shape}, uint8\\n", MODEL_INPUT_BYTES);
        return 2;
    }}
    model_run();
    output = (const uint8_t *)model_output();
    for (i = 0; i < MODEL_OUTPUT_BYTES; i++) {{
        if (output[i] > output[best])
            best = i;
        printf("%d %.4f %s\\n", i, MODEL_OUTPUT_SCALE * (output[i] - MODEL_OUTPUT_ZERO), model_labels[i]);
    }}
    printf("%s\\n", model_labels[best]);
    return 0;
}}
"""


def c99(given: ExportInput) -> dict[str, bytes]:
    """`c99/`: the int8 network as C99 without dependencies, class names and a minimal program."""
    compiled = to_c99(read_model(given.tflite))
    files = {**compiled.files, "labels.h": labels_header(given.classes)}
    files["main.c"] = _main(compiled, given.graph.input_shape)
    return {f"c99/{name}": text.encode("ascii") for name, text in files.items()}


def labels_header(classes: Sequence[str]) -> str:
    """Class names, in the order of the outputs -> labels.h: ASCII that holds them as UTF-8."""
    lines = "\n".join(f"    {c_string(name)}," for name in classes)
    return (
        "/* Names of the classes, in the order of the outputs; UTF-8. */\n"
        "#ifndef MODEL_LABELS_H\n#define MODEL_LABELS_H\n\n"
        f"static const char *const model_labels[{len(classes)}] = {{\n{lines}\n}};\n\n#endif\n"
    )


def _main(compiled: C99, shape: tuple[int, int, int]) -> str:
    return _MAIN.format(
        shape=" x ".join(map(str, shape)), arena=compiled.arena_bytes, constants=compiled.constant_bytes
    )
