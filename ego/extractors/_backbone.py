"""What the convolutional backbones share: a centre crop goes in, named end points of the network come out."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network, Shared
from ego.extractors._views import ONE, ViewBox, check_views, described, views_of
from ego.sampling import Window
from ego.spec import Weights, late
from ego.video import WHOLE, Array, Box, Picture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ego.extractors._weights import Tensors

Kind = Literal["vector", "map", "tokens"]
Precision = Literal["bfloat16", "float16", "float32"]


@dataclass(frozen=True, kw_only=True)
class Backbone(Network):
    """A network with named end points: `taps` says which are kept, one alone is called `feature`.

    `picture` is cropped at its centre to `size` x `size` pixels. `precision` is that of the
    convolutions; rows come out in float32 and are stored in float16. `views` names what is shown of each
    window instead of the centre, such as `top_left`, `right 0.9` (a square of 0.9 crops, scaled to the crop) or
    `centre flipped`; several are an axis after the rows.
    """

    end_points: ClassVar[tuple[str, ...]]
    head: ClassVar[str]
    """The key of the classifier's bias: as long as there are classes."""
    classes: ClassVar[int]
    """Of random weights; a file brings its own number."""
    alone: ClassVar[str | None] = None
    """The last end point whose every moment comes of one frame alone, where the window has more."""

    window: Window = Window()
    weights: Weights
    taps: tuple[str, ...]
    picture: Picture = Picture("short", 256)
    size: int = 224
    precision: Precision = "bfloat16"
    views: tuple[str, ...] = late(ONE)

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [tap for tap in self.taps if tap not in self.end_points]
        if unknown or not self.taps or len(set(self.taps)) < len(self.taps):
            raise BadRequest(
                f"got taps {list(self.taps)} of {self.name}, expected some of: {', '.join(self.end_points)}"
            )
        self.check_picture()
        if self.views != ONE:
            check_views(self.views, self.name, self.shown, self.size)

    @property
    def shown(self) -> Picture:
        """The picture that is cropped."""
        return self.picture

    def check_picture(self) -> None:
        """Nothing, or a BadRequest where the crop may reach beyond the picture."""
        check_crop(self.name, self.picture, self.size)

    @abstractmethod
    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """The shape of one row of an end point."""

    @abstractmethod
    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """The network of a file's tensors ({} for random ones), or what lies above an end point.

        forward(x, taps) -> {tap: (B, C, ...)}.
        """

    @abstractmethod
    def prepare(self) -> "nn.Module":
        """The module that turns frames (B, T, H, W, 3) uint8 into the network's float32 input."""

    def arrange(self, x: "Tensor") -> "Tensor":
        """An end point's (B, C, ...) as it is stored: (B, *shape)."""
        return x

    def restore(self, tap: str, rows: "Tensor") -> "Tensor":
        """Stored rows of an end point as the network gave them: the inverse of `arrange`."""
        return rows

    def rename(self, found: "Tensors") -> "Tensors":
        """A file's tensors under the network's own keys."""
        return found

    def classes_of(self, found: "Tensors") -> int:
        """How many classes the network of these tensors tells apart; 0 where it has no classifier."""
        return len(found[self.head]) if self.head in found else self.classes

    def above(self, tap: str) -> tuple[str, ...]:
        """The end points that follow from the stored rows of one."""
        return self.end_points[self.end_points.index(tap) + 1 :] if tap in self.end_points else ()

    def kind(self, tap: str, shape: tuple[int, ...]) -> Kind:
        """What a row of an end point means."""
        return kind_of(shape)

    def needs(self) -> Mapping[str, Picture | Extractor]:
        """The frames, uncropped."""
        return {"frames": self.picture}

    def rows(self, files: Files) -> dict[str, Array]:
        """Each tap in float16, by its name, or `feature` where it is the only one."""
        classes = self.classes_of({})
        if "logits" in self.taps and self.weights.seed is None:
            classes = self.classes_of(self._load(None, files).state_dict())
        square = self.box(1, 1)
        found = {}
        for tap in self.taps:
            shape = self.shape(tap, classes)
            kind = self.kind(tap, shape)
            found[self._array(tap)] = viewed(
                Array(shape, kind=kind, box=square if kind == "map" else WHOLE),
                described(self.views, self.name, self.shown, self.size),
            )
        return found

    def box(self, width: int, height: int) -> Box:
        """The centre crop's part of the upright frame, or that of the one other view."""
        if len(self.views) == 1 and self.views != ONE:
            return views_of(self.views, self.name)[0].box(self.shown, self.size, width, height)
        return crop_box(self.shown, self.size, self.size, width, height)

    def view_boxes(self, width: int, height: int) -> tuple[ViewBox, ...]:
        """The views' parts of the upright frame."""
        return described(self.views, self.name, self.shown, self.size, width, height)

    def build(self, files: Files) -> "nn.Module":
        """The whole network; its parameters lie under `model.` and are named as in the published file."""
        from ego.extractors._tapped import Tapped

        model = self._load(None, files)
        taps = {tap: self._array(tap) for tap in self.taps}
        need = next(iter(self.needs()))
        prepare = self.prepare()
        if self.views != ONE:
            from ego.extractors._viewed import Viewed, ViewedFlow

            viewed_by = Viewed if isinstance(self.needs()[need], Picture) else ViewedFlow
            prepare = viewed_by(prepare, views_of(self.views, self.name), self.size)
        return Tapped(model, prepare, taps, self._arranged, self.precision, need).eval()

    def shared(self) -> Shared | None:
        """The frames' own maps, where the network begins with frames by themselves; else whole rows."""
        if any(isinstance(need, Extractor) for need in self.needs().values()):
            return None
        if self.alone is not None and set(self.taps) <= set(self.above(self.alone)):
            return Shared(replace(self, taps=(self.alone,), window=Window()), self._above_frames)
        return self.on_any_grid()

    def classifier(self, files: Files) -> "Network | None":
        """Itself with the classes alone; None where it, or its file, has none."""
        if "logits" not in self.end_points:
            return None
        if self.weights.seed is None:
            from ego.extractors._weights import read

            if not self.classes_of(self.rename(read(files[self.weights]))):
                return None
        return replace(self, taps=("logits",), views=ONE)

    def tail(self, tap: str, files: Files) -> "nn.Module":
        """The network above a stored end point: forward(rows (B, *shape)) gives the taps above it."""
        from ego.extractors._tapped import Restored, Tapped

        above = self.above(tap)
        taps = {name: self._array(name) for name in self.taps if name in above}
        if not taps:
            raise BadRequest(
                f"got tap {tap!r} of {self.name}, whose taps are {list(self.taps)}; expected an end point below "
                f"one of them, of: {', '.join(self.end_points)}"
            )
        model = self._load(tap, files)
        restored: nn.Module = Restored(partial(self.restore, tap))
        if len(self.views) > 1:
            from ego.extractors._viewed import Apart

            restored = Apart(restored)
        return Tapped(model, restored, taps, self._arranged, self.precision).eval()

    def _above_frames(self, files: Files) -> "nn.Module":
        from ego.extractors._tapped import InTime

        assert self.alone is not None
        return InTime(self.tail(self.alone, files))

    def _arranged(self, x: "Tensor") -> "Tensor":
        """As `arrange`, the views of a window together."""
        rows, views = self.arrange(x), len(self.views)
        return rows if views == 1 else rows.reshape(-1, views, *rows.shape[1:])

    def _array(self, tap: str) -> str:
        return "feature" if len(self.taps) == 1 else tap

    def _load(self, after: str | None, files: Files) -> "nn.Module":
        from ego.extractors._weights import load

        def make(found: "Tensors") -> "nn.Module":
            if "logits" in self.taps and not self.classes_of(found):
                raise BadRequest(f"got a file without a classifier for {self.name}; leave `logits` out of its taps")
            return self.network(found, after)

        return load(make, self.weights, files, above=after is not None, rename=self.rename)


