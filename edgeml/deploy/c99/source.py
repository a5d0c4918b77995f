"""A placed program -> the text of its two files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeml.deploy.c99.placing import Program
from edgeml.deploy.tflite import Tensor, TfliteModel

_HEAD = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define EDGEML_ALIGNED __attribute__((aligned(4)))
#else
#define EDGEML_ALIGNED
#endif

/* Define it before this file to look at what each operator writes: tensor of the .tflite file, its bytes. */
#ifndef EDGEML_STEP
#define EDGEML_STEP(tensor, values, bytes)
#endif
"""


def header(model: TfliteModel, prefix: str, arena_bytes: int) -> str:
    """The public names: sizes, scales and three functions."""
    given, taken = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
    upper = prefix.upper()
    return f"""\
/* {prefix}: an int8 network as C99, written by edgeml. Needs no library and no heap.
 *
 * Write {given.elements} bytes to {prefix}_input(), call {prefix}_run(), read {taken.elements} bytes from
 * {prefix}_output().
 * All activations share one static arena, so a run overwrites the input and the next one the output; one run
 * at a time. Shapes: input {_shape(given)}, output {_shape(taken)}.
 * Real value = SCALE * (byte - ZERO). On Arm cores with the DSP extension (Cortex-M4, M7, M33 and up) its
 * instructions are used; define EDGEML_PLAIN_C to do without. Compile with -O2.
 */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_INPUT_BYTES {given.elements}
#define {upper}_INPUT_SCALE {_scale(given)}
#define {upper}_INPUT_ZERO ({_zero(given)})
#define {upper}_OUTPUT_BYTES {taken.elements}
#define {upper}_OUTPUT_SCALE {_scale(taken)}
#define {upper}_OUTPUT_ZERO ({_zero(taken)})
#define {upper}_ARENA_BYTES {arena_bytes}

{_type(given)} *{prefix}_input(void);
void {prefix}_run(void);
const {_type(taken)} *{prefix}_output(void);

#ifdef __cplusplus
}}
#endif
#endif
"""


def source(
    program: Program, names: Sequence[str], prefix: str, kernel: Callable[[str], str], model: TfliteModel
) -> str:
    """Kernels that the steps need, their tables, the arena and the run function."""
    kernels = dict.fromkeys(name for step in program.steps for name in step.kernels)
    parts = [f'#include "{prefix}.h"\n\n{_HEAD}', kernel("requant.h")]
    parts += [kernel(f"{name}.c") for name in kernels]
    parts += [step.declarations for step in program.steps if step.declarations]
    parts.append(
        f"static union {{\n    int32_t words;\n    int8_t bytes[{prefix.upper()}_ARENA_BYTES];\n}} arena;\n"
    )
    for kind, name, tensor in (
        ("", "input", model.inputs[0]),
        ("const ", "output", model.outputs[0]),
    ):
        c_type = _type(model.tensors[tensor])
        cast = f"({kind}{c_type} *)" if c_type == "uint8_t" else ""
        parts.append(
            f"{kind}{c_type} *{prefix}_{name}(void)\n{{\n"
            f"    return {cast}(arena.bytes + {program.offsets[tensor]});\n}}\n"
        )
    sizes = [model.tensors[step.output].elements for step in program.steps]
    calls = "".join(
        f"    {_call(program, at)} /* {names[at]} */\n"
        f"    EDGEML_STEP({step.output}, a + {program.offsets[step.output]}, {sizes[at]})\n"
        for at, step in enumerate(program.steps)
    )
    parts.append(
        f"void {prefix}_run(void)\n{{\n    int8_t *const a = arena.bytes;\n    (void)a;\n{calls}}}\n"
    )
    return "\n".join(parts)


def _call(program: Program, at: int) -> str:
    step = program.steps[at]
    inputs = [f"a + {program.offsets[tensor]}" for tensor in step.inputs]
    return step.call.format(
        *inputs, out=f"a + {program.offsets[step.output]}", scratch=f"(a + {program.scratch[at]})"
    )


def _shape(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or '1'} {tensor.dtype.lower()}"


def _type(tensor: Tensor) -> str:
    return "uint8_t" if tensor.dtype == "UINT8" else "int8_t"


def _scale(tensor: Tensor) -> str:
    scale = tensor.quantization.scales[0] if tensor.quantization else 1.0
    number = f"{scale:.9g}"
    return number + ("f" if any(mark in number for mark in ".en") else ".0f")


def _zero(tensor: Tensor) -> int:
    return (
        tensor.quantization.zero_points[0] if tensor.quantization and tensor.quantization.zero_points else 0
    )
