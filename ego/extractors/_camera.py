"""How the camera's own motion between two frames is found: a plain part of `warp_flow` and `idt`."""

from dataclasses import dataclass
from typing import Literal

from ego.errors import BadRequest
from ego.spec import Spec


@dataclass(frozen=True)
class Camera(Spec):
    """One homography a pair of frames, from corners moved by their optical flow and from matched features.

    Thresholds are those of improved dense trajectories (Wang and Schmid 2013, released code), in pixels of the
    picture. `corners` are the `most_corners` strongest, at least `corner_distance` apart (`strongest`, as released),
    or the strongest of each of about as many equal cells (`spread`), which a textured thing in front cannot crowd
    but among which are many that flow badly. `features` adds key points matched to their nearest neighbour within
    `reach_pixels`; the release has SURF, which is not free, and no flow this reach allows is too large for corners.
    """

    corners: Literal["strongest", "spread"] = "strongest"
    most_corners: int = 1000
    corner_quality: float = 0.001
    """Share of the largest minimum eigenvalue of the picture that a corner must exceed."""
    corner_distance: int = 3
    features: Literal["none", "orb", "sift"] = "none"
    reach_pixels: float = 25.0
    estimator: Literal["usac", "ransac"] = "usac"
    reprojection_pixels: float = 1.0
    matches_above: int = 50
    """With no more matches than this the camera is taken to be still."""
    inliers_above: int = 25
    """With no more inliers than this the camera is taken to be still."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.most_corners, self.corner_distance) < 1 or min(self.matches_above, self.inliers_above) < 4:
            raise BadRequest(
                f"got most_corners={self.most_corners}, corner_distance={self.corner_distance}, matches_above="
                f"{self.matches_above} and inliers_above={self.inliers_above}; expected the first two from 1, "
                "the others from 4: a homography has four points"
            )
        if min(self.corner_quality, self.reach_pixels, self.reprojection_pixels) <= 0:
            raise BadRequest(
                f"got corner_quality={self.corner_quality:g}, reach_pixels={self.reach_pixels:g} and "
                f"reprojection_pixels={self.reprojection_pixels:g}, expected each to be above 0"
            )
