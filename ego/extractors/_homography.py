"""The homography that moves a still world from one frame to the next, and pictures stabilised by it."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._camera import Camera

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]

BORDER = 5
"""Pixels at the border of the second frame that are not trusted when it is warped."""

ESTIMATORS = {"usac": cv2.USAC_ACCURATE, "ransac": cv2.RANSAC}
"""Both draw from a generator of their own that starts anew each time: equal matches, equal result."""


class Motion(NamedTuple):
    """`homography` (3, 3) float64 takes pixels of the first frame to the second; identity where it is not trusted."""

    homography: NDArray[np.float64]
    inliers: int


STILL = np.eye(3)


def between(
    camera: Camera,
    before: Pixels,
    after: Pixels,
    moved: tuple[Points, Points],
    keep: tuple[Pixels | None, Pixels | None] = (None, None),
) -> Motion:
    """The camera's motion from grey picture `before` to `after` (h, w).

    `moved` are the `corners` of the first, (n, 2), and where the flow takes them; `keep` masks of both, 0 where
    nothing may be looked at, such as hands.
    """
    start, stop = moved
    if camera.features != "none":
        matched = matches(camera, before, after, keep)
        start, stop = np.concatenate([start, matched[0]]), np.concatenate([stop, matched[1]])
    return fit(camera, start, stop)


def fit(camera: Camera, start: Points, stop: Points) -> Motion:
    """The homography that most of the matches (n, 2) agree on; the identity where too few do."""
    if len(start) <= camera.matches_above:
        return Motion(STILL, 0)
    found, agree = cv2.findHomography(
        start, stop, ESTIMATORS[camera.estimator], camera.reprojection_pixels, maxIters=2000, confidence=0.999
    )
    inliers = int(agree.sum()) if found is not None else 0
    trusted = inliers > camera.inliers_above and bool(np.isfinite(found).all())
    return Motion(np.asarray(found, np.float64) if trusted else STILL, inliers)


def eigen(grey: Pixels) -> NDArray[np.float32]:
    """(h, w) the smaller eigenvalue of each pixel's gradients: block 3, Sobel 3 (Shi and Tomasi 1994)."""
    return np.asarray(cv2.cornerMinEigenVal(grey, 3, ksize=3), np.float32)


def corners(
    camera: Camera, grey: Pixels, eigenvalues: NDArray[np.float32] | None = None, keep: Pixels | None = None
) -> Points:
    """(n, 2) x and y of the corners of a picture, none where `keep` is 0."""
    if eigenvalues is None:
        eigenvalues = eigen(grey)
    least = camera.corner_quality * float(eigenvalues.max(initial=0.0))
    if keep is not None:
        eigenvalues = np.where(keep > 0, eigenvalues, np.float32(0))
    return (_spread if camera.corners == "spread" else _strongest)(camera, eigenvalues, least)


def _strongest(camera: Camera, eigenvalues: NDArray[np.float32], least: float) -> Points:
    side = 2 * camera.corner_distance - 1
    highest = cv2.dilate(eigenvalues, np.ones((side, side), np.uint8))
    y, x = np.nonzero((eigenvalues == highest) & (eigenvalues > least))
    order = np.argsort(-eigenvalues[y, x], kind="stable")[: camera.most_corners]
    return np.stack([x[order], y[order]], axis=1).astype(np.float32)


def _spread(camera: Camera, eigenvalues: NDArray[np.float32], least: float) -> Points:
    height, width = eigenvalues.shape
    side = max(1, int(np.ceil(np.sqrt(width * height / camera.most_corners))))
    rows, columns = height // side, width // side
    tiles = eigenvalues[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    cells = tiles.reshape(rows * columns, side * side)
    best = cells.argmax(axis=1)
    place = np.arange(len(best))
    found = np.stack([place % columns * side + best % side, place // columns * side + best // side], axis=1)
    return np.asarray(found[cells[place, best] > least], np.float32)


def matches(
    camera: Camera, before: Pixels, after: Pixels, keep: tuple[Pixels | None, Pixels | None]
) -> tuple[Points, Points]:
    """(n, 2) twice: key points of the first picture and the most alike within reach of each in the second."""
    detector, norm = _detector(camera.features)
    (first, said_first), (second, said_second) = (
        detector.detectAndCompute(picture, mask) for picture, mask in zip((before, after), keep, strict=True)
    )
    none = np.empty((0, 2), np.float32)
    if said_first is None or said_second is None:
        return none, none
    start, stop = (np.array([point.pt for point in points], np.float32) for points in (first, second))
    near = (np.abs(start[:, None] - stop).max(axis=2) < camera.reach_pixels).astype(np.uint8)
    found = [pair[0] for pair in cv2.BFMatcher(norm).knnMatch(said_first, said_second, 1, near) if pair]
    if not found:
        return none, none
    return start[[one.queryIdx for one in found]], stop[[one.trainIdx for one in found]]


def _detector(features: str) -> tuple[Any, int]:
    if features == "orb":
        return cv2.ORB_create(1000), cv2.NORM_HAMMING  # type: ignore[attr-defined]
    return cv2.SIFT_create(1000), cv2.NORM_L2  # type: ignore[attr-defined]


def stabilise(after: Pixels, motion: Motion, before: Pixels) -> Pixels:
    """The second picture as the first camera saw it, bilinear: (h, w) or (h, w, 3).

    What would come from outside, or from the last `BORDER` pixels, is copied from the first picture: no motion.
    """
    height, width = after.shape[:2]
    if min(height, width) <= 2 * BORDER + 1:
        return before.copy()
    inner = after[BORDER : height - BORDER, BORDER : width - BORDER]
    into = np.array([[1, 0, -BORDER], [0, 1, -BORDER], [0, 0, 1]], np.float64)
    stable = cv2.warpPerspective(
        inner,
        into @ motion.homography,
        (width, height),
        dst=before.copy(),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return np.asarray(stable, np.uint8)


def outside(boxes: NDArray[np.float32], visible: NDArray[np.bool_], height: int, width: int) -> Pixels:
    """(height, width) 255, and 0 inside the visible ones of `boxes` (n, 4), fractions left, top, right, bottom."""
    keep = np.full((height, width), 255, np.uint8)
    for left, top, right, bottom in boxes[visible].astype(np.float64):
        rows = slice(max(0, int(top * height)), max(0, int(np.ceil(bottom * height))))
        keep[rows, max(0, int(left * width)) : max(0, int(np.ceil(right * width)))] = 0
    return keep
