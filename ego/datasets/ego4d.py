"""Ego4D (Grauman et al. 2022) and GoalStep (Song et al. 2023): the benchmarks that speak of seconds of one video."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.datasets import _ego4d_av as av
from ego.datasets import _ego4d_fho as fho
from ego.datasets import _ego4d_text as words
from ego.datasets._base import Annotation, Annotations, Dataset, Stated
from ego.datasets._json import Item, index
from ego.errors import BadRequest
from ego.signals.gaze import read_ego4d_gaze, shifted
from ego.video import Reading

Split = Literal["train", "validation", "test"]
Benchmark = Literal["oscc", "pnr", "ar", "lta", "lam", "ttm", "asd", "narrations", "goalstep"]
FILES: Mapping[str, tuple[str, ...]] = {
    "oscc": ("fho_oscc-pnr_{split}.json",),
    "pnr": ("fho_oscc-pnr_{split}.json",),
    "ar": ("fho_lta_{split}.json",),
    "lta": ("fho_lta_{split}.json",),
    "lam": ("av_{split}.json",),
    "ttm": ("av_{split}.json",),
    "asd": ("av_{split}.json",),
    "narrations": ("narration.json", "narrations.json", "all_narrations_redacted.json"),
    "goalstep": ("goalstep_{split}.json",),
}
SPELLINGS = {"train": ("train",), "validation": ("val", "valid"), "test": ("test_unannotated", "test")}
LABELS = {"oscc": "state_change", "lam": "looking", "ttm": "talking"}
SOCIAL = ("lam", "ttm", "asd")


@dataclass(frozen=True)
class Ego4d(Dataset):
    """One `benchmark` of Ego4D on full-scale videos or on the clips cut out of them.

    `oscc` and `pnr` (8 s pieces, labels `state_change`, `pnr`), `ar` (actions, `verb`, `noun`), `lta`
    (`seen` actions, then the `ahead` next `verbs` and `nouns`), `lam` (faces, `looking`), `ttm`
    (`talking`), `asd` (`speaking`, frame by frame), `narrations` (`text`) and `goalstep` (`step`, `goal`
    at a `level`). Files lie as the official client puts them: RELEASE/annotations, RELEASE/full_scale or
    RELEASE/clips, RELEASE/gaze and ego4d.json; `annotations` and `folder` say otherwise.
    """

    benchmark: Benchmark
    release: Literal["v1", "v2", "v2_1"] = "v2"
    videos_are: Literal["full_scale", "clips"] = "full_scale"
    splits_read: tuple[Split, ...] = ("train", "validation")
    annotations: str = ""
    folder: str = ""
    gaze: str = ""
    seen: int = 2
    ahead: int = 20
    drop_last: bool = False
    key_frames: int = 13
    piece_frames: int = 300
    level: Literal["step", "substep"] = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        least = min(self.seen, self.ahead, self.key_frames, self.piece_frames)
        if least < 1:
            raise BadRequest(f"got {least} as one of ego4d's seen, ahead, key_frames, piece_frames, expected 1 or more")
        if self._clips and self.benchmark in ("narrations", "goalstep"):
            raise BadRequest(f"got videos_are = 'clips' for {self.benchmark}, which speaks of full-scale videos")

    def read(self, root: Path) -> Annotations:
        """The samples of the splits asked for."""
        place = root / (self.annotations or f"{self.release}/annotations")
        classes = fho.read_taxonomy(place / "fho_lta_taxonomy.json") if self.benchmark in ("ar", "lta") else {}
        samples: list[fho.Sample] = []
        splits: dict[str, tuple[int, ...]] = {}
        uncut = 0
        for split in ("train",) if self.benchmark == "narrations" else self.splits_read:
            found = self._found(self._file(place, split), classes)
            splits[split] = tuple(range(len(samples), len(samples) + len(found.samples)))
            samples += found.samples
            uncut += found.uncut
        if not samples:
            raise BadRequest(f"no sample of {self.benchmark} is left of {', '.join(self.splits_read)} in {place}")
        notes = [f"{uncut} annotations lie in no clip that is cut out and are left out"] if uncut else []
        return self._annotations(root, samples, splits, classes, notes)

    def published(self) -> Mapping[str, int]:
        """Counts of the taxonomies, and of the validation pieces of state changes."""
        names = (115, 478) if self.release == "v1" else (117, 521)
        counts = {"ar": dict(zip(("verb classes", "noun classes"), names, strict=True))}
        counts["lta"] = dict(zip(("verbs classes", "nouns classes"), names, strict=True))
        if "validation" in self.splits_read and not self._clips:
            counts["oscc"] = {"validation clips": 28348}
        return counts.get(self.benchmark, {})

    def signals(self) -> tuple[str, ...]:
        """Gaze; of the social benchmarks face boxes too."""
        return ("gaze", "boxes") if self.benchmark in SOCIAL else ("gaze",)

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """Gaze of the videos that have it, and the faces of the social benchmarks, on the video's or clip's clock."""
        readings = {}
        piece = self._facts(root, "clips", video) if self._clips else None
        if not self._clips or piece is not None:
            uid = piece.text("video_uid") if piece else video
            path = root / (self.gaze or f"{self.release}/gaze") / f"{uid}.csv"
            if path.is_file():
                gaze = read_ego4d_gaze(path)
                span = piece.span("video_start_sec", "video_end_sec") if piece else None
                readings["gaze"] = shifted(gaze, *span) if span else gaze
        if self.benchmark in SOCIAL:
            faces = self._faces(root, video)
            readings |= {"boxes": faces} if faces else {}
        return readings

    @property
    def _clips(self) -> bool:
        return self.videos_are == "clips"

    def _file(self, place: Path, split: str) -> Path:
        """The annotation file of a split, under one of the names that releases give it."""
        names = [name.format(split=word) for name in FILES[self.benchmark] for word in SPELLINGS[split]]
        return next((place / name for name in names if (place / name).exists()), place / names[0])

    def _found(self, path: Path, classes: dict[str, tuple[str, ...]]) -> fho.Found:
        if self.benchmark in ("oscc", "pnr"):
            return fho.state_changes(path, self._clips, only_changes=self.benchmark == "pnr")
        if self.benchmark == "ar":
            return fho.actions(path, self._clips, classes)
        if self.benchmark == "lta":
            return fho.anticipations(path, self._clips, classes, self.seen, self.ahead, self.drop_last)
        if self.benchmark == "lam":
            return av.looking(path, self._clips, self.key_frames)
        if self.benchmark == "ttm":
            return av.talking(path, self._clips)
        if self.benchmark == "asd":
            return av.speaking(path, self._clips, self.piece_frames)
        return words.narrations(path) if self.benchmark == "narrations" else words.steps(path, self.level)

    def _annotations(
        self,
        root: Path,
        samples: list[fho.Sample],
        splits: dict[str, tuple[int, ...]],
        taxonomy: dict[str, tuple[str, ...]],
        notes: list[str],
    ) -> Annotations:
        classes = {f"{label}s": names for label, names in taxonomy.items()} if self.benchmark == "lta" else taxonomy
        if self.benchmark in LABELS:
            classes = {LABELS[self.benchmark]: fho.CHANGE}
        if self.benchmark == "goalstep":
            seen = {label: {one.labels[label] for one in samples if label in one.labels} for label in ("step", "goal")}
            classes = {label: tuple(sorted(names)) for label, names in seen.items() if names}
        clips = tuple(Annotation(one.video, one.parts, one.labels, one.track, one.source) for one in samples)
        names = list(dict.fromkeys(one.video for one in samples))
        folder = root / (self.folder or f"{self.release}/{self.videos_are}")
        return Annotations(
            {name: folder / f"{name}.mp4" for name in names},
            classes,
            clips,
            {"": splits},
            stated=dict.fromkeys(names, Stated(fps=av.FPS)),
            within_videos=True,
            notes=tuple(notes),
        )

    def _metadata(self, root: Path) -> Path:
        places = [root / self.release / "ego4d.json", root / "ego4d.json"]
        return next((path for path in places if path.exists()), places[0])

    def _facts(self, root: Path, what: Literal["videos", "clips"], uid: str) -> Item | None:
        """What ego4d.json says of a video or clip; None where the file is not there or does not know it."""
        path = self._metadata(root)
        if not path.exists():
            return None
        key = "clip_uid" if what == "clips" else "video_uid"
        return index(path, path.stat().st_mtime_ns, what, key).get(uid)

    def _faces(self, root: Path, video: str) -> Reading | None:
        """Face boxes as fractions of the picture, whose size only ego4d.json tells."""
        place = root / (self.annotations or f"{self.release}/annotations")
        for split in self.splits_read:
            path = self._file(place, split)
            faces = av.faces_by_video(path, path.stat().st_mtime_ns, self._clips).get(video)
            if faces:
                facts = self._facts(root, "clips" if self._clips else "videos", video)
                if facts is None:
                    raise BadRequest(
                        f"{self._metadata(root)} does not tell the picture size of {video!r}, without which its face "
                        "boxes (in pixels) mean nothing; put ego4d.json there"
                    )
                about = facts.item("clip_metadata" if self._clips else "video_metadata")
                size = (about.whole("display_resolution_width"), about.whole("display_resolution_height"))
                return av.faces_reading(faces, size)
        return None
