"""`warp_flow`: optical flow without the camera's own motion (Wang and Schmid 2013; dense_flow)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network
from ego.extractors._camera import Camera
from ego.sampling import Window
from ego.video import Array, Picture

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class WarpFlow(Network):
    """The flow from each frame to the next after the next is warped onto it by the camera's homography.

    `flow` is the flow's spec, computed a second time on the warped pair, with its own window and picture; `hands`,
    where given, is an extractor of hand boxes that are left out when the camera's motion is sought.
    """

    window: Window = Window(frames=2, edge="drop")
    flow: Extractor
    camera: Camera = Camera()
    hands: Extractor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        pictures = [need for need in self.flow.needs().values() if isinstance(need, Picture)]
        if not isinstance(self.flow, Network) or len(pictures) != 1 or self.flow.window.frames != 2:
            raise BadRequest(
                f"got {self.flow.name} as the flow of warp_flow, expected a flow of two frames of one picture, "
                'such as flow = { name = "dis" }'
            )
        if self.window != self.flow.window:
            raise BadRequest(
                f"got warp_flow.window {self.window.describe()['fields']} and another for its flow, "
                f"{self.flow.window.describe()['fields']}; give both the same"
            )

    def needs(self) -> dict[str, Picture | Extractor]:
        """The pictures of its flow, that flow, and the hands if any."""
        picture = next(need for need in self.flow.needs().values() if isinstance(need, Picture))
        held = {"flow": self.flow} if self.hands is None else {"flow": self.flow, "hands": self.hands}
        return {"frames": picture, **held}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature` as its flow's; `homography` (3, 3), pixels of frame t to t + 1, and its `inliers`.

        The homography is the identity where too few matches agree.
        """
        return {
            "feature": replace(self.flow.rows(files)["feature"], kind="flow"),
            "homography": Array((3, 3), "float32"),
            "inliers": Array((), "int32"),
        }

    def build(self, files: Files) -> "nn.Module":
        """The module: frames (B, 2, H, W, 3) uint8, flow (B, 2, H, W) -> the rows' arrays."""
        from ego.extractors._warp_flow import Warped

        assert isinstance(self.flow, Network)
        need = next(name for name, one in self.flow.needs().items() if isinstance(one, Picture))
        return Warped(self.flow.build(files), need, self.camera).eval()
