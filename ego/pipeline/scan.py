"""From paths to videos: which files are meant, what their bytes are, what their containers claim."""

import glob
import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BadVideo
from ego.media.frames import folder_stamp, list_frames
from ego.spec import canonical_json
from ego.video import VIDEO_SUFFIXES, Header, Video

HASH_BLOCK_BYTES = 16 * 2**20
"""Read rather than mapped: the pages of a mapped file count as this program's memory."""
NAMING_PARTS = 3
"""How many of its last folders name a folder of pictures: a clip may well be called `1`."""


@dataclass(frozen=True)
class Failure:
    """A path that is no usable video, and why; `digest` is known where its bytes could be read."""

    path: str
    name: str
    error: str
    digest: str | None = None


class Prober(Protocol):
    """What reads a container's claims, as `ego.media.decode.Decoder` does."""

    def probe(self, path: str, rate: float = 0.0) -> Header:
        """The header of a video file, or of a folder of pictures at that rate, or BadVideo."""


def find_videos(arguments: Sequence[str]) -> list[Path]:
    """The video files meant by files, folders (searched throughout), globs and `.txt` lists, in order.

    A list holds one path a line, relative to where the list lies. Nothing found is a BadRequest.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        found.update(dict.fromkeys(_expand(argument)))
    if not found:
        raise BadRequest(
            f"got no video in {', '.join(arguments) or 'an empty list'}; name files, folders or a list (a folder of "
            "pictures is a video where --fps or a data set says how many a second)"
        )
    return list(found)


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        return [Path(file) for file in sorted(files) if _split(file)[1].lower() in VIDEO_SUFFIXES]
    if path.suffix.lower() == ".txt" and path.is_file():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise BadRequest(f"got {argument!r}, which is not UTF-8 text; expected one video path a line") from error
        return [path.parent / line.strip() for line in lines if line.strip()]
    if not path.exists() and glob.has_magic(argument):
        matches = [Path(match) for match in sorted(glob.glob(argument, recursive=True))]
        if not matches:
            raise BadRequest(f"got {argument!r}, which matches no file")
        return matches
    return [path]


def scan(
    paths: Iterable[Path | str],
    decoder: Prober,
    *,
    store: FeatureStore | None = None,
    rehash: bool = False,
    rates: Mapping[str, float] | None = None,
) -> Iterator[Video | Failure]:
    """One Video or Failure for each path, in order: hashed and probed once, remembered after that.

    A file is trusted by path, size and mtime on this machine, and by name, size and mtime where a
    colleague wrote them into the store; `rehash` reads every byte again. `rates` gives the pictures a
    second of those paths (absolute) that are folders of numbered pictures.
    """
    with Memory() as memory:
        known = {} if rehash else memory.all()
        notes: dict[tuple[str, int, int], str] | None = None
        for path in paths:
            rate = rates.get(os.path.abspath(path), 0.0) if rates else 0.0
            facts = _folder_facts(path) if rate else _facts(path)
            if isinstance(facts, Failure):
                yield facts
                continue
            name, where, size, mtime = facts
            place = f"{where}//{rate!r}" if rate else where
            remembered = known.get((place, size, mtime))
            if remembered is None:
                if notes is None:
                    notes = _notes(store) if store is not None and not rehash else {}
                digest = None if rate else notes.get((name, size, mtime))  # a note does not tell the rate
                scanned = _read(where, name, digest, decoder, rate)
                if isinstance(scanned, Failure):
                    yield scanned
                    continue
                remembered = (scanned.digest, scanned.header)
                memory.remember(place, size, mtime, scanned)
            yield Video(remembered[0], name, where, remembered[1], stamp=(size, mtime))


def _facts(path: Path | str) -> tuple[str, str, int, int] | Failure:
    """(name, absolute path, bytes, mtime in nanoseconds) of a readable, non-empty file."""
    where = os.path.abspath(path)
    name = _split(where)[0]
    try:
        facts = os.stat(where)
        if stat.S_ISDIR(facts.st_mode):
            return Failure(where, name, f"got the folder {where}, expected a video file")
        os.close(os.open(where, os.O_RDONLY))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Failure(where, name, f"{where!r} cannot be read: {reason}")
    if facts.st_size == 0:
        return Failure(where, name, f"{where} is empty, expected a video file")
    return name, where, facts.st_size, facts.st_mtime_ns


def _folder_facts(path: Path | str) -> tuple[str, str, int, int] | Failure:
    """(name, absolute path, bytes, newest mtime in nanoseconds) of a folder of numbered pictures."""
    where = os.path.abspath(path)
    name = "/".join(where.split(os.sep)[-NAMING_PARTS:])
    try:
        return name, where, *folder_stamp(where)
    except (BadVideo, OSError) as error:
        return Failure(where, name, str(error))


def _split(path: str) -> tuple[str, str]:
    """(stem, suffix with its dot) of a path, as `pathlib` has them but five times as fast: `..` + `.mp4` too."""
    name = path[path.rfind(os.sep) + 1 :]
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def _read(where: str, name: str, digest: str | None, decoder: Prober, rate: float) -> Video | Failure:
    try:
        digest = digest or (folder_digest(where, rate) if rate else file_digest(where))
    except OSError as error:
        return Failure(where, name, f"{where} cannot be read: {error.strerror}")
    try:
        return Video(digest, name, where, decoder.probe(where, rate) if rate else decoder.probe(where))
    except BadVideo as error:
        return Failure(where, name, str(error), digest)


def file_digest(path: str | Path) -> str:
    """64 hex digits: BLAKE3 over all bytes of a file."""
    digest = blake3(max_threads=blake3.AUTO)
    _add_file(digest, path)
    return str(digest.hexdigest())


def _add_file(digest: blake3, path: str | Path) -> None:
    block = bytearray(min(HASH_BLOCK_BYTES, max(1, os.path.getsize(path))))
    with open(path, "rb", buffering=0) as file:
        while taken := file.readinto(block):
            digest.update(memoryview(block)[:taken])


def folder_digest(folder: str | Path, rate: float) -> str:
    """64 hex digits: BLAKE3 over the rate and each numbered picture's number, size and bytes, in order."""
    frames, total = list_frames(folder), blake3()
    total.update(canonical_json({"frames": len(frames.names), "rate": float(rate)}).encode())
    for number, name in zip(frames.numbers, frames.names, strict=True):
        path = os.path.join(folder, name)
        total.update(f"\n{number} {os.path.getsize(path)}\n".encode())
        _add_file(total, path)
    return str(total.hexdigest())


