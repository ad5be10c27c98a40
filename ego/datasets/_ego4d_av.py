"""Ego4D's audio-visual and social annotations: who looks at the wearer, talks to them, speaks at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.datasets._ego4d_fho import CHANGE, Found, Sample
from ego.datasets._json import LARGEST, Item, read_list
from ego.errors import BadRequest
from ego.video import Reading

FPS = 30.0
"""Every clip and canonical video of Ego4D."""

NECK = 3
"""Frames on either side of a key frame that a sample of looking sees."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face's track: its number in the video, the person, a box a frame in pixels (left, top, right, bottom)."""

    number: int
    person: str
    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AvClip:
    """An annotated clip: the video it lies in (itself, where clips are cut out), its object and its faces."""

    video: str
    item: Item
    faces: tuple[Face, ...]

    def spans(self, key: str, clips: bool) -> list[tuple[str, tuple[float, float], tuple[int, int], Item]]:
        """(person, seconds, first and last frame, object) of each segment with a person under a key."""
        found = []
        for one in self.item.items(key):
            person = _person(one, "person")
            if person:
                side = "" if clips else "video_"
                span = one.span(f"{side}start_time", f"{side}end_time")
                frames = (one.whole(f"{side}start_frame"), one.whole(f"{side}end_frame"))
                found.append((person, span, frames, one))
        return found


def av_clips(path: Path, clips: bool) -> Iterator[AvClip]:
    """The clips of an `av_*.json` with their faces, numbered through each video in the order of the file."""
    numbers: dict[str, int] = {}
    for video in read_list(path, "videos"):
        for item in video.items("clips"):
            if item.values.get("valid") is False:
                continue
            name = item.text("clip_uid") if clips else video.text("video_uid")
            faces = []
            for person in item.items("persons"):
                for track in person.items("tracking_paths"):
                    if "visual_anchor" not in str(track.values.get("track_id", "")):
                        face = _face(track, numbers.get(name, 0), _person(person, "person_id"), clips)
                        numbers[name] = face.number + 1
                        faces.append(face)
            yield AvClip(name, item, tuple(faces))


def looking(path: Path, clips: bool, every: int) -> Found:
    """Seven frames around every `every`-th frame of a face's track; `looking` is whether at the wearer just then."""
    found = Found()
    for clip in av_clips(path, clips):
        labelled = "social_segments_looking" in clip.item.values
        spans = [(who, frames) for who, _, frames, _ in clip.spans("social_segments_looking", clips)]
        for face in clip.faces:
            mine = [frames for who, frames in spans if who == face.person]
            for frame in face.frames[::every].tolist() if face.person else ():
                seen = any(first <= frame <= last for first, last in mine)
                part = (max(0, frame - NECK) / FPS, (frame + NECK + 1) / FPS)
                labels = {"looking": CHANGE[seen]} if labelled else {}
                found.samples.append(Sample(clip.video, (part,), dict(labels), clip.item.source, face.number))
    return found


def talking(path: Path, clips: bool) -> Found:
    """The segments in which somebody else talks; `talking` is whether to the wearer (a target is given).

    The track is the face of that person that is in sight for most of the segment, none where it is out of sight.
    """
    found = Found()
    for clip in av_clips(path, clips):
        for who, span, (first, last), one in clip.spans("social_segments_talking", clips):
            if who == "0":
                continue
            sight = {
                face.number: int(((face.frames >= first) & (face.frames <= last)).sum())
                for face in clip.faces
                if face.person == who
            }
            best = max(sight, key=lambda number: sight[number], default=None)
            track = best if best is not None and sight[best] else None
            labels = {"talking": CHANGE[one.has("target")]}
            found.samples.append(Sample(clip.video, (span,), dict(labels), one.source, track))
    return found


def speaking(path: Path, clips: bool, most: int) -> Found:
    """Pieces of at most `most` frames of each face's track; `speaking` holds 0 or 1 for each of its frames."""
    found = Found()
    for clip in av_clips(path, clips):
        voices: dict[str, list[tuple[int, int]]] = {}
        side = "" if clips else "video_"
        for person in clip.item.items("persons"):
            some = [
                (one.whole(f"{side}start_frame"), one.whole(f"{side}end_frame"))
                for one in person.items("voice_segments")
            ]
            voices.setdefault(_person(person, "person_id"), []).extend(some)
        for face in clip.faces:
            for start in range(0, len(face.frames), most):
                piece = face.frames[start : start + most]
                heard = np.zeros(len(piece), np.int64)
                for first, last in voices.get(face.person, ()):
                    heard[(piece >= first) & (piece <= last)] = 1
                part = (float(piece[0]) / FPS, float(piece[-1] + 1) / FPS)
                labels = {"speaking": tuple(heard.tolist())}
                found.samples.append(Sample(clip.video, (part,), dict(labels), clip.item.source, face.number))
    return found


@lru_cache(maxsize=4)
def faces_by_video(path: Path, _changed: int, clips: bool) -> dict[str, list[Face]]:
    """The faces of each video of an `av_*.json`, kept while the file is unchanged."""
    found: dict[str, list[Face]] = {}
    for clip in av_clips(path, clips):
        found.setdefault(clip.video, []).extend(face for face in clip.faces if len(face.frames))
    return found


def faces_reading(faces: Sequence[Face], size: tuple[int, int]) -> Reading:
    """Faces as a reading of kind `boxes`: `box` in fractions of the frame, `track` the face's number.

    `size` is the picture's (width, height); there is at least one face.
    """
    frames = np.concatenate([face.frames for face in faces])
    boxes = np.concatenate([face.boxes for face in faces]) / np.tile(np.asarray(size, np.float64), 2)
    tracks = np.concatenate([np.full(len(face.frames), face.number, np.int64) for face in faces])
    order = np.lexsort((tracks, frames))
    seconds = np.stack([frames, frames + 1], axis=1)[order] / FPS
    return Reading("boxes", seconds, {"box": np.clip(boxes[order], 0.0, 1.0), "track": tracks[order]})


def _face(track: Item, number: int, person: str, clips: bool) -> Face:
    """A track with its boxes in the order of frames; empty boxes and frame 0 are left out, as in the release."""
    values = track.values.get("track")
    key = "frame" if clips else "video_frame"
    rows: dict[int, tuple[float, float, float, float]] = {}
    for place, one in enumerate(values if isinstance(values, list) else []):
        try:
            frame, x, y = int(one[key]), max(0.0, float(one["x"])), max(0.0, float(one["y"]))
            if frame >= LARGEST:
                raise ValueError(frame)
            width, height = float(one["width"]), float(one["height"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadRequest(
                f"{track.source}.track[{place}]: got {one!r:.80}, expected x, y, width, height and {key} as numbers"
            ) from error
        if width > 0 and height > 0 and frame > 0:
            rows[frame] = (x, y, x + width, y + height)
    frames = sorted(rows)
    boxes = np.array([rows[frame] for frame in frames], np.float64).reshape(-1, 4)
    return Face(number, person, np.array(frames, np.int64), boxes)


def _person(item: Item, key: str) -> str:
    """A person's id without stray quotes; null is nobody."""
    value = item.values.get(key)
    return "" if value is None else str(value).strip().strip("'\"")
