"""`dis`: dense inverse search (Kroeger et al. 2016) as OpenCV has it: the fastest flow on a CPU."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ego.extractors._base import Files
from ego.extractors._flow import Flow

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class DIS(Flow):
    """DIS flow; `preset` is OpenCV's `ultrafast`, `fast` or `medium`, from hundreds of pairs a second to dozens."""

    preset: Literal["ultrafast", "fast", "medium"] = "medium"

    def engine(self, files: Files) -> "nn.Module":
        """OpenCV's, in one thread; on a GPU the frames come back to the CPU."""
        import cv2

        from ego.extractors._flow_engines import OpenCVEngine

        number = {
            "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
            "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
            "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
        }[self.preset]
        return OpenCVEngine(lambda: cv2.DISOpticalFlow.create(number))
