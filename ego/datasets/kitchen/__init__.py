"""A synthetic kitchen where everything is known: videos drawn by `ego synth kitchen`, read with their truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.datasets._base import Annotations, Dataset
from ego.datasets.folder import Folder
from ego.errors import BadRequest
from ego.signals.boxes import Boxed, face_tracks, hand_boxes
from ego.video import Reading


@dataclass(frozen=True)
class Kitchen(Dataset):
    """The videos of `ego synth kitchen --layout folder`: clips with `verb` and `noun`, and every truth as a reading.

    Test videos show cooks, sleeves, lights and kitchens that no other video shows.
    """

    def read(self, root: Path) -> Annotations:
        """All clips of `annotations.csv` with their splits; an empty cell is no label."""
        if not (root / "annotations.csv").is_file():
            raise BadRequest(
                f"{root} holds no annotations.csv; draw a world with ego synth kitchen --out DIR --layout folder"
            )
        labels, none = ("verb", "noun"), ("",)
        return Folder(csv="annotations.csv", folder="videos", labels=labels, unlabelled=none, split="column").read(root)

    def signals(self) -> tuple[str, ...]:
        """All that is known of every frame."""
        return ("gaze", "hands", "hand_boxes", "objects", "faces", "face_tracks", "segments")

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """`gaze`, `hands`, `objects`, `faces` and `segments` of a video, one row a frame or action.

        Points and boxes are fractions of the frame; what is out of sight is NaN. `hand_boxes` and `face_tracks`
        say the same as files of boxes do, one row a box. A truth file that is not there is a BadRequest.
        """
        path = root / "truth" / f"{Path(video).name}.npz"
        if not path.is_file():
            raise BadRequest(f"{path} is not there; run the same ego synth kitchen again to complete the world")
        with np.load(path, allow_pickle=False) as truth:
            seconds = np.repeat(truth["seconds"][:, None], 2, 1)
            size = truth["size"].astype(float)
            whole = np.tile(size, 2)
            spans = truth["segments"]
            return {
                "gaze": Reading("gaze", seconds, {"point": truth["gaze"], "type": truth["gaze_type"]}),
                "hands": Reading("hands", seconds, {
                    "boxes": truth["hand_boxes"] / whole, "points": truth["hand_points"] / size,
                    "visible": truth["hand_visible"],
                }),
                "hand_boxes": hand_boxes(_boxed(truth["hand_boxes"] / whole), _rate(truth["seconds"])),
                "face_tracks": face_tracks(_boxed(truth["face_boxes"] / whole), _rate(truth["seconds"])),
                "objects": Reading("objects", seconds, {
                    "boxes": truth["object_boxes"] / whole, "held": truth["object_held"],
                }),
                "faces": Reading("faces", seconds, {
                    "boxes": truth["face_boxes"] / whole, "looking": truth["face_looking"],
                    "talking": truth["face_talking"], "to_wearer": truth["face_to_wearer"],
                }),
                "segments": Reading("segments", spans[:, :2], {
                    "classes": truth["segment_classes"], "pnr_seconds": spans[:, 2],
                }),
            }  # fmt: skip


def _boxed(boxes: NDArray[np.float64]) -> list[Boxed]:
    """The boxes (frames, subjects, 4) that are in sight; a subject is a side and a track."""
    there = np.isfinite(boxes).all(axis=2)
    return [
        Boxed(int(frame), (box[0], box[1], box[2], box[3]), 1.0, int(subject), int(subject))
        for frame, subject in np.argwhere(there)
        for box in [boxes[frame, subject].tolist()]
    ]


def _rate(seconds: NDArray[np.float64]) -> float:
    return 1.0 / float(seconds[1] - seconds[0]) if len(seconds) > 1 else 1.0
