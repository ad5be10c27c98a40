"""`two_in_one`: a ResNet of pictures whose first map is modulated by flow (Zhao and Snoek 2019; FPAR)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._backbone import Backbone, Kind, check_one_frame
from ego.extractors._base import Extractor, Files
from ego.extractors._of_flow import BOUND_PIXELS, picture_of
from ego.extractors._views import ONE
from ego.extractors.flow_resnet import MEAN as GREY_MEAN
from ego.extractors.flow_resnet import STD as GREY_STD
from ego.extractors.resnet import MEAN, STD
from ego.layers import resnet_plan as plan
from ego.video import Picture

if TYPE_CHECKING:
    from torch import nn

    from ego.extractors._weights import Tensors

MODULATION = ("condNet.", "sft.")


@dataclass(frozen=True, kw_only=True)
class TwoInOne(Backbone):
    """The end points of `resnet`, of one frame and the flow that begins with it.

    `flow`, such as `warp_flow`, must be of the same picture; it is cut at 20 pixels and taken as a grey picture is, as
    `flow_resnet` does. `form` is how beta and gamma turn the map of the first convolution: `residual`, map * (beta + 1)
    + gamma, as FPAR's code has it, or `plain`, without the one, as its report. Of an FPAR file the network is taken; a
    file of a ResNet alone, or of Ego-RNN, begins with a modulation that changes nothing.
    """

    end_points: ClassVar[tuple[str, ...]] = (*plan.TAPS, *plan.ATTENTION)
    head: ClassVar[str] = "fc.bias"
    classes: ClassVar[int] = 1000

    taps: tuple[str, ...] = ("pool",)
    flow: Extractor
    depth: Literal[18, 34, 50] = 34
    form: Literal["residual", "plain"] = "residual"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)
        if picture_of(self.flow) != self.picture:
            raise BadRequest(
                f"got another picture for {self.name} than for {self.flow.name}, its flow; give both the same, such as "
                'picture = { fit = "short", size = 256 }'
            )
        if self.flow.window.fps != self.window.fps or self.flow.window == self.window:
            raise BadRequest(
                f"got {self.window.fps} frames a second for {self.name} and {self.flow.window.fps} for its flow, which "
                "takes two frames a row; set window.fps and flow.window.fps to the same"
            )
        if self.views != ONE:
            raise BadRequest(f"got views of {self.name}, whose flow is shown in the centre alone; leave views out")

    def needs(self) -> dict[str, Picture | Extractor]:
        """The frames, uncropped, and the flow."""
        return {"frames": self.picture, "flow": self.flow}

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C,) or (C, h, w)."""
        return plan.shape(self.depth, tap, self.size, classes)

    def kind(self, tap: str, shape: tuple[int, ...]) -> Kind:
        """A class activation is a map, though of one channel."""
        return "map" if tap in ("cam", "cam_raw") else super().kind(tap, shape)

    def above(self, tap: str) -> tuple[str, ...]:
        """What follows from a stage's map, as of `resnet`."""
        return plan.above(tap)

    def rename(self, found: "Tensors") -> "Tensors":
        """The tensors of the network, whatever stands beside it; its modulation under one name."""
        own = {key.removeprefix("resNet."): x for key, x in found.items() if key.startswith("resNet.")}
        own = {f"modulation.{key}" if key.startswith(MODULATION) else key: x for key, x in (own or found).items()}
        if any(key.startswith("modulation.") for key in own):
            return own
        return own | self._unmoved()

    def _unmoved(self) -> "Tensors":
        """A modulation whose beta and gamma leave the map as it is; what lies below them is drawn, always the same."""
        from ego.extractors._weights import initialise
        from ego.layers.two_in_one import Modulation

        module = Modulation()
        initialise(module, 0)
        found = module.state_dict()
        for branch in ("scale", "shift"):
            found[f"sft.SFT_{branch}_conv1.weight"].zero_()
        if self.form == "plain":
            found["sft.SFT_scale_conv1.bias"].fill_(1)
        return {f"modulation.{key}": x for key, x in found.items()}

    def network(self, found: "Tensors", after: str | None) -> "nn.Module":
        """The ResNet of this depth, modulated where it is whole."""
        from ego.layers.resnet import ResNet
        from ego.layers.two_in_one import Modulation

        modulation = Modulation(self.form == "residual") if after is None else None
        return ResNet(self.depth, self.classes_of(found), after, modulation=modulation)

    def build(self, files: Files) -> "nn.Module":
        """The whole network; its parameters lie under `model.`."""
        from ego.extractors._tapped import Tapped

        taps = {tap: self._array(tap) for tap in self.taps}
        both = ("frames", "flow")
        return Tapped(self._load(None, files), self.prepare(), taps, self._arranged, self.precision, both).eval()

    def prepare(self) -> "nn.Module":
        """The module that turns (frames, flow) into (B, 5, size, size): colours, then flow, x before y."""
        from torch import nn

        from ego.extractors._tapped import Beside, Flow, Normalise, OnlyFrame, Stacked

        frames = nn.Sequential(Normalise(self.size, MEAN, STD), OnlyFrame())
        return Beside(frames, nn.Sequential(Flow(self.size, BOUND_PIXELS), Stacked(GREY_MEAN, GREY_STD)))
