"""Pickles of plain data, opened without running anything that is in them."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ego.errors import BadRequest


def _rebuild(kind: type, shape: tuple[int, ...], code: bytes) -> Any:
    """An empty array, as numpy's own pickles begin; nothing but arrays."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("an array of a kind that is not numpy's own")
    return np.empty(shape, code)


ALLOWED: dict[tuple[str, str], Any] = {
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "tuple"): tuple,
    ("builtins", "set"): set,
    ("builtins", "int"): int,
    ("builtins", "float"): float,
    ("collections", "OrderedDict"): dict,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _rebuild for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): lambda kind, data: np.frombuffer(data, kind)[0] for core in
       ("core", "_core")},
    **{("__builtin__", name): one for name, one in (("dict", dict), ("list", list), ("tuple", tuple), ("set", set))},
}  # fmt: skip
"""All that a file may name: containers, numbers, and how numpy's arrays of numbers are put together."""


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None


def read_pickle(path: Path) -> Any:
    """The plain data in a pickle: containers, numbers, text, bytes and arrays of numbers.

    A file that names anything else, and so could run code, is a BadRequest, and nothing of it is run.
    """
    try:
        return _Plain(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    except (
        pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError,
        OverflowError, ImportError,
    ) as error:  # fmt: skip
        raise BadRequest(
            f"{path.name} is no pickle of plain data ({str(error)[:120]}), and others can run code; where you trust "
            "the file, save it as lists of numbers"
        ) from error
