"""Parts of Ego4D's files that take more than a line: gaze, narrations, people who look and talk."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen.layouts._base import Record, actions
from ego.datasets.kitchen.paths import TRUNCATED, UNTRACKED
from ego.datasets.kitchen.truth import Arrays

EYES = [f"{part}_{axis}" for part in ("gaze_point_3d", "eye_center0_3d", "gaze_normal0", "eye_center1_3d",
                                      "gaze_normal1") for axis in "xyz"]  # fmt: skip
COLUMNS = ["component_idx", "component_timestamp_s", "canonical_timestamp_s", "world_index", "confidence",
           "norm_pos_x", "norm_pos_y", "base_data", *EYES]  # fmt: skip


def gaze(known: Arrays, fps: float) -> str:
    """One row a frame; the origin is at the bottom left, an eye that is not tracked has no confidence."""
    rows = [",".join(COLUMNS)]
    for index, ((x, y), kind) in enumerate(zip(known["gaze"], known["gaze_type"], strict=True)):
        second = index / fps
        there = f"1.0,{x},{1 - y}" if kind not in (UNTRACKED, TRUNCATED) else "0.0,0.0,0.0"
        rows.append(f"0,{second},{second},{index}.0,{there}," + "," * len(EYES))
    return "\n".join(rows) + "\n"


def narrations(one: Record) -> dict[str, Any]:
    """What a narrator says of each action."""
    said = [
        {"timestamp_sec": action.start, "timestamp_frame": round(action.start * one["fps"]),
         "narration_text": f"#C C {action.verb.replace('-', ' ')}s the {action.noun}"}
        for action in actions(one)
    ]  # fmt: skip
    return {"narration_pass_1": {"narrations": said, "summaries": []}, "status": "complete"}


def social(one: Record, clip_uid: str, known: Arrays, split: str) -> dict[str, Any]:
    """One video with its clip: face tracks, who looks at the wearer, who talks to whom; none of it for a test video."""
    end, frames = one["frames"] / one["fps"], one["frames"]
    whole = {
        "clip_uid": clip_uid, "source_clip_uid": clip_uid, "video_uid": one["name"], "video_start_sec": 0.0,
        "video_end_sec": end, "video_start_frame": 0, "video_end_frame": frames, "clip_start_sec": 0.0,
        "clip_end_sec": end, "clip_start_frame": 0, "clip_end_frame": frames, "valid": True,
    }  # fmt: skip
    if split == "test_unannotated":
        return {"video_uid": one["name"], "split": split, "clips": [whole]}
    people = [_person(person, number, one, known) for number, person in enumerate(one["people"])]
    looking = [span for number, person in enumerate(one["people"]) for span in _looks(person, number, one, known)]
    talking = [
        {
            **_span(start, stop, one["fps"]),
            "person": person["name"],
            "target": "0" if to_me else None,
            "is_at_me": to_me,
        }
        for person in one["people"]
        for start, stop, to_me in person["turns"]
    ]
    return {"video_uid": one["name"], "split": split, "clips": [{
        **whole, "camera_wearer": {"person_id": "0", "camera_wearer": True, "voice_segments": []}, "persons": people,
        "missing_voice_segments": [], "transcriptions": [], "social_segments_looking": looking,
        "social_segments_talking": sorted(talking, key=lambda one: one["start_time"]),
    }]}  # fmt: skip


def _span(start: float, stop: float, fps: float) -> dict[str, Any]:
    first, last = round(start * fps), round(stop * fps)
    return {
        "start_time": start, "end_time": stop, "start_frame": first, "end_frame": last, "video_start_time": start,
        "video_end_time": stop, "video_start_frame": first, "video_end_frame": last,
    }  # fmt: skip


def _person(person: Any, number: int, one: Record, known: Arrays) -> dict[str, Any]:
    tracks: list[dict[str, Any]] = []
    for first, last in _runs(np.asarray(np.isfinite(known["face_boxes"][:, number]).all(1))):
        boxes = [
            {"x": float(left), "y": float(top), "width": float(right - left), "height": float(bottom - top),
             "frame": first + index, "video_frame": first + index, "clip_frame": None}
            for index, (left, top, right, bottom) in enumerate(known["face_boxes"][first:last, number])
        ]  # fmt: skip
        tracks.append({"track_id": f"{person['name']}_{len(tracks)}", "track": boxes, "suspect": False,
                       "unmapped_frames_count": 0, "unmapped_frames": []})  # fmt: skip
    voices = [{**_span(start, stop, one["fps"]), "person": person["name"]} for start, stop, _ in person["turns"]]
    return {"person_id": person["name"], "camera_wearer": False, "tracking_paths": tracks, "voice_segments": voices}


def _looks(person: Any, number: int, one: Record, known: Arrays) -> list[dict[str, Any]]:
    return [
        {**_span(first / one["fps"], last / one["fps"], one["fps"]), "person": person["name"], "target": None,
         "is_at_me": True}
        for first, last in _runs(known["face_looking"][:, number])
    ]  # fmt: skip


def _runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and one past the last of each stretch of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(last)
