"""A stand-in for tflite-micro's headers, whose sources no package here has: the calls that main.cc makes.

Compiles what format `c` writes and lets it run: the interpreter writes its input to the file in $STUB_INPUT
and takes its scores from $STUB_SCORES. With STUB_BARE it needs no C library and can only be compiled. It says
nothing about tflite-micro itself; that runs in the proof.
"""

from __future__ import annotations

from pathlib import Path

RESOLVER = """\
#pragma once
#include <stddef.h>
#include <stdint.h>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
struct TfLiteTensor { union { uint8_t* uint8; int8_t* int8; } data; };
namespace tflite {
struct MicroOpResolver { unsigned registered = 0; };
template <unsigned N> struct MicroMutableOpResolver : MicroOpResolver {
  TfLiteStatus Add() { return ++registered > N ? kTfLiteError : kTfLiteOk; }
%s
};
}  // namespace tflite
"""

INTERPRETER = """\
#pragma once
#ifndef STUB_BARE
#include <cstdio>
#include <cstdlib>
#include <cstring>
#endif
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "model_data.h"
namespace tflite {
class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, uint8_t* arena, size_t size)
      : model_(model), arena_(arena), size_(size), ready_(resolver.registered > 0) {
    input_.data.uint8 = arena_;
    output_.data.uint8 = arena_ + kInput;
  }
  TfLiteTensor* input(size_t) { return &input_; }
  TfLiteTensor* output(size_t) { return &output_; }
#ifdef STUB_BARE
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
#else
  TfLiteStatus AllocateTensors() {
    const bool aligned = reinterpret_cast<uintptr_t>(model_) % 16 == 0 &&
                         reinterpret_cast<uintptr_t>(arena_) % 16 == 0;
    const char* bytes = reinterpret_cast<const char*>(model_);
    const bool fits = size_ >= kInput + MODEL_OUTPUTS;
    return aligned && ready_ && fits && std::memcmp(bytes + 4, "TFL3", 4) == 0 ? kTfLiteOk : kTfLiteError;
  }
  TfLiteStatus Invoke() {
    std::FILE* file = std::fopen(std::getenv("STUB_INPUT"), "wb");
    std::fwrite(arena_, 1, kInput, file);
    std::fclose(file);
    file = std::fopen(std::getenv("STUB_SCORES"), "rb");
    const size_t read = std::fread(arena_ + kInput, 1, MODEL_OUTPUTS, file);
    std::fclose(file);
    return read == MODEL_OUTPUTS ? kTfLiteOk : kTfLiteError;
  }
#endif

 private:
  static constexpr size_t kInput = MODEL_HEIGHT * MODEL_WIDTH * MODEL_CHANNELS;
  const Model* model_;
  uint8_t* arena_;
  size_t size_;
  bool ready_;
  TfLiteTensor input_, output_;
};
}  // namespace tflite
"""

SCHEMA = """\
#pragma once
namespace tflite {
struct Model;
inline const Model* GetModel(const void* data) { return static_cast<const Model*>(data); }
}  // namespace tflite
"""

LOG = """\
#pragma once
#ifdef STUB_BARE
void MicroPrintf(const char* format, ...);
#else
#include <cstdarg>
#include <cstdio>
inline void MicroPrintf(const char* format, ...) {
  va_list values;
  va_start(values, format);
  std::vprintf(format, values);
  va_end(values);
  std::puts("");
}
#endif
"""

SETUP = """\
#pragma once
namespace tflite {
inline void InitializeTarget() {}
}  // namespace tflite
"""


def write(folder: Path, methods: list[str]) -> None:
    """Headers with a resolver that has these methods and no others."""
    lines = "\n".join(f"  TfLiteStatus {method}() {{ return Add(); }}" for method in methods)
    files = {
        "micro/micro_mutable_op_resolver.h": RESOLVER % lines,
        "micro/micro_interpreter.h": INTERPRETER,
        "micro/micro_log.h": LOG,
        "micro/system_setup.h": SETUP,
        "schema/schema_generated.h": SCHEMA,
    }
    for name, text in files.items():
        path = folder / "tensorflow" / "lite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
