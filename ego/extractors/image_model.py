"""`image_model`: any ONNX or TFLite image model, one row a frame; the file says most of the fields."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from ego.errors import BadRequest
from ego.extractors import _onnx, _tflite
from ego.extractors._backbone import check_crop, check_one_frame, crop_box, kind_of
from ego.extractors._base import Files, Network, Shared
from ego.extractors._graph import Graph, Layout, sides
from ego.extractors._published import WeightFile
from ego.sampling import Window
from ego.spec import Weights, from_table
from ego.video import WHOLE, Array, Box, Picture

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class ImageModel(Network):
    """A row is one tensor of the model: by default the pooled feature before the classifier, else its first output.

    `output` names it; maps are stored as (C, h, w). `size` is the side of the model's picture in pixels,
    or (height, width); `picture` is what it is the centre of. `scaling` turns bytes into the model's
    input: `byte` 0 to 255, `unit` [0, 1], `symmetric` [-1, 1], `imagenet` unit less mean over deviation;
    `auto` is `byte` for models that take integers, else `symmetric` for TFLite and `imagenet` for ONNX.
    Where the file is known before the spec (`complete`), all of these are filled in and in the digest.
    """

    published: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile(
            "mobilenet_v2_1.0_224_quant.tflite",
            "https://github.com/google-coral/test_data/raw/master/mobilenet_v2_1.0_224_quant.tflite",
            "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
            "Apache-2.0",
            "MobileNetV2, ImageNet-1k, 8 bits",
            3_610_798,
        ),
    )

    takes_random: ClassVar[bool] = False

    window: Window = Window()
    weights: Weights
    output: str = ""
    size: int | tuple[int, int] = 0
    picture: Picture | None = None
    scaling: Literal["auto", "byte", "unit", "symmetric", "imagenet"] = "auto"
    layout: Literal["auto", "nhwc", "nchw"] = "auto"
    colours: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)
        if self.weights.seed is not None:
            raise BadRequest(f"got {self.weights} for {self.name}, expected a file: a model's graph is in it")
        if isinstance(self.size, tuple) and self.size[0] == self.size[1]:
            object.__setattr__(self, "size", self.size[0])
        if self.picture is not None and max(self._sides):
            check_crop(self.name, self.picture, max(self._sides))

    @classmethod
    def complete(cls, table: Mapping[str, Any], files: Files) -> dict[str, Any]:
        """`table` with output, size, picture, scaling and layout as the file has them.

        A picture of which only `fit = "short"` is said has 8/7 of the crop, as 256 is to 224.
        """
        asked = from_table(cls, {key: value for key, value in table.items() if key != "picture"}, "image_model")
        graph = _graph(files[asked.weights], asked.layout)
        graph.check(asked.output or graph.feature)
        size = graph.size(asked._sides)
        return dict(table) | {
            "output": asked.output or graph.feature,
            "size": size[0] if size[0] == size[1] else size,
            "scaling": graph.auto if asked.scaling == "auto" else asked.scaling,
            "layout": graph.input.layout,
            "picture": _picture(table.get("picture"), max(size)),
        }

    @property
    def tolerance(self) -> float:
        """0.01, but 0.3 for 8-bit models: a grey level in a twentieth of the pixels, or another kernel, moves
        their rows by 0.1 (measured on MobileNetV2), because every layer rounds."""
        return 0.3 if self.scaling == "byte" else 1e-2

    def needs(self) -> dict[str, Picture]:
        """The frames, uncropped; unknown before the size is."""
        if not max(self._sides):
            raise BadRequest(f"got no size for {self.name}; set it, or name the file in a recipe or with --set")
        return {"frames": self.picture or Picture("squash", max(self._sides))}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature`: float16, or the model's own integers; its shape is found by running one grey picture."""
        shape, dtype = _measured(self, files[self.weights])
        kind = kind_of(shape)
        stored = "float16" if dtype.startswith("float") else dtype
        return {"feature": Array(shape, stored, kind, box=self.box(1, 1) if kind == "map" else WHOLE)}  # type: ignore[arg-type]

    def box(self, width: int, height: int) -> Box:
        """The centre crop's part of the upright frame."""
        return crop_box(self.needs()["frames"], *self._sides, width, height)

    def classifier(self, files: Files) -> "ImageModel | None":
        """Itself with the model's own output, where that is one vector; None where it is none."""
        whole = replace(self, output=_graph(files[self.weights], self.layout).tensors[-1])
        return whole if len(whole.rows(files)["feature"].shape) == 1 else None

    def shared(self) -> Shared:
        """Whole rows."""
        return self.on_any_grid()

    def build(self, files: Files) -> "nn.Module":
        """(B, 1, H, W, 3) uint8 -> (B, *shape); it has no parameters and cannot be trained."""
        from ego.extractors._seen import Seen

        graph = _graph(files[self.weights], self.layout)
        scaling = graph.auto if self.scaling == "auto" else self.scaling
        return Seen(graph, self.output, self._sides, scaling, self.colours == "bgr").eval()

    @property
    def _sides(self) -> tuple[int, int]:
        return sides(self.size)


def _graph(path: Path, layout: str) -> Graph:
    """The model in a file, told by its first bytes rather than by its name."""
    asked = None if layout == "auto" else cast(Layout, layout)
    with path.open("rb") as file:
        start = file.read(8)
    return _tflite.read(path, asked) if _tflite.is_tflite(start) else _onnx.read(path, asked)


@lru_cache(maxsize=16)
def _measured(spec: ImageModel, path: Path) -> tuple[tuple[int, ...], str]:
    import torch

    height, width = spec._sides
    row = spec.build({spec.weights: path})(torch.full((1, 1, height, width, 3), 128, dtype=torch.uint8))["feature"]
    return tuple(row.shape[1:]), str(row.dtype).removeprefix("torch.")


def _picture(given: Any, side: int) -> Any:
    """What a crop of `side` is the centre of: as given, with a size where only the fit is; else the whole frame."""
    if given is None:
        return Picture("squash", side)
    if not isinstance(given, Mapping) or "size" in given:
        return given
    return {**given, "size": (side * 8 + 6) // 7 if given.get("fit") == "short" else side}
