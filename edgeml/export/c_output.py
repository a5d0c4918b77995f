"""What a network's outputs mean, as C for formats `c` and `c99`: constants, comments, the end of a main."""

from __future__ import annotations

from edgeml.export.given import ExportInput
from edgeml.export.literals import c_float


def numbers(given: ExportInput) -> str:
    """#define lines of a regressor or an anomaly detector; "" for classifiers."""
    goal = given.goal
    if goal.task == "regression":
        return f"#define MODEL_VALUE_STD {c_float(goal.std)}\n#define MODEL_VALUE_MEAN {c_float(goal.mean)}\n"
    if goal.task == "anomaly":
        return f"#define MODEL_THRESHOLD {c_float(given.threshold[0])}\n"
    return ""


def meaning(given: ExportInput, output: str) -> str:
    """Lines of a comment on the outputs; `output` is the C of one, as a real number."""
    task = given.goal.task
    if task == "regression":
        return (
            f" * Output: 1 uint8; value = {output} * MODEL_VALUE_STD + MODEL_VALUE_MEAN,\n"
            " * in the unit of the label."
        )
    if task == "anomaly":
        return (
            f" * Output: {given.graph.output_shape[2]} uint8, the input / 255 again as {output};\n"
            " * the mean squared difference from it is the anomaly score; above MODEL_THRESHOLD it is\n"
            " * anomalous."
        )
    return f" * Output: {len(given.classes)} uint8 scores; probability = {output}."


_REAL = "(score - MODEL_OUTPUT_ZERO_POINT) * MODEL_OUTPUT_SCALE"


def header(given: ExportInput) -> dict[str, str]:
    """Places of micro_text.DATA_H."""
    count, task = given.graph.output_shape[2], given.goal.task
    size = f"#define MODEL_OUTPUTS {count}"
    if task != "classification":
        output = _REAL.replace("score", "byte")
        return {
            "about": "",
            "meaning": meaning(given, f"({output})"),
            "size": size,
            "numbers": numbers(given),
            "declared": "",
        }
    return {
        "about": " and the names of its classes",
        "meaning": meaning(given, _REAL),
        "size": f"#define MODEL_CLASSES {count}\n{size}",
        "numbers": "",
        "declared": "extern const char *const model_labels[MODEL_CLASSES]; /* UTF-8 */\n",
    }


def micro_main(given: ExportInput) -> dict[str, str]:
    """Places of micro_text.MAIN_CC."""
    return {
        "classification": {
            "size": "MODEL_CLASSES",
            "keep": "",
            "before": "",
            "start": "  int best = 0;",
            "each": "    if (outputs[i] > outputs[best]) best = i;",
            "said": '  MicroPrintf("class %d: %s, score %d", best, model_labels[best], outputs[best]);',
        },
        "regression": {
            "size": "MODEL_OUTPUTS",
            "keep": "",
            "before": "",
            "start": "  float value = 0.0f;",
            "each": "    value = (outputs[i] - MODEL_OUTPUT_ZERO_POINT) * MODEL_OUTPUT_SCALE;",
            "said": "  value = value * MODEL_VALUE_STD + MODEL_VALUE_MEAN;\n"
            '  MicroPrintf("value %f", static_cast<double>(value));',
        },
        "anomaly": {
            "size": "MODEL_OUTPUTS",
            "keep": "\nuint8_t kept[MODEL_OUTPUTS];  // the arena's input is overwritten as the model runs\n",
            "before": "  const uint8_t* given = interpreter.input(0)->data.uint8;\n"
            "  for (int i = 0; i < MODEL_OUTPUTS; ++i) kept[i] = given[i];\n",
            "start": "  float sum = 0.0f;",
            "each": "    const float real = (outputs[i] - MODEL_OUTPUT_ZERO_POINT) * MODEL_OUTPUT_SCALE;\n"
            "    const float off = kept[i] / 255.0f - real;\n"
            "    sum += off * off;",
            "said": "  const float score = sum / MODEL_OUTPUTS;\n"
            '  MicroPrintf("score %f: %s", static_cast<double>(score),\n'
            '              score > MODEL_THRESHOLD ? "anomalous" : "normal");',
        },
    }[given.goal.task]


def c99_main(given: ExportInput) -> dict[str, str]:
    """Places of the main of format `c99`: what it says in its first line, includes, variables, its end."""
    return {
        "classification": {
            "gives": "classes and what they got",
            "include": '#include "labels.h"\n',
            "declared": "    int i, best = 0;\n",
            "before": "",
            "end": """\
    for (i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        if (output[i] > output[best])
            best = i;
        printf("%d %.4f %s\\n", i, MODEL_OUTPUT_SCALE * (output[i] - MODEL_OUTPUT_ZERO), model_labels[i]);
    }
    printf("%s\\n", model_labels[best]);
""",
        },
        "regression": {
            "gives": "the value, in the unit of the label",
            "include": '#include "output.h"\n',
            "declared": "    float value;\n",
            "before": "",
            "end": """\
    value = MODEL_OUTPUT_SCALE * (output[0] - MODEL_OUTPUT_ZERO);
    printf("%.7g\\n", value * MODEL_VALUE_STD + MODEL_VALUE_MEAN);
""",
        },
        "anomaly": {
            "gives": "the anomaly score, and whether it is normal or anomalous",
            "include": '#include "output.h"\n',
            "declared": "    static uint8_t kept[MODEL_INPUT_BYTES]; /* a run overwrites the input */\n"
            "    float sum = 0.0f, off;\n    int i;\n",
            "before": "    for (i = 0; i < MODEL_INPUT_BYTES; i++)\n        kept[i] = model_input()[i];\n",
            "end": """\
    for (i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        off = kept[i] / 255.0f - MODEL_OUTPUT_SCALE * (output[i] - MODEL_OUTPUT_ZERO);
        sum += off * off;
    }
    sum /= MODEL_OUTPUT_BYTES;
    printf("%.7g %s\\n", sum, sum > MODEL_THRESHOLD ? "anomalous" : "normal");
""",
        },
    }[given.goal.task]


def c99_header(given: ExportInput) -> str:
    """output.h of a regressor or an anomaly detector."""
    said = meaning(given, "(MODEL_OUTPUT_SCALE * (byte - MODEL_OUTPUT_ZERO))")
    return (
        f"/* What the network of edgeml candidate {given.key} gives.\n{said}\n */\n"
        f"#ifndef MODEL_MEANING_H\n#define MODEL_MEANING_H\n\n{numbers(given)}\n#endif\n"
    )
