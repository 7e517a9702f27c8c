"""Loads and stores by address for compiled code.

Arrays that are handed from one compiled function to the next are counted, atomically, at each call: measured, that
cost the reader of records more than all of its work. An address is a number. The caller of the outermost function
holds the arrays, and sees to it that every address lies in one of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _load(result: Any) -> Any:
    @intrinsic
    def load(typing: Any, address: Any) -> Any:
        del typing, address

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = ir.PointerType(context.get_value_type(signature.return_type))
            return builder.load(builder.inttoptr(args[0], to), align=1)

        return result(types.int64), code

    return load


def _store(stored: Any) -> Any:
    @intrinsic
    def store(typing: Any, address: Any, value: Any) -> Any:
        del typing, address, value

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = ir.PointerType(context.get_value_type(signature.args[1]))
            builder.store(args[1], builder.inttoptr(args[0], to), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, stored), code

    return store


byte_at, word_at, long_at = _load(types.uint8), _load(types.uint64), _load(types.int64)
put_byte, put_int, put_long, put_word = (
    _store(types.uint8),
    _store(types.int32),
    _store(types.int64),
    _store(types.uint64),
)


def address_of(array: npt.NDArray[Any]) -> np.int64:
    """Where a contiguous array begins. The array has to outlive the address."""
    if not array.flags.c_contiguous:
        raise ValueError("an array that compiled code walks has to be contiguous")
    return np.int64(array.ctypes.data)
