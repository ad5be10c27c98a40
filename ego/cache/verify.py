"""Whether what is stored is still what was published, byte for byte; and setting aside what is not."""

import hashlib
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ego.cache.entry import check_bytes, read_marker
from ego.cache.listing import entry_name, group_name
from ego.cache.marker import MARKER, Marker
from ego.cache.notes import FAILURES, VIDEOS
from ego.cache.place import Folder
from ego.cache.sealed import Damage, unseal
from ego.errors import BadRequest
from ego.spec import canonical_json


@dataclass(frozen=True)
class Finding:
    """One thing looked at: an entry (`group/entry`) or a note, by its path in the store."""

    path: str
    ok: bool
    problem: str = ""
    video: str | None = None
    place: str = ""


def check_entry(place: Folder, path: str) -> Marker:
    """The marker of an entry of which every byte is as published; otherwise Damage says what is not."""
    marker = read_marker(place, path)
    if marker.spec is not None:
        digest = hashlib.sha256(canonical_json(dict(marker.spec)).encode()).hexdigest()
        if digest != marker.key.extractor:
            raise Damage(f"{MARKER}: its spec has the digest {digest[:16]}, its key says {marker.key.extractor[:16]}")
    try:
        found: set[str] = set(place.files(path)) - {MARKER}
        for names, what in ((set(marker.files) - found, "missing"), (found - set(marker.files), "not in the marker")):
            if names:
                raise Damage(f"{', '.join(sorted(names)[:3])} is {what}")
        for file, facts in marker.files.items():
            check_bytes(file, place.get(f"{path}/{file}"), facts)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Damage("it changed while it was read") from error
    return marker


def verify(
    place: Folder, part: tuple[int, int], paths: set[str] | None, watch: Callable[[int, int], None]
) -> Iterator[Finding]:
    """A finding for each entry and note of this part of the store, or only for the entries in `paths`.

    `watch(done, total)` is called before each.
    """
    number, parts = part
    if not 1 <= number <= parts:
        raise BadRequest(f"got part {number}/{parts}, expected 1 to {parts} of {parts}")
    found = _paths(place) if paths is None else sorted(paths)
    chosen = [path for path in found if zlib.crc32(path.encode()) % parts == number - 1]
    for done, path in enumerate(chosen):
        watch(done, len(chosen))
        yield _look(place, path)


def quarantine(place: Folder, path: str, judged: tuple[int, int]) -> str | None:
    """Sets the folder that was judged aside, under `quarantine/`, and says where; None where it is gone.

    Where a sound one took its place in between, that one is put back.
    """
    to = f"quarantine/{path}-{secrets.token_hex(4)}"
    if place.identity(path) != judged or not place.move(path, to):
        return None
    if place.identity(to) != judged:
        if not place.publish(place.root / to, path):
            place.remove(to)
        return None
    return to


def _look(place: Folder, path: str) -> Finding:
    video = None
    try:
        if path.endswith(".json"):
            _check_note(path, place.get(path))
        elif "/" in path and entry_name(path.split("/")[1]):
            video = check_entry(place, path).video_name
        else:
            raise Damage("it is no part of a store")
    except Damage as damage:
        return Finding(path, False, str(damage), video, str(place))
    except FileNotFoundError:
        return Finding(path, False, "it is missing", video, str(place))
    return Finding(path, True, "", video, str(place))


def _paths(place: Folder) -> Iterator[str]:
    """Every entry, every note, and what lies among the entries without being one."""
    for group in sorted(place.names() or []):
        if group_name(group):
            yield from (f"{group}/{name}" for name in sorted(place.names(group) or []))
    yield from (f"{VIDEOS}/{name}" for name in sorted(place.names(VIDEOS) or []))
    for group in sorted(place.names(FAILURES) or []):
        yield from (f"{FAILURES}/{group}/{name}" for name in sorted(place.names(f"{FAILURES}/{group}") or []))


def _check_note(path: str, data: bytes) -> None:
    content = unseal(data)
    folder, name = path.rsplit("/", 1)
    if name == "spec.json":
        digest = hashlib.sha256(canonical_json(content.get("spec")).encode()).hexdigest()
        if digest != content.get("digest") or not folder.endswith(f"-{digest[:16]}"):
            raise Damage("its description is not that of its folder")
    elif folder == VIDEOS and name != f"{str(content.get('digest'))[:16]}.json":
        raise Damage("it is about another video")
