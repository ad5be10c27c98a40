"""What lies beside the entries: small sealed JSON that saves work and explains, but never guards correctness.

A note that does not check is as good as none; `ego verify` names it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ego.cache.key import FeatureKey
from ego.cache.marker import MARKER, parse_key
from ego.cache.place import Folder
from ego.cache.sealed import Damage, seal, unseal
from ego.spec import Spec

VIDEOS = "notes/videos"
FAILURES = "notes/failures"


@dataclass(frozen=True)
class VideoNote:
    """A video as it was seen: `files` holds (name, bytes, mtime in nanoseconds) of each file with these bytes."""

    digest: str
    files: tuple[tuple[str, int, int], ...]
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it was first called."""
        return self.files[0][0]

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it was called."""
        return tuple(dict.fromkeys(name for name, _, _ in self.files))


@dataclass(frozen=True)
class Failure:
    """Why an entry could not be made, last time."""

    key: FeatureKey
    video: str
    error: str


class Notes:
    """The notes of one place."""

    def __init__(self, place: Folder) -> None:
        self._place = place

    def remember_video(self, note: VideoNote) -> None:
        """Adds a name to what is known of a video; of one name the last size and mtime are kept."""
        path = f"{VIDEOS}/{note.digest[:16]}.json"
        known = self._read(path)
        old = _video(known) if known is not None else None
        files = {name: (name, size, mtime) for name, size, mtime in (*(old.files if old else ()), *note.files)}
        merged = VideoNote(note.digest, tuple(files.values()), dict(note.facts))
        if merged != old:
            content = {"digest": note.digest, "files": [list(file) for file in merged.files], "facts": merged.facts}
            self._place.put(path, seal(content))

    def videos(self) -> dict[str, VideoNote]:
        """Every video noted, by digest."""
        found = [_video(content) for _, content in self._all(VIDEOS)]
        return {note.digest: note for note in found if note is not None}

    def remember_spec(self, spec: Spec) -> None:
        """Writes an extractor's full description beside its entries, once."""
        path = f"{FeatureKey(spec.name, spec.digest, '').group}/spec.json"
        if self._read(path) is None:
            self._place.put(path, seal({"digest": spec.digest, "spec": spec.describe()}))

    def spec(self, group: str) -> dict[str, Any] | None:
        """The description of the extractor whose entries lie in this group; None where none is noted."""
        content = self._read(f"{group}/spec.json")
        spec = content.get("spec") if content else None
        return spec if isinstance(spec, dict) else None

    def note_failure(self, failure: Failure) -> None:
        """Keeps why an entry could not be made."""
        key = failure.key
        fields = {"name": key.name, "extractor": key.extractor, "video": key.video, "signals": list(key.signals)}
        content = {"key": fields, "video": failure.video, "error": failure.error}
        self._place.put(f"{FAILURES}/{key.path}.json", seal(content))

    def forget_failure(self, key: FeatureKey) -> None:
        """Removes the note of a failure, if there is one."""
        path = f"{FAILURES}/{key.path}.json"
        if self._place.size(path) is not None:
            self._place.remove(path)

    def failed(self) -> Iterator[str]:
        """`group/entry` of every failure noted, from names alone."""
        for group in self._place.names(FAILURES) or []:
            for name in self._place.names(f"{FAILURES}/{group}") or []:
                if name.endswith(".json"):
                    yield f"{group}/{name.removesuffix('.json')}"

    def failures(self) -> dict[str, Failure]:
        """The failures that stand, by `group/entry`: those of entries made since are left out."""
        found = {}
        for path in self.failed():
            failure = _failure(self._read(f"{FAILURES}/{path}.json"))
            if failure is not None and self._place.size(f"{path}/{MARKER}") is None:
                found[path] = failure
        return found

    def _all(self, folder: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
        for name in sorted(self._place.names(folder) or []):
            yield name, self._read(f"{folder}/{name}")

    def _read(self, path: str) -> dict[str, Any] | None:
        try:
            return unseal(self._place.get(path))
        except (Damage, FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None


def _video(content: Mapping[str, Any] | None) -> VideoNote | None:
    try:
        files = [(str(name), int(size), int(mtime)) for name, size, mtime in content["files"]] if content else []
        return VideoNote(str(content["digest"]), tuple(files), dict(content["facts"])) if content and files else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _failure(content: Mapping[str, Any] | None) -> Failure | None:
    try:
        return Failure(parse_key(content["key"]), str(content["video"]), str(content["error"])) if content else None
    except (KeyError, TypeError, ValueError):
        return None