def _notes(store: FeatureStore) -> dict[tuple[str, int, int], str]:
    """Digests that the store's notes give for (name, bytes, mtime)."""
    return {
        (name, size, mtime): digest for digest, note in store.video_notes().items() for name, size, mtime in note.files
    }


def header_facts(header: Header | None) -> dict[str, Any]:
    """A header as plain JSON; `time_base` becomes its text."""
    return {} if header is None else {**asdict(header), "time_base": str(header.time_base)}


class Memory:
    """What this machine has hashed and probed: a small SQLite file in the user's cache.

    It only saves work: a file that cannot be opened or holds nonsense is replaced by an empty one.
    """

    def __init__(self) -> None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ego"
        self._path = root / "videos.sqlite"
        self._new: list[tuple[bytes, int, int, str, str]] = []

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def all(self) -> dict[tuple[str, int, int], tuple[str, Header | None]]:
        """Digest and header by (path, bytes, mtime)."""
        try:
            with closing(self._open()) as base:
                rows = base.execute("select path, size, mtime, digest, header from videos").fetchall()
            return {
                (os.fsdecode(path), size, mtime): (digest, _header(text)) for path, size, mtime, digest, text in rows
            }
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError):
            return {}

    def remember(self, path: str, size: int, mtime: int, video: Video) -> None:
        """Notes a video; written every few dozen and at the end."""
        self._new.append((os.fsencode(path), size, mtime, video.digest, json.dumps(header_facts(video.header))))
        if len(self._new) >= 64:
            self.flush()

    def flush(self) -> None:
        """Writes what is noted; a cache folder that cannot be written costs only the next scan's time."""
        if not self._new:
            return
        try:
            self._write()
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
        except OSError:
            pass
        self._new.clear()

    def _write(self) -> None:
        with closing(self._open()) as base, base:
            base.executemany("insert or replace into videos values (?, ?, ?, ?, ?)", self._new)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(self._path, timeout=10)
        base.execute(
            "create table if not exists videos (path blob primary key, size int, mtime int, digest text, header text)"
        )
        return base


def _header(text: str) -> Header | None:
    facts = json.loads(text)
    return Header(**{**facts, "time_base": Fraction(facts["time_base"])}) if facts else None
