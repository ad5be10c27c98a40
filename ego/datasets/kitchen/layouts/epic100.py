"""EPIC-KITCHENS-100: `EPIC-KITCHENS/P01/videos/P01_101.MP4`, new videos at 50 frames a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.layouts import _epic
from ego.datasets.kitchen.layouts._base import Layout, Record
from ego.datasets.kitchen.shoot import Shoot, film_file

TIMES = "start_timestamp,stop_timestamp,start_frame,stop_frame"
HEAD = "narration_id,participant_id,video_id,narration_timestamp"
WORDS = "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"


class EPIC100(Layout):
    """Train and validation labels, test times alone."""

    fps: ClassVar[float] = 50.0

    def name(self, film: Film) -> str:
        """`P01_107`: participant and number of the video."""
        return f"{film.cast.subject.name}_{film.order.index + 101:03d}"

    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """The video, in the folder of its participant."""
        film_file(root / "EPIC-KITCHENS" / name[:3] / "videos" / f"{name}.MP4", shoot.film, shoot.frames())

    def finish(self, records: Sequence[Record], root: Path) -> None:
        """The three tables of segments, the classes and the videos under `annotations/`."""
        folder = root / "annotations"
        for split in ("train", "validation", "test"):
            lines = []
            for one, number, action in _epic.labelled(records, (split,)):
                said = _epic.clock(max(0.0, action.start - 0.2), 3)
                head = f"{one['name']}_{number},{one['subject']},{one['name']},{said}"
                times = ",".join(map(str, _epic.span(action, 50)))
                label = f",{_epic.narration(action)},{_epic.words(action, 0)}" if split != "test" else ""
                lines.append(f"{head},{times}{label}")
            file = "EPIC_100_test_timestamps.csv" if split == "test" else f"EPIC_100_{split}.csv"
            _epic.table(folder / file, f"{HEAD},{TIMES}" + (f",{WORDS}" if split != "test" else ""), lines)
        _epic.classes(folder, "EPIC_100_", ("id", "instances"), 0)
        about = [
            f"{one['name']},{one['frames'] / one['fps']:.6f},{one['fps']:g},{one['size'][0]}x{one['size'][1]}"
            for one in records
        ]
        _epic.table(folder / "EPIC_100_video_info.csv", "video_id,duration,fps,resolution", about)
