"""`tvl1`: TV-L1 optical flow (Zach, Pock and Bischof 2007), one field for each pair of frames."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._flow import Flow

if TYPE_CHECKING:
    from torch import nn

    from ego.layers.tvl1 import Constants

QUALITY: dict[str, Any] = {
    "tau": 0.25, "lambda_": 0.15, "theta": 0.3, "scales": 5, "zoom": 0.5, "warps": 5, "outer": 1, "inner": 300,
    "epsilon": 0.005, "median": 0, "cubic": -0.5, "smooth": 0.8, "antialias": True, "least_side": 1, "stretch": True,
}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "quality": QUALITY,
    "fast": QUALITY | {"warps": 2, "inner": 50, "epsilon": 0.0},
    "opencv": QUALITY
    | {"zoom": 0.8, "outer": 10, "inner": 30, "epsilon": 0.01, "median": 5, "cubic": -0.75}
    | {"smooth": 0.0, "antialias": False, "least_side": 16, "stretch": False},
}


@dataclass(frozen=True, kw_only=True)
class TVL1(Flow):
    """TV-L1 flow; `preset` gives every constant that is not named (docs/optical-flow.md has them in a table).

    `quality` has the constants of Sanchez, Meinhardt and Facciolo (2013), `tau` 0.25, `lambda_` 0.15, `theta` 0.3,
    5 `scales` of `zoom` 0.5, 5 `warps` of at most 300 iterations, but stops later (`epsilon` 0.005 pixels for 0.01,
    with which slow convergence on large pictures is taken for rest). `fast` has 2 warps of 50 iterations
    whatever the picture: constant cost. `opencv` has those of OpenCV's DualTVL1.

    `tau`, `lambda_` (for grey values of 0 to 255) and `theta` are the method's; `scales` levels of the pyramid,
    each `zoom` times the finer one and at least `least_side` pixels, with `warps` on each; a warp has `outer`
    rounds of at most `inner` iterations and ends when the flow moves less than `epsilon` pixels (0: never). A
    `median` filter of that side goes before each round (0: none). `cubic` is the parameter of the bicubic kernel,
    `smooth` the blur before the finest level, `antialias` the blur between levels, `stretch` the stretching of
    both pictures of a pair to 0 to 255.
    """

    preset: Literal["quality", "fast", "opencv"] = "quality"
    tau: float | None = None
    lambda_: float | None = None
    theta: float | None = None
    scales: int | None = None
    zoom: float | None = None
    warps: int | None = None
    outer: int | None = None
    inner: int | None = None
    epsilon: float | None = None
    median: int | None = None
    cubic: float | None = None
    smooth: float | None = None
    antialias: bool | None = None
    least_side: int | None = None
    stretch: bool | None = None

    def __post_init__(self) -> None:
        for name, value in PRESETS[self.preset].items() if self.preset in PRESETS else ():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        super().__post_init__()
        self._check()

    def _check(self) -> None:
        limits = {
            "tau": (0, 0.25), "lambda_": (0, 1e6), "theta": (0, 1e6), "zoom": (0.1, 0.95), "cubic": (-1, 0),
            "scales": (1, 100), "warps": (1, 1000), "outer": (1, 1000), "inner": (1, 100_000), "epsilon": (0, 1e3),
            "median": (0, 15), "smooth": (0, 10), "least_side": (1, 1_000_000),
        }  # fmt: skip
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not least <= value <= most or (value == 0 and name in ("tau", "lambda_", "theta")):
                raise BadRequest(f"got {name} = {value:g} for {self.name}, expected {least:g} to {most:g}")
        if self.median and self.median % 2 == 0:
            raise BadRequest(f"got median = {self.median} for {self.name}, expected an odd side, or 0 for none")

    @property
    def constants(self) -> "Constants":
        """The constants as the method takes them."""
        from ego.layers.tvl1 import Constants
        from ego.layers.tvl1_pyramid import Rule

        values = {name: getattr(self, name) for name in QUALITY}
        rule = {field.name: values.pop(field.name) for field in fields(Rule)}
        return Constants(**values, rule=Rule(**rule))

    def engine(self, files: Files) -> "nn.Module":
        """Our own TV-L1, on any device."""
        from ego.extractors._flow_engines import TVL1Engine

        return TVL1Engine(self.constants)
