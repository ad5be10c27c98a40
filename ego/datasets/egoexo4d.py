"""Ego-Exo4D (Grauman et al. 2024): takes seen through the wearer's glasses, keysteps, gaze beside each take."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.datasets._base import Annotation, Annotations, Dataset, Stated
from ego.datasets._json import Item, as_item, read_list, read_object
from ego.errors import BadRequest
from ego.signals.gaze import read_egoexo_gaze
from ego.video import Reading

FPS = 30.0
SPELLINGS = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Egoexo4d(Dataset):
    """The wearer's view of each take: whole `takes` (labels `scenario`, `task`) or their `keystep` segments (`step`).

    Files lie as the official client puts them: takes.json, annotations/ and takes/NAME/. `size` picks the
    full videos or those scaled down to 448. `gaze` is the model whose csv is read: `general`, or
    `personalized` where a take has it. Its rows are numbered at `gaze_rate` a second.
    """

    benchmark: Literal["takes", "keystep"] = "takes"
    splits_read: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation")
    size: Literal["full", "448"] = "full"
    gaze: Literal["general", "personalized"] = "general"
    gaze_rate: float = 10.0
    folder: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gaze_rate <= 0:
            raise BadRequest(f"got egoexo4d.gaze_rate = {self.gaze_rate:g}, expected rows a second above 0")

    def read(self, root: Path) -> Annotations:
        """All takes or keysteps of the splits asked for; takes that were dropped are left out."""
        clips: list[Annotation] = []
        splits: dict[str, tuple[int, ...]] = {}
        takes = _takes(root)
        dropped = 0
        for split in self.splits_read:
            first = len(clips)
            for take, found in self._split(root, split, takes):
                if take.values.get("is_dropped") is True:
                    dropped += 1
                else:
                    clips += found
            splits[split] = tuple(range(first, len(clips)))
        if not clips:
            raise BadRequest(f"no {self.benchmark} are left of {', '.join(self.splits_read)} in {root}")
        names = list(dict.fromkeys(clip.video for clip in clips))
        labels = ("scenario", "task") if self.benchmark == "takes" else ("step",)
        classes = {label: tuple(sorted({clip.labels[label] for clip in clips})) for label in labels}
        by_name = {take.text("take_name"): take for take in takes.values()}
        notes = (f"{dropped} takes were dropped by the authors and are left out",) if dropped else ()
        return Annotations(
            {name: self._path(root, by_name[name]) for name in names},
            classes,
            tuple(clips),
            {"": splits},
            stated={name: Stated(_seconds(by_name[name]), FPS) for name in names},
            notes=notes,
        )

    def signals(self) -> tuple[str, ...]:
        """Gaze."""
        return ("gaze",)

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The gaze of a take; none where it has no csv of the model."""
        place = root / (self.folder or "takes") / video / "eye_gaze"
        path = place / f"{self.gaze}_eye_gaze_2d.csv"
        return {"gaze": read_egoexo_gaze(path, rate=self.gaze_rate)} if path.is_file() else {}

    def _split(self, root: Path, split: str, takes: dict[str, Item]) -> Iterator[tuple[Item, list[Annotation]]]:
        """(take, its annotations) of one split."""
        word = SPELLINGS[split]
        if self.benchmark == "takes":
            path = root / "annotations/splits.json"
            for place, uid in enumerate(_uids(path, word)):
                take = _take(takes, uid, f"{path.name}, split_to_take_uids.{word}[{place}]")
                labels = {"scenario": take.text("parent_task_name"), "task": take.text("task_name")}
                yield take, [Annotation(take.text("take_name"), (), labels, source=take.source)]
            return
        path = root / f"annotations/keystep_{word}.json"
        found = read_object(path).item("annotations")
        for uid, value in found.values.items():
            item = as_item(value, f"{path.name}, annotations.{uid}")
            take = _take(takes, uid, item.source)
            yield take, [self._step(take, one) for one in item.items("segments")]

    def _step(self, take: Item, one: Item) -> Annotation:
        span = one.span("start_time", "end_time")
        return Annotation(take.text("take_name"), (span,), {"step": one.text("step_name")}, source=one.source)

    def _path(self, root: Path, take: Item) -> Path:
        """The wearer's RGB video: as takes.json says, else by the name that such files have."""
        place = root / (self.folder or "takes") / take.text("take_name")
        name = f"{_wearer(take)}_214-1.mp4"
        folder = place / "frame_aligned_videos"
        return folder / "downscaled/448" / name if self.size == "448" else folder / name


def _takes(root: Path) -> dict[str, Item]:
    """Every take by its uid; one uid or name twice is a BadRequest."""
    found: dict[str, Item] = {}
    names: set[str] = set()
    for item in read_list(root / "takes.json", "takes"):
        uid, name = item.text("take_uid"), item.text("take_name")
        if uid in found or name in names:
            raise BadRequest(f"{item.source}: got the take {name!r} ({uid}) a second time")
        found[uid] = item
        names.add(name)
    return found


def _take(takes: dict[str, Item], uid: str, source: str) -> Item:
    if uid not in takes:
        raise BadRequest(f"{source}: got the take {uid!r}, which takes.json does not have")
    return takes[uid]


def _uids(path: Path, word: str) -> list[str]:
    """The takes of a split."""
    item = read_object(path).item("split_to_take_uids")
    found = item.values.get(word)
    if not isinstance(found, list):
        raise BadRequest(f"{path.name}: got {found!r:.80} as split_to_take_uids.{word}, expected a list of takes")
    return [str(uid) for uid in found]


def _wearer(take: Item) -> str:
    """The name of the glasses' camera; `aria01` where takes.json does not tell."""
    cameras = take.values.get("frame_aligned_videos")
    names = sorted(cameras) if isinstance(cameras, dict) else []
    return next((name for name in names if name.startswith("aria")), "aria01")


def _seconds(take: Item) -> float:
    return take.number("duration_sec") if take.has("duration_sec") else 0.0
