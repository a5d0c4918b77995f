"""What the translation of one operator gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One operator as C.

    Attributes:
        call: the statement that runs it; {0}, {1}, ... are its computed inputs, {out} its output and
            {scratch} its scratch, all int8_t pointers into the arena.
        inputs: indices of the tensors that {0}, {1}, ... stand for.
        output: index of its output tensor.
        kernels: names of the kernel sources it needs.
        declarations: tables the call refers to.
        scratch_bytes: arena bytes it needs while it runs.
        lean: the same without scratch, slower; None where there is no such way.
        compact: the same in place, with more scratch or slower; None where there is no such way.
        over: inputs that the output may overwrite, value by value in place.
        constant_bytes: bytes of its tables, that is of flash.
    """

    call: str
    inputs: tuple[int, ...]
    output: int
    kernels: tuple[str, ...] = ()
    declarations: str = ""
    scratch_bytes: int = 0
    lean: Step | None = None
    compact: Step | None = None
    over: tuple[int, ...] = ()
    constant_bytes: int = 0
