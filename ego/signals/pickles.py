"""Pickles of plain data, opened without running anything that is in them."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ego.errors import BadRequest

REFUSED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError,
    OverflowError, RecursionError,
)  # fmt: skip
"""What a damaged or hostile file makes an unpickler raise."""


class _Kind:
    """A type of numbers as numpy pickles it; numpy's own type is made from its letter and byte order alone."""

    def __init__(self, code: Any, *_: Any) -> None:
        self._code, self._order = str(code), "="
        if np.dtype(self._code).kind not in "biuf":
            raise pickle.UnpicklingError(f"an array of {self._code}")

    def __setstate__(self, state: Any) -> None:
        self._order = state[1] if state[1] in "<>" else "="

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self._code).newbyteorder(self._order)  # type: ignore[arg-type]


class _Array:
    """An array of numbers as numpy pickles it, put together from its bytes alone."""

    def __init__(self, *_: Any) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, data = state
        flat = np.frombuffer(data if isinstance(data, bytes) else data.encode("latin1"), kind.dtype)
        self.value = flat.reshape(shape, order="F" if by_columns else "C")


def _number(kind: _Kind, data: Any) -> Any:
    return np.frombuffer(data if isinstance(data, bytes) else data.encode("latin1"), kind.dtype)[0].item()


def _encode(text: str, codec: str) -> bytes:
    """How old protocols write bytes."""
    if codec != "latin1":
        raise pickle.UnpicklingError(f"it encodes as {codec}")
    return text.encode("latin1")


def _frombuffer(data: Any, kind: _Kind, shape: Any, order: str, *_: Any) -> Any:
    """An array of numbers as protocol 5 writes it."""
    return np.frombuffer(bytes(data), kind.dtype).reshape(shape, order="F" if order == "F" else "C")


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _Kind,
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _number for core in ("core", "_core")},
}
"""All that a file may name, and what stands for it; plain containers and numbers need no name."""


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
        return _opened(_Plain(io.BytesIO(path.read_bytes()), encoding="latin1").load())
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    except REFUSED as error:
        raise BadRequest(
            f"{path.name} is no pickle of plain data ({str(error)[:120]}), and others can run code; where you trust "
            "the file, save it as lists of numbers"
        ) from error


def _opened(value: Any) -> Any:
    """The value with arrays in their places."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _opened(one) for key, one in value.items()}
    return type(value)(map(_opened, value)) if isinstance(value, list | tuple) else value
