"""sha256 of files, remembered by path, size and times; the memory only saves work and may be deleted."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

FRESH_SECONDS = 2.0
"""A file changed so recently could change again within the clock's grain; it is read again next time."""


def cache_folder() -> Path:
    """The user's cache of `ego`: $XDG_CACHE_HOME/ego, else ~/.cache/ego."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ego"


def file_sha256(path: Path) -> str:
    """64 hex digits over all bytes of a file; read once as long as path, size, inode and both times stay."""
    path = path.absolute()
    note = cache_folder() / "digests" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:40]}.json"
    facts = _facts(path)
    remembered = _recall(note, facts)
    if remembered is not None:
        return remembered
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if _facts(path) == facts and time.time() - path.stat().st_mtime > FRESH_SECONDS:
        _remember(note, facts, digest)
    return digest


def _facts(path: Path) -> list[int | str]:
    facts = path.stat()
    return [os.fsencode(path).hex(), facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_ctime_ns]


def _recall(note: Path, facts: list[int | str]) -> str | None:
    try:
        known = json.loads(note.read_bytes())
        digest = known["sha256"] if known["facts"] == facts else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and len(digest) == 64 else None


def _remember(note: Path, facts: list[int | str], digest: str) -> None:
    """Written aside and renamed, so that several processes may remember at once; a full disk costs only time."""
    aside = note.with_name(f".{note.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps({"facts": facts, "sha256": digest}))
        os.replace(aside, note)
    except OSError:
        with suppress(OSError):
            aside.unlink()
