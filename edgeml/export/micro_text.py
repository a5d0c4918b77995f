"""Texts of the sources that format `c` writes; `@name@` is filled in by micro.py."""

from __future__ import annotations

DATA_H = """\
/* The int8 model of edgeml candidate @key@@about@. Plain C99 and C++.
 *
 * Input: @height@ x @width@ x @channels@ raw uint8 values 0 to 255, row by row, channels last.
@meaning@
 */
#ifndef EDGEML_MODEL_DATA_H_
#define EDGEML_MODEL_DATA_H_

#define MODEL_HEIGHT @height@
#define MODEL_WIDTH @width@
#define MODEL_CHANNELS @channels@
@size@
#define MODEL_OUTPUT_SCALE @scale@f
#define MODEL_OUTPUT_ZERO_POINT @zero_point@
@numbers@
#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char model_data[]; /* a .tflite file, aligned to 16 bytes */
extern const unsigned int model_data_len;
@declared@
#ifdef __cplusplus
}
#endif

#endif
"""

DATA_CC = """\
/* Written by edgeml; see model_data.h. Compiles as C99 and as C++. */
#include "model_data.h"

#if defined(__cplusplus) && __cplusplus >= 201103L
#define MODEL_ALIGNED alignas(16)
#elif defined(__GNUC__)
#define MODEL_ALIGNED __attribute__((aligned(16)))
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define MODEL_ALIGNED _Alignas(16)
#else
#error "model_data must be aligned to 16 bytes; say here how this compiler does it"
#endif

MODEL_ALIGNED const unsigned char model_data[] = {
@array@
};
const unsigned int model_data_len = @bytes@;
@labels@"""

OPS_H = """\
// The operators and the memory that the model of edgeml candidate @key@ needs in tflite-micro.
#ifndef EDGEML_MODEL_OPS_H_
#define EDGEML_MODEL_OPS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

// Bytes of the tensor arena. Measured: the smallest arena in which @tool@ ran
// this model with its reference kernels on a 64-bit computer; a 32-bit build needs less for its structures.
// CMSIS-NN's kernels need room for scratch buffers besides (worked out from its sources, not measured).
constexpr int kModelArenaBytes = @arena@;
#ifdef CMSIS_NN
constexpr int kModelScratchBytes = @extra@;
#else
constexpr int kModelScratchBytes = 0;
#endif

using ModelOpResolver = tflite::MicroMutableOpResolver<@count@>;

inline TfLiteStatus RegisterModelOps(ModelOpResolver& resolver) {
@calls@
  return kTfLiteOk;
}

#endif
"""

MAIN_CC = """\
// Runs the model of edgeml candidate @key@ on a test input and says whether its outputs are as expected.
// Put yours where FillTestInput writes; model_data.h says what goes in and what comes out.
#include <stdint.h>

#include "model_data.h"
#include "model_ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) uint8_t arena[kModelArenaBytes + kModelScratchBytes];

// What tflite-micro's reference kernels said of the test input when this file was written.
constexpr uint8_t kExpected[@count@] = {
@outputs@
};
@keep@
// Optimised kernels may round differently by a step or two.
constexpr int kTolerance = 3;

// The same noise everywhere, from a linear congruential generator.
void FillTestInput(uint8_t* values) {
  uint32_t state = @seed@;
  for (int i = 0; i < MODEL_HEIGHT * MODEL_WIDTH * MODEL_CHANNELS; ++i) {
    state = state * 1664525u + 1013904223u;
    values[i] = static_cast<uint8_t>(state >> 24);
  }
}

}  // namespace

int main() {
  tflite::InitializeTarget();
  ModelOpResolver resolver;
  if (RegisterModelOps(resolver) != kTfLiteOk) {
    MicroPrintf("an operator could not be registered");
    return 1;
  }
  tflite::MicroInterpreter interpreter(tflite::GetModel(model_data), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) {
    MicroPrintf("%d bytes of arena do not suffice", static_cast<int>(sizeof(arena)));
    return 1;
  }
  FillTestInput(interpreter.input(0)->data.uint8);
@before@  if (interpreter.Invoke() != kTfLiteOk) {
    MicroPrintf("the model did not run");
    return 1;
  }
  const uint8_t* outputs = interpreter.output(0)->data.uint8;
@start@
  int wrong = 0;
  for (int i = 0; i < @count@; ++i) {
    const int difference = outputs[i] - kExpected[i];
    if (difference > kTolerance || difference < -kTolerance) ++wrong;
@each@
  }
@said@
  MicroPrintf("%d of %d outputs are not the expected ones", wrong, @count@);
  return wrong == 0 ? 0 : 1;
}
"""
