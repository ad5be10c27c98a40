"""What the file of an image model says of itself, whatever format it is written in."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from threading import Lock
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest

Layout = Literal["nhwc", "nchw"]
Scaling = Literal["byte", "unit", "symmetric", "imagenet"]
LISTED = 16


class Node(NamedTuple):
    """One operation: the tensors it reads and writes, and whether it averages whole maps away."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pools: bool = False


class Quantised(NamedTuple):
    """Integers that stand for numbers: (stored - zero) * scale; scale 0 means that they are themselves."""

    scale: float
    zero: int


@dataclass(frozen=True)
class Input:
    """The picture a model takes: sides of 0 are free."""

    layout: Layout
    height: int
    width: int
    dtype: str
    quantised: Quantised


class Engine(ABC):
    """A model ready to run up to one tensor; safe to call from several threads at once.

    A run takes one native thread; a batch is spread over as many threads as torch may use, which on a
    CPU is faster than threads inside the model, and gives a frame the same numbers in any batch.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()

    @abstractmethod
    def compute(self, pictures: NDArray[Any], cuda: bool) -> NDArray[Any]:
        """What `run` gives, on this thread."""

    def run(self, pictures: NDArray[Any], cuda: bool) -> NDArray[Any]:
        """(B, ...) in the input's layout and type -> the tensor (B, ...), real numbers in float32."""
        import torch

        threads = 1 if cuda else min(torch.get_num_threads(), len(pictures))
        if threads <= 1:
            return self.compute(pictures, cuda)
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="image-model")
        parts = [self._pool.submit(self.compute, part, cuda) for part in np.array_split(pictures, threads)]
        return np.concatenate([part.result() for part in parts])


@dataclass(frozen=True)
class Graph(ABC):
    """A model file read: its input, its tensors in the order they are computed, and its default output."""

    name: str
    input: Input
    tensors: tuple[str, ...]
    feature: str
    auto: Scaling
    """The scaling its kind of file is made for, where it does not say."""

    @abstractmethod
    def engine(self, output: str, height: int, width: int) -> Engine:
        """The model up to `output`, for pictures of one size."""

    def check(self, output: str) -> None:
        """Nothing, or a BadRequest that lists the tensors."""
        if output in self.tensors:
            return
        near = get_close_matches(output, self.tensors, n=LISTED // 2, cutoff=0.3)
        shown = near + [name for name in reversed(self.tensors) if name not in near][: LISTED - len(near)]
        raise BadRequest(
            f"{self.name} has no tensor {output!r}; of its {len(self.tensors)} tensors the nearest and the last are: "
            + ", ".join(shown)
        )

    def size(self, asked: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the pictures: the model's own where it is fixed, else what is asked, else 224."""
        own = (self.input.height, self.input.width)
        found = tuple(side or ask or 224 for side, ask in zip(own, asked, strict=True))
        if any(ask and ask != side for ask, side in zip(asked, found, strict=True)):
            raise BadRequest(
                f"got size {asked[0]}x{asked[1]} for {self.name}, which takes {found[0]}x{found[1]} (height x width); "
                "leave the size out"
            )
        return found[0], found[1]


def not_installed(library: str) -> BadRequest:
    """What to say where a library that runs models is missing."""
    return BadRequest(f"this model needs the package {library}, which is not installed; run: pip install 'ego[models]'")


def picture_input(name: str, shape: Sequence[int], dtype: str, quantised: Quantised, layout: Layout | None) -> Input:
    """The input of a model whose tensor has this shape, 0 where free; one that takes no RGB picture is a BadRequest."""
    if len(shape) == 4 and shape[0] in (0, 1):
        if layout != "nhwc" and shape[1] == 3:
            return Input("nchw", shape[2], shape[3], dtype, quantised)
        if layout != "nchw" and shape[3] == 3:
            return Input("nhwc", shape[1], shape[2], dtype, quantised)
        if layout is not None and shape[1 if layout == "nchw" else 3] == 0:
            height, width = (shape[2], shape[3]) if layout == "nchw" else (shape[1], shape[2])
            return Input(layout, height, width, dtype, quantised)
    asked = f" laid out as {layout}" if layout else ""
    raise BadRequest(
        f"{name} takes {'x'.join(str(side or '?') for side in shape)}, expected one RGB picture{asked}: "
        "(1, 3, height, width) or (1, height, width, 3)"
    )


def feature_of(nodes: Sequence[Node], source: str, output: str) -> str:
    """The last averaged map that everything in `output` goes through, or `output` where there is none.

    A squeeze-and-excite average has a way around it, the pool before a classifier has not.
    """
    makers = {tensor: node for node in nodes for tensor in node.outputs}
    for node in reversed(nodes):
        if node.pools and node.outputs[0] != output and not _reaches(makers, output, source, node.outputs[0]):
            return node.outputs[0]
    return output


def _reaches(makers: dict[str, Node], start: str, goal: str, without: str) -> bool:
    ahead, seen = [start], {without}
    while ahead:
        tensor = ahead.pop()
        if tensor in seen:
            continue
        if tensor == goal:
            return True
        seen.add(tensor)
        ahead += makers[tensor].inputs if tensor in makers else ()
    return False


def quantise(values: NDArray[np.float32], dtype: str, quantised: Quantised) -> NDArray[Any]:
    """Real numbers as a quantised input stores them, held at the ends of its type."""
    limits = np.iinfo(dtype)
    scaled = np.rint(values / np.float32(quantised.scale or 1.0)) + quantised.zero
    stored: NDArray[Any] = np.clip(scaled, limits.min, limits.max).astype(dtype)
    return stored


def dequantise(values: NDArray[Any], quantised: Quantised) -> NDArray[Any]:
    """A quantised tensor as real numbers in float32; one that is not quantised as it is."""
    if quantised.scale == 0:
        return values
    real: NDArray[np.float32] = (values.astype(np.float32) - np.float32(quantised.zero)) * np.float32(quantised.scale)
    return real


def sides(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    """(height, width) of a size that may be said by one number."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])