def viewed(array: Array, views: tuple[tuple[float, ...], ...]) -> Array:
    """The array of several views of each window: an axis of theirs first; of none, the array itself."""
    return replace(array, shape=(len(views), *array.shape), views=views) if views else array  # type: ignore[arg-type]


def crop_box(picture: Picture, crop_height: int, crop_width: int, width: int, height: int) -> Box:
    """What the centre crop of `picture` shows of an upright frame of `width` x `height` pixels."""
    wide, tall = picture.pixels(width, height)
    left, top = (wide - crop_width) // 2, (tall - crop_height) // 2
    return Box(left / wide, top / tall, (left + crop_width) / wide, (top + crop_height) / tall)


def kind_of(shape: tuple[int, ...]) -> Kind:
    """What a row of this shape means."""
    return "vector" if len(shape) == 1 else "tokens" if len(shape) == 2 else "map"


def check_crop(name: str, picture: Picture, size: int) -> None:
    """Nothing, or a BadRequest where the crop may reach beyond the picture."""
    if picture.fit not in ("short", "squash") or not 0 < size <= picture.size:
        raise BadRequest(
            f"got a crop of {size} from a {picture.fit} picture of {picture.size} for {name}, expected a short or "
            "squash picture at least as large as the crop"
        )


def check_one_frame(name: str, window: Window) -> None:
    """Nothing, or a BadRequest where the window of an image model has more than one frame."""
    if window.frames != 1:
        raise BadRequest(f"got a window of {window.frames} frames for {name}, which sees one; set window.frames=1")
