"""From decoded frames to the pictures that riders ask for, each made from the native picture alone.

Every decoded frame becomes native RGB first and every size is made from that by libswscale's bilinear
filter (an antialiased one when it shrinks). Scaling YUV straight to a small RGB picture would take
about half the time, but differs from this by 1.5 grey levels on average on GTEA clips and by 4 on
synthetic 1080p pictures, so it is never done: a picture must not depend on who else rides.

The colour matrix and range are those the stream states; where it states none, libswscale takes
BT.601 and limited range, as FFmpeg's own tools do. Pixels are taken to be square, as they are stored.
"""

import threading
from collections.abc import Sequence

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from ego.media.ring import Layout
from ego.video import Picture


class Painter:
    """Paints pictures of frames of one native size and rotation; may be used by several threads."""

    def __init__(self, pictures: Sequence[Picture], width: int, height: int, rotation: int) -> None:
        turned = rotation in (90, 270)
        upright = (height, width) if turned else (width, height)
        self.layout = Layout(tuple(picture.pixels(*upright) for picture in pictures))
        # the picture is turned after it is scaled: the same pixels, fewer of them to move
        self._targets = [(size[1], size[0]) if turned else size for size in self.layout.sizes]
        self._quarters = rotation // 90
        self._native = (width, height)
        self._local = threading.local()

    def paint(self, frame: VideoFrame, wanted: Sequence[int], slot: Sequence[NDArray[np.uint8]]) -> None:
        """Writes the wanted pictures of a decoded frame into the views of a slot."""
        if frame.format.name == "nv12":  # a GPU's planes, made those of the other decoders: one converter serves all
            frame = self._tool("planar").reformat(frame, format="yuv420p", threads=1)
        native = self._tool("native").reformat(frame, format="rgb24", threads=1)
        for number in wanted:
            width, height = self._targets[number]
            picture = native if (width, height) == self._native else self._scaled(native, number, width, height)
            slot[number][:] = np.rot90(pixels(picture), self._quarters)

    def _scaled(self, native: VideoFrame, number: int, width: int, height: int) -> VideoFrame:
        """The picture in another size, by way of planes: the same pixels as straight to RGB, in half the time."""
        planes = self._tool("scale", number).reformat(
            native, width, height, format="gbrp", interpolation=Interpolation.BILINEAR, threads=1
        )
        return self._tool("pack", number).reformat(planes, format="rgb24", threads=1)

    def _tool(self, deed: str, number: int = 0) -> VideoReformatter:
        """This thread's converter for a deed and a size: kept, since setting one up costs more than using it."""
        tools: dict[tuple[str, int], VideoReformatter] = self._local.__dict__.setdefault("tools", {})
        return tools.setdefault((deed, number), VideoReformatter())


def pixels(frame: VideoFrame) -> NDArray[np.uint8]:
    """(height, width, 3) of an rgb24 frame, without a copy."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    view: NDArray[np.uint8] = rows[: frame.height, : frame.width * 3].reshape(frame.height, frame.width, 3)
    return view
