"""What the residual video networks share: two schemes of key names, the heads that a file has, one normalisation."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ego.extractors._backbone import Backbone
from ego.extractors._published import WeightFile
from ego.layers import slowfast_plan as plan
from ego.sampling import Window

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ego.extractors._weights import Tensors

ZOO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics"


def zoo_file(name: str, note: str, when: tuple[tuple[str, Any], ...] = ()) -> WeightFile:
    """A file of PyTorchVideo's model zoo; digests are not published there."""
    return WeightFile(name, f"{ZOO}/{name}", "", "Apache-2.0 (PyTorchVideo)", f"Kinetics-400, {note}", when=when)


@dataclass(frozen=True, kw_only=True)
class Residual(Backbone, ABC):
    """A network of PySlowFast with the classifiers that its file has; several stand side by side in `logits`.

    Files of PySlowFast and of PyTorchVideo load alike. Of a file whose keys begin with `backbone.` (long-term
    anticipation) the backbone is taken.
    """

    arch: ClassVar[plan.Arch]
    classes: ClassVar[int] = 400
    head: ClassVar[str] = "head.projection.bias"

    window: Window = Window(frames=8, stride=64, interval=8, fps=30.0)
    taps: tuple[str, ...] = ("pool",)

    def shape(self, tap: str, classes: int) -> tuple[int, ...]:
        """(C, T, h, w), tokens (T, C), (C,) or (classes,)."""
        if tap in plan.STEPS:
            return plan.shape(self.arch, tap, self.window.frames, self.size)
        if tap == "logits":
            return (classes,)
        width = plan.WIDTHS[-1]
        if tap == "tokens":
            return plan.shape(self.arch, "res5", self.window.frames, self.size)[1], width
        return (width,)

    def rename(self, found: "Tensors") -> "Tensors":
        """PySlowFast's keys, whichever scheme the file has."""
        from ego.layers.slowfast_keys import pyslowfast_names

        if any(key.startswith("backbone.") for key in found):
            prefixed = {key: tensor for key, tensor in found.items() if key.startswith("backbone.")}
            found = {key.removeprefix("backbone."): tensor for key, tensor in prefixed.items()}
        if not any(key.startswith("blocks.") for key in found):
            return found
        names = pyslowfast_names(found)
        return {names[key]: tensor for key, tensor in found.items()}

    def heads(self, found: "Tensors") -> Mapping[str, int]:
        """How many classes each classifier of a file has, by its key; of random weights, there is one."""
        if not found:
            return {"projection": self.classes}
        return {
            key.removeprefix("head.").removesuffix(".bias"): len(tensor)
            for key, tensor in found.items()
            if key.startswith("head.projection") and key.endswith(".bias")
        }

    def classes_of(self, found: "Tensors") -> int:
        """The classes of all its heads together."""
        return sum(self.heads(found).values())

    def arrange(self, x: "Tensor") -> "Tensor":
        """Tokens (B, C, T) as (B, T, C); everything else as it is."""
        return x.transpose(1, 2) if x.ndim == 3 else x

    def restore(self, tap: str, rows: "Tensor") -> "Tensor":
        """Stored rows as the network gave them."""
        return rows.transpose(1, 2) if rows.ndim == 3 else rows

    def prepare(self) -> "nn.Module":
        """The crop less its mean grey: (x / 255 - 0.45) / 0.225."""
        from ego.extractors._tapped import Normalise

        return Normalise(self.size, (0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
