"""Field values checked against their annotations, so that a spec never holds what it cannot say."""

import math
import re
import types
import typing
from typing import Any, Literal

from ego.errors import BadRequest


class Weights(str):
    """The identity of trained weights: `sha256:<64 hex>`, or `random:<seed>` when asked by name.

    A file name or a path is not an identity: `ego.pipeline.weights` turns one into this before a
    spec exists, so renaming a file changes no key and replacing it under its name does.
    """

    def __new__(cls, text: str) -> "Weights":
        if not re.fullmatch(r"sha256:[0-9a-f]{64}|random:\d{1,18}", text):
            raise BadRequest(
                f"got {text!r} as weights, expected 'sha256:' and 64 hex digits or 'random:SEED'; "
                "give a file name on the command line and it is looked up for you"
            )
        return super().__new__(cls, text)

    @property
    def seed(self) -> int | None:
        """The seed of `random:SEED`, or None for a file."""
        return int(self[7:]) if self.startswith("random:") else None


def options(hint: Any) -> tuple[Any, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def conform(value: Any, hint: Any, where: str) -> Any:
    """`value` as the annotation says it, or a BadRequest that says what was expected."""
    for option in options(hint):
        accepted, result = _try(value, option, where)
        if accepted:
            return result
    raise BadRequest(f"got {value!r:.200} for {where}, expected {say(hint)}")


def _try(value: Any, option: Any, where: str) -> tuple[bool, Any]:
    origin = typing.get_origin(option)
    if option is None or option is type(None):
        return value is None, None
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in typing.get_args(option)), value
    if origin is tuple:
        return _try_tuple(value, typing.get_args(option), where)
    if option is Weights:
        return isinstance(value, str), Weights(value) if isinstance(value, str) else value
    if option is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return number, float(value) + 0.0 if number else value  # + 0.0: minus zero is zero
    if option is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    if isinstance(option, type):
        return isinstance(value, option), value
    raise TypeError(f"{where} is annotated {option!r}, which a spec cannot hold")


def _try_tuple(value: Any, inner: tuple[Any, ...], where: str) -> tuple[bool, Any]:
    if not isinstance(value, list | tuple):
        return False, value
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = (inner[0],) * len(value)
    if len(inner) != len(value):
        return False, value
    return True, tuple(conform(item, hint, where) for item, hint in zip(value, inner, strict=True))


def say(hint: Any) -> str:
    """An annotation in words a user can act on."""
    words = []
    for option in options(hint):
        if typing.get_origin(option) is Literal:
            words += [repr(one) for one in typing.get_args(option)]
        elif option in (None, type(None)):
            words.append("nothing")
        else:
            words.append(getattr(option, "__name__", str(option)) if typing.get_origin(option) is None else str(option))
    return " or ".join(words)
