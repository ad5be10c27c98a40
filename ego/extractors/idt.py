"""`idt`: improved dense trajectories (Wang and Schmid 2013), one row a track that the camera does not explain."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._base import Beside, Block, Extractor, Files, Rows, Tracker
from ego.extractors._camera import Camera
from ego.sampling import Window
from ego.video import Array, Picture

Descriptor = Literal["trajectory", "hog", "hof", "mbhx", "mbhy"]

WIDTHS = {"hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96}


@dataclass(frozen=True, kw_only=True)
class IDT(Tracker):
    """Points sampled densely, followed for `length` frames and kept if they move by themselves.

    All pixels are those of a picture `height` pixels high. `engine` is `farneback`, the release's own flow, or
    `dis`, many times faster. `length` is 10 for motion maps (Lu et al. 2019); the release has 15. A clip of fewer
    frames than a track, but at least 5, gives tracks from its first frame to its last; a shorter one none.
    """

    version: ClassVar[int] = 3

    window: Window = Window()
    engine: Literal["farneback", "dis"] = "dis"
    height: int = 540
    length: int = 10
    scales: int = 8
    """How many levels of the picture pyramid are followed at most, each a square root of 2 smaller."""
    stride: int = 5
    quality: float = 0.001
    """Share of a level's largest minimum eigenvalue that a sampled point must exceed."""
    static_pixels: float = 1.7320508075688772
    """A track whose standard deviations both lie below is still."""
    random_pixels: float = 50.0
    """One with a standard deviation above is a mistake of the flow."""
    jump_pixels: float = 20.0
    jump_share: float = 0.7
    """A step above `jump_pixels` and above this share of the whole path is a jump."""
    camera_pixels: float = 1.0
    """A track of which no step without the camera's motion is above this is the camera's."""
    camera: Camera = Camera()
    hands: Extractor | None = None
    """An extractor of hand boxes that are left out when the camera's motion is sought."""
    descriptors: tuple[Descriptor, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window.frames != 1 or self.window.stride != 1 or self.window.at != "grid":
            raise BadRequest(f"got {self.window.describe()['fields']} as idt.window, expected every frame, one by one")
        if self.height < 32 or self.length < 2 or self.stride < 1 or not 1 <= self.scales <= 8:
            raise BadRequest(
                f"got height={self.height}, length={self.length}, stride={self.stride}, scales={self.scales} for "
                "idt, expected at least 32, 2, 1 and 1 to 8"
            )
        if len(set(self.descriptors)) != len(self.descriptors):
            raise BadRequest(f"got idt.descriptors = {', '.join(self.descriptors)}, expected each once")

    @property
    def picture(self) -> Picture:
        """The picture that points are followed in."""
        return Picture("height", self.height)

    def needs(self) -> dict[str, Picture | Extractor]:
        """One picture, and the hands if any."""
        held = {} if self.hands is None else {"hands": self.hands}
        return {"frames": self.picture, **held}

    def rows(self, files: Files) -> dict[str, Array]:
        """`points` (L + 1, 2) where the track is on each of its frames, `scale` its level, and the descriptors.

        `own_pixels` (L, 2) is how far each step moves, right and down, when the camera is held still. In a clip too
        short for L steps the last point is repeated and the steps after it are 0; `source` says the track's frames.
        `gain` (L,) is how much better each of these steps explains the pictures than the camera alone: what a patch of
        7 pixels differs by where it was, less where the step takes it, over what the two pictures differ by anyway.
        `trajectory` has 2L numbers, `hog` 96, `hof` 108, `mbhx` and `mbhy` 96.
        """
        described = {str(name): Array((WIDTHS.get(name, 2 * self.length),)) for name in self.descriptors}
        return {
            "points": Array((self.length + 1, 2), "float32", "points"),
            "own_pixels": Array((self.length, 2)),
            "gain": Array((self.length,)),
            "scale": Array((), "int8"),
            **described,
        }

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """One row a track, when it ends, finest level first; no row where nothing moves by itself."""
        from ego.extractors._idt_follow import follow

        yield from follow(self, blocks)
