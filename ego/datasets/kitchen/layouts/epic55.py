"""EPIC-KITCHENS-55: `videos/{train,test}/P01/P01_01.MP4` at 59.94 frames a second, frames counted as if at 60."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.layouts import _epic
from ego.datasets.kitchen.layouts._base import Layout, Record
from ego.datasets.kitchen.shoot import Shoot, film_file

LABELS = (
    "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
)
TIMES = "uid,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame"


class EPIC55(Layout):
    """Validation videos are of P30 and P31, as is usual; test videos of participants without labels."""

    fps: ClassVar[float] = 60000 / 1001

    def subject(self, index: int) -> str:
        """Train P01 to P08, validation P30 and P31, test P09, P11, P18 and P32."""
        split, turn = self.split(index), index // 5
        if split == "train":
            return f"P{1 + (index * 3) % 8:02d}"
        return ("P30", "P31")[turn % 2] if split == "validation" else ("P09", "P11", "P18", "P32")[turn % 4]

    def name(self, film: Film) -> str:
        """`P01_07`: participant and number of the video."""
        return f"{film.cast.subject.name}_{film.order.index + 1:02d}"

    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """The video, in the folder of its part."""
        part = "test" if shoot.film.order.split == "test" else "train"
        film_file(root / "videos" / part / name[:3] / f"{name}.MP4", shoot.film, shoot.frames())

    def finish(self, records: Sequence[Record], root: Path) -> None:
        """The label, test, class and video tables under `annotations/`."""
        lines, unlabelled = [], []
        for uid, (one, _, action) in enumerate(_epic.labelled(records, ("train", "validation", "test"))):
            start, stop, first, last = _epic.span(action, 60)
            head = f"{uid},{one['subject']},{one['name']}"
            times = f"{start},{stop},{first},{last}"
            if one["split"] == "test":
                unlabelled.append(f"{head},{times}")
            else:
                lines.append(f"{head},{_epic.narration(action)},{times},{_epic.words(action, 1)}")
        folder = root / "annotations"
        _epic.table(folder / "EPIC_train_action_labels.csv", LABELS, lines)
        _epic.table(folder / "EPIC_test_s1_timestamps.csv", TIMES, [])
        _epic.table(folder / "EPIC_test_s2_timestamps.csv", TIMES, unlabelled)
        _epic.classes(folder, "EPIC_", ("", ""), 1)
        about = [
            f"{one['name']},{one['size'][0]}x{one['size'][1]},{one['frames'] / one['fps']:.6f},{one['fps']:.13f}"
            for one in records
        ]
        _epic.table(folder / "EPIC_video_info.csv", "video,resolution,duration,fps", about)
