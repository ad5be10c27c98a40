"""Ego4D: `v2/full_scale/<uid>.mp4` with hand-and-object, forecasting and social annotations as JSON, gaze as CSV."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.grammar import NOUNS, VERBS
from ego.datasets.kitchen.layouts import _ego4d
from ego.datasets.kitchen.layouts._base import Layout, Record, actions, written
from ego.datasets.kitchen.shoot import Shoot, film_file

SPLITS = {"train": "train", "validation": "val", "test": "test_unannotated"}


class Ego4D(Layout):
    """Every video is one clip of itself; more of them have people than elsewhere."""

    social: ClassVar[float] = 0.7

    def name(self, film: Film) -> str:
        """The video's uid."""
        return str(uuid5(NAMESPACE_URL, f"ego-kitchen/{film.order.seed}/{film.order.index}"))

    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """The video, the clip cut from it (all of it) and its gaze."""
        video = film_file(root / "v2" / "full_scale" / f"{name}.mp4", shoot.film, shoot.frames())
        clip = root / "v2" / "clips" / f"{clip_uid(name)}.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.unlink(missing_ok=True)
        clip.hardlink_to(video)
        written(root / "v2" / "gaze" / f"{name}.csv", _ego4d.gaze(shoot.arrays, shoot.film.order.fps))

    def finish(self, records: Sequence[Record], root: Path) -> None:
        """All annotation files under `v2/annotations/`, and `ego4d.json`."""
        folder = root / "v2" / "annotations"
        for split, word in SPLITS.items():
            mine = [one for one in records if one["split"] == split]
            changes = [clip for one in mine for clip in _changes(one, word)]
            _json(folder / f"fho_oscc-pnr_{word}.json", {**_head(word), "clips": changes})
            _json(folder / f"fho_lta_{word}.json", {**_head(word), "clips": [c for one in mine for c in _plans(one)]})
            videos = [_ego4d.social(one, clip_uid(one["name"]), _arrays(root, one), word) for one in mine]
            _json(folder / f"av_{word}.json", {**_head(word), "videos": videos})
        _json(folder / "fho_lta_taxonomy.json", {"verbs": list(VERBS), "nouns": list(NOUNS)})
        _json(folder / "narration.json", {one["name"]: _ego4d.narrations(one) for one in records})
        _json(root / "ego4d.json", {**_head("all"), "videos": [_about(one) for one in records]})


def clip_uid(name: str) -> str:
    """The uid of the clip of a video."""
    return str(uuid5(NAMESPACE_URL, f"ego-kitchen/clip/{name}"))


def _arrays(root: Path, one: Record) -> truth.Arrays:
    return truth.load(root / "truth" / f"{one['name']}.npz")


def _json(path: Path, value: Any) -> None:
    written(path, json.dumps(value, indent=1) + "\n")


def _head(split: str) -> dict[str, str]:
    return {"version": "v1", "date": "", "description": "synthetic kitchen", "split": split}


def _about(one: Record) -> dict[str, Any]:
    width, height = one["size"]
    video = {"fps": one["fps"], "num_frames": one["frames"], "video_codec": "h264",
             "display_resolution_width": width, "display_resolution_height": height}  # fmt: skip
    return {"video_uid": one["name"], "duration_sec": one["frames"] / one["fps"], "scenarios": ["Cooking"],
            "video_metadata": video, "split_fho": SPLITS[one["split"]].partition("_")[0], "has_gaze": True}  # fmt: skip


def _changes(one: Record, split: str) -> list[dict[str, Any]]:
    """Windows of at most 8 s with exactly one point of no return, or with none."""
    points = [0.0, *(action.pnr for action in actions(one) if action.pnr is not None), one["frames"] / one["fps"]]
    found = []
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        found.append((max(before + 0.2, here - 5.0), min(after - 0.2, here + 3.0), here))
    for action in actions(one):
        if action.pnr is None:
            before = max(point for point in points if point <= action.start)
            after = min(point for point in points if point > action.start)
            found.append((max(before + 0.2, action.start - 2), min(after - 0.2, action.stop + 2), -1.0))
    windows = [(start, stop, pnr) for start, stop, pnr in sorted(found) if stop - start > 1.0]
    return [_change(one, number, window, split) for number, window in enumerate(windows)]


def _change(one: Record, number: int, window: tuple[float, float, float], split: str) -> dict[str, Any]:
    fps, (start, stop, pnr) = one["fps"], window
    first, last = round(start * fps), round(stop * fps)
    unique = str(uuid5(NAMESPACE_URL, f"{one['name']}/{number}"))
    seconds = {"parent_start_sec": first / fps, "parent_end_sec": last / fps}
    clip: dict[str, Any] = {"unique_id": unique, "video_uid": one["name"], **seconds,
                            "parent_start_frame": first, "parent_end_frame": last}  # fmt: skip
    if split == "test_unannotated":
        return clip
    if pnr < 0:
        return {**clip, "clip_uid": None, "state_change": False, "parent_pnr_frame": None, "clip_pnr_frame": None}
    return {
        **clip, "clip_uid": clip_uid(one["name"]), "clip_id": one["index"],
        "clip_start_sec": first / fps, "clip_end_sec": last / fps, "clip_start_frame": first, "clip_end_frame": last,
        "parent_pnr_frame": round(pnr * fps), "clip_pnr_frame": round(pnr * fps), "state_change": True,
    }  # fmt: skip


def _plans(one: Record) -> list[dict[str, Any]]:
    """The actions of a video in order, as forecasting wants them; test ones without their labels."""
    found, fps, end = [], one["fps"], one["frames"] / one["fps"]
    for number, action in enumerate(actions(one)):
        frames = (round(action.start * fps), round(action.stop * fps))
        clip: dict[str, Any] = {
            "video_uid": one["name"], "clip_uid": clip_uid(one["name"]), "clip_id": one["index"], "action_idx": number,
            "clip_parent_start_sec": 0.0, "clip_parent_end_sec": end, "clip_parent_start_frame": 0,
            "clip_parent_end_frame": one["frames"], "interval_start_sec": action.start, "interval_end_sec": action.stop,
            "interval_start_frame": frames[0], "interval_end_frame": frames[1], "action_clip_start_sec": action.start,
            "action_clip_end_sec": action.stop, "action_clip_start_frame": frames[0],
            "action_clip_end_frame": frames[1],
        }  # fmt: skip
        if one["split"] != "test":
            clip |= {"verb": action.verb, "noun": action.noun, "verb_label": VERBS.index(action.verb),
                     "noun_label": NOUNS.index(action.noun)}  # fmt: skip
        found.append(clip)
    return found
