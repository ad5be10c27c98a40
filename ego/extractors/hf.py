"""`hf`: any image or video model of the `transformers` library, by its folder or its name on the hub."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from ego.errors import BadRequest
from ego.extractors._backbone import Precision, check_crop, crop_box, viewed
from ego.extractors._base import Files, Network, Shared
from ego.extractors._model_folder import canonical_config, config_beside, geometry_beside
from ego.extractors._views import ONE, ViewBox, check_views, described, views_of
from ego.sampling import Window
from ego.spec import Weights, from_table, late
from ego.video import WHOLE, Array, Box, Picture

if TYPE_CHECKING:
    from torch import nn

HELD = ("picture", "window")


@dataclass(frozen=True, kw_only=True)
class Hf(Network):
    """A row is one output of the model, for a frame or a clip as the model's type has it.

    `pooled` is the vector its classifier sees, or that the model pools by itself; `cls` the first token;
    `mean` the mean of the patches' tokens; `tokens` these tokens (N, D) in the order moment, row, column;
    `grid` the same as a map (D, [moments,] h, w); `logits` the classes. `weights` is the safetensors file of a
    model folder: `config` (its config.json), the window's frames and what the processor beside it does
    (`picture`, `size` of the centre crop, `((bytes * factor) - mean) / std`) are filled in from the folder
    and are in the digest. The picture is scaled bilinearly, whatever the processor's own filter. `views` are
    those of the other backbones.
    """

    window: Window = Window()
    weights: Weights
    config: str = ""
    output: Literal["auto", "pooled", "cls", "mean", "tokens", "grid", "logits"] = "auto"
    picture: Picture | None = None
    size: int = 0
    factor: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    precision: Precision = "bfloat16"
    views: tuple[str, ...] = late(ONE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.std) <= 0:
            raise BadRequest(f"got std {list(self.std)} for {self.name}, expected each above 0")
        if self.config:
            object.__setattr__(self, "config", canonical_config(self.config, f"{self.name}.config"))
        if self.picture is not None and self.size:
            check_crop(self.name, self.picture, self.size)
            check_views(self.views, self.name, self.picture, self.size)

    @classmethod
    def complete(cls, table: Mapping[str, Any], files: Files) -> dict[str, Any]:
        """`table` with configuration, window, geometry and output as the model's folder has them."""
        from ego.extractors import _hf

        asked = from_table(cls, {key: value for key, value in table.items() if key not in HELD}, "hf")
        folder = None if asked.weights.seed is not None else files[asked.weights]
        if not asked.config and folder is None:
            raise BadRequest(f"got {asked.weights} for hf without a configuration; set hf.config, or name a folder")
        config = asked.config or config_beside(folder)  # type: ignore[arg-type]
        geometry = {} if folder is None else geometry_beside(folder)
        filled: dict[str, Any] = {**geometry, **table, "config": config}
        needed = ("size",) if folder is None else ("size", "mean", "std")
        if not all(filled.get(name) for name in needed):
            raise BadRequest(
                "got a model without a preprocessor_config.json beside it: its pictures are not known; set hf.size, "
                "hf.mean and hf.std (and hf.picture) as its card says"
            )
        filled["picture"] = filled.get("picture") or {"fit": "squash", "size": filled["size"]}
        filled["window"] = _window(table.get("window"), _hf.frames_of(config))
        if asked.output == "auto":
            filled["output"] = _hf.default_output(from_table(cls, filled, "hf"))
        return filled

    def needs(self) -> dict[str, Picture]:
        """The frames, uncropped; unknown before the size is."""
        if not self.size:
            raise BadRequest(f"got no size for {self.name}; set it, or name a model folder in a recipe or with --set")
        return {"frames": self.picture or Picture("squash", self.size)}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` in float16."""
        shape = _measured(self)
        kind: Literal["vector", "map", "tokens"] = (
            "map" if self.output == "grid" else "tokens" if self.output == "tokens" else "vector"
        )
        array = Array(shape, kind=kind, box=self.box(1, 1) if kind == "map" else WHOLE)
        return {"feature": viewed(array, described(self.views, self.name, self.needs()["frames"], self.size))}

    def box(self, width: int, height: int) -> Box:
        """The centre crop's part of the upright frame, or that of the one other view."""
        if len(self.views) == 1 and self.views != ONE:
            return views_of(self.views, self.name)[0].box(self.needs()["frames"], self.size, width, height)
        return crop_box(self.needs()["frames"], self.size, self.size, width, height)

    def view_boxes(self, width: int, height: int) -> tuple[ViewBox, ...]:
        """The views' parts of the upright frame."""
        return described(self.views, self.name, self.needs()["frames"], self.size, width, height)

    def classifier(self, files: Files) -> "Hf | None":
        """Itself with the output `logits`; None where its architecture has none."""
        classes = replace(self, output="logits", views=ONE)
        try:
            classes.rows(files)
        except BadRequest:
            return None
        return classes

    def shared(self) -> Shared:
        """Whole rows."""
        return self.on_any_grid()

    def build(self, files: Files) -> "nn.Module":
        """(B, T, H, W, 3) uint8 -> (B, *shape); its parameters lie under `model.`, and it can be trained."""
        from ego.extractors import _hf

        return _hf.build(self, files)

    def tail(self, tap: str, files: Files) -> "nn.Module":
        """The classifier above stored rows of `pooled`: forward((B, D)) gives the scores of the classes."""
        from ego.extractors import _hf

        if tap != "pooled" or self.output != "logits":
            raise BadRequest(
                f"got tap {tap!r} of {self.name} with output {self.output}, expected `pooled` below output logits"
            )
        return _hf.above_pooled(self, files)


@lru_cache(maxsize=16)
def _measured(spec: Hf) -> tuple[int, ...]:
    from ego.extractors import _hf

    return _hf.row_shape(spec)


def _window(given: Any, frames: int | None) -> Any:
    """The window as given, with the model's frames where they are not said: clips side by side."""
    if given is None:
        return Window(frames or 1, stride=frames or 1)
    if isinstance(given, Window):
        return given
    return {"frames": frames or 1, "stride": given.get("frames", frames or 1), **given}
