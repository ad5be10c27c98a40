"""The two kinds of extractor: a `Network` sees windows and forgets, a `Tracker` follows in order.

An extractor is a spec: its fields say what changes the numbers. It does not know whether its rows
are stored, which videos ride beside it, or where the pixels came from. The smallest whole example
is `mean_rgb`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._published import WeightFile
from ego.extractors._views import ViewBox
from ego.sampling import Window
from ego.spec import Spec, Weights
from ego.video import WHOLE, Array, Box, Picture, Reading, Signal, Sound

if TYPE_CHECKING:  # a spec is light: torch comes when `build` is called
    from torch import nn

Files = Mapping[Weights, Path]
"""Where the bytes of each weights identity lie on this machine."""


@dataclass(frozen=True)
class Extractor(Spec, ABC):
    """Computes rows from a video; `window` says which frames and when, `needs` what it is shown."""

    published: ClassVar[tuple[WeightFile, ...]] = ()
    """The files its authors published, best first: what a missing `weights` is looked up by."""
    takes_random: ClassVar[bool] = True
    """Whether `random:SEED` can be its weights."""

    window: Window

    @property
    def tolerance(self) -> float:
        """Relative L2 by which a row may differ between decoders, libraries and devices."""
        return 1e-2

    @classmethod
    def complete(cls, table: Mapping[str, Any], files: Files) -> dict[str, Any]:
        """`table` with those fields filled in that only a weights file can tell; weights are identities.

        What is filled in is in the digest, so saying it by hand or leaving it out gives one key.
        """
        return dict(table)

    @abstractmethod
    def needs(self) -> "Mapping[str, Picture | Sound | Signal | Extractor]":
        """All it is shown, by name. An `Extractor` is held: its rows are read or computed once for all who hold it."""

    @abstractmethod
    def rows(self, files: Files) -> dict[str, Array]:
        """What one row is made of, by name; a single array is called `feature`."""

    def box(self, width: int, height: int) -> Box:
        """The part that maps show of an upright frame of `width` x `height` pixels: all of it unless cropped.

        `Array.box` cannot know the frame's shape: it is this box for a square frame.
        """
        return WHOLE

    def view_boxes(self, width: int, height: int) -> tuple[ViewBox, ...]:
        """Each of the several views that rows have of an upright frame of `width` x `height` pixels; of one none.

        `Array.views` are those of a square frame.
        """
        return ()


@dataclass(frozen=True)
class Network(Extractor, ABC):
    """Stateless: windows in, rows out, batched, also across videos."""

    @abstractmethod
    def build(self, files: Files) -> "nn.Module":
        """The module in eval mode: forward(**needs) -> {array: (B, *shape)}.

        A picture is (B, T, H, W, 3) uint8. Sound is (B, samples) float32, the row's own seconds. A held
        extractor gives its `feature` under the need's name, any other array as `<need>_<array>`, as real
        numbers: (B, *shape), row beside row, where both have the same window; else (B, T, *shape), for
        each frame the last row that begins with it or before it. Crops, scaling, normalisation and
        precision are inside the module. It may be called from several threads at once.
        """

    def shared(self) -> "Shared | None":
        """What its rows have in common with one another and with those on other windows; None: nothing.

        It must see nothing but pictures. Networks whose shared ones have one digest are computed together.
        """
        return None

    def on_any_grid(self) -> "Shared":
        """Whole rows, for networks whose numbers depend on the frames of a row and not on when it is."""
        return Shared(replace(self, window=Window(self.window.frames)))

    def classifier(self, files: Files) -> "Network | None":
        """The same network on the same window, giving the scores of its classes; None where it has none."""
        return None

    def tail(self, tap: str, files: Files) -> "nn.Module":
        """The network above a stored tap, trainable: forward((B, *shape of the tap)) -> {array: (B, *shape)}.

        Its state-dict keys are those of the whole network. No such tap: BadRequest.
        """
        raise BadRequest(f"got tap {tap!r} of {self.name}, which cannot go on from a stored row; extract it whole")


@dataclass(frozen=True)
class Shared:
    """Rows of a network that rows on overlapping windows are made of; each is computed once for a video's frames.

    `above` None: they are the sharer's own rows. Else it builds what goes on from those of a window, forward(**arrays),
    each (B, cells, *shape), -> {array: (B, *shape)}. A cell is of one frame, or of the frames at `places` in the
    window: then the network is shown `there` (B, T) bool beside them, False for the place -1, outside the window.
    """

    network: Network
    above: "Callable[[Files], nn.Module] | None" = None
    places: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Rows:
    """Finished rows, in time order: named arrays of n rows each, and their `time` and `source`.

    `time` is (n, 3) start, centre, stop in seconds and `source` (n, 4) first and last frame and their
    integer timestamps.
    """

    arrays: Mapping[str, NDArray[Any]]
    time: NDArray[np.float64]
    source: NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Consecutive frames for a tracker: one row of its window each.

    `pictures` holds (n, H, W, 3) uint8 by need; `time` and `source` are as in `Rows`. `held` are the rows
    of each extractor it holds that end with these frames, as real numbers: none is missing, none comes twice.
    """

    pictures: Mapping[str, NDArray[np.uint8]]
    time: NDArray[np.float64]
    source: NDArray[np.int64]
    held: Mapping[str, Rows] = field(default_factory=dict)


@dataclass(frozen=True)
class Beside:
    """What a tracker knows of its video besides the frames: its signals by need, and its upright frame in pixels.

    `whole` says that the frames are all of the video its signals belong to, so that signals beyond them are another
    video's.
    """

    signals: Mapping[str, Reading]
    width: int
    height: int
    whole: bool = False


@dataclass(frozen=True)
class Tracker(Extractor, ABC):
    """Stateful: follows one video's frames in order; its window takes one frame a row."""

    lag_seconds: ClassVar[float | None] = 0.0
    """How late after its frames a row may come. 0: all that ends with a block is given before the next block is
    asked for; above: rows come in the order of the frames, one each; None: only when the video has ended."""

    @abstractmethod
    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """The rows of one video, as its blocks come. A signal it needs that is not there: it is not asked at all."""
