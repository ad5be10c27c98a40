"""Where a store's bytes lie: list, get a range, put whole, publish what was staged, remove.

A `Folder` is a local or mounted folder. Paths are relative, with `/`, and made by the store only:
no name a user gave is ever part of one. Nothing appears under its final name before it is whole and
on disk, so a process may die between any two calls.
"""

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from functools import cache
from pathlib import Path

from ego.errors import BadRequest

STAGING = "staging"
OLD_SECONDS = 96 * 3600
SKEW_SECONDS = 300
_OWNED = re.compile(r".*-(?P<machine>[0-9a-f]{12})-(?P<pid>\d{1,10})-[0-9a-f]{16}")


class Folder:
    """A store on a folder; `root` must exist."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def get(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file, or a range of them; fewer where it ends before. Missing: FileNotFoundError."""
        with open(self.root / path, "rb", buffering=0) as file:
            if start:
                file.seek(start)
            return _read(file.fileno(), length if length is not None else os.fstat(file.fileno()).st_size - start)

    def size(self, path: str) -> int | None:
        """The bytes of a file; None where there is none."""
        try:
            return os.stat(self.root / path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, path: str = "") -> list[str] | None:
        """The names in a folder, in any order; None where there is no such folder though the store is there."""
        try:
            return os.listdir(self.root / path)
        except FileNotFoundError:
            if not path or not self.root.is_dir():
                raise BadRequest(f"the store {self} is gone; is its disk mounted?") from None
            return None
        except NotADirectoryError:
            return None

    def having(self, path: str, file: str) -> list[str]:
        """The folders in a folder that hold this file: one look at each, which is what makes listing fast."""
        held = []
        for name in self.names(path) or []:
            try:
                os.stat(f"{self.root}/{path}/{name}/{file}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            held.append(name)
        return held

    def files(self, path: str) -> list[str]:
        """Every file below a folder, relative to it; whatever is neither file nor folder is listed too."""
        base, found, folders = str(self.root / path), [], [""]
        while folders:
            inner = folders.pop()
            with os.scandir(os.path.join(base, inner)) as entries:
                for entry in entries:
                    name = f"{inner}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name + "/")
                    else:
                        found.append(name)
        return sorted(found)

    def put(self, path: str, data: bytes) -> None:
        """Puts a whole small file under its name, in place of one that may be there."""
        staged = self.stage()
        try:
            write(staged, data)
            make_folder((self.root / path).parent)
            os.rename(staged, self.root / path)
        except BaseException:
            discard(staged)
            raise
        sync(str((self.root / path).parent))

    def stage(self) -> Path:
        """A fresh local path, this writer's own, that `publish` can bring under its final name."""
        make_folder(self.root / STAGING)
        name = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())[:40]
        return self.root / STAGING / f"{name}-{machine()}-{os.getpid()}-{secrets.token_hex(8)}"

    def publish(self, staged: Path, path: str) -> bool:
        """Gives a staged, synced folder its final name; False, and nothing done, where one is there."""
        target = self.root / path
        make_folder(target.parent)
        try:
            os.rename(staged, target)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(target):
                return False
            raise
        sync(str(target.parent))
        return True

    def identity(self, path: str) -> tuple[int, int] | None:
        """What tells this folder from one put in its place later; None where there is none."""
        try:
            facts = os.lstat(self.root / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return facts.st_dev, facts.st_ino

    def move(self, path: str, to: str) -> bool:
        """Renames inside the store; False where there was nothing. Never onto something that is there."""
        source, target = self.root / path, self.root / to
        make_folder(target.parent)
        try:
            os.rename(source, target)
        except FileNotFoundError:
            return False
        sync(str(target.parent))
        sync(str(source.parent))
        return True

    def remove(self, path: str) -> bool:
        """Removes a file, or a folder with all in it, at once for every reader; False where there was none."""
        target, staged = self.root / path, self.stage()
        try:
            os.rename(target, staged)
        except (FileNotFoundError, NotADirectoryError):
            return False
        sync(str(target.parent))
        discard(staged)
        return True

    def clock(self) -> float:
        """The store's own time now, in seconds since 1970: the mtime of a file written for the purpose."""
        probe = self.stage()
        try:
            write(probe, b"")
            return probe.stat().st_mtime
        finally:
            discard(probe)

    def sweep(self) -> list[str]:
        """Removes what dead writers left in staging and returns its names.

        A writer is dead when its process on this machine is gone, or when nothing in what it staged
        changed for 96 hours by the store's clock (not asked where that differs from ours by over 5 min).
        """
        names = self.names(STAGING) or []
        now = self.clock() if names else 0.0
        trusted = abs(now - time.time()) <= SKEW_SECONDS
        swept = []
        for name in sorted(names):
            staged = self.root / STAGING / name
            if _dead(name) or (trusted and _age_seconds(staged, now) > OLD_SECONDS):
                taken = self.stage()  # first away from its name: a writer that sleeps can no longer publish it
                try:
                    os.rename(staged, taken)
                except FileNotFoundError:
                    continue
                discard(taken)
                swept.append(name)
        return swept


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, each on disk before the next."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not path.is_dir():
            raise
    sync(str(path.parent))


def write(path: Path, data: bytes) -> None:
    """Writes a new file and waits until it is on disk."""
    with open(path, "xb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def sync(path: str) -> None:
    """Waits until a file's or a folder's own changes are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # some network file systems cannot sync a folder and say so
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not os.path.isdir(path):
            raise
    finally:
        os.close(handle)


def discard(staged: Path) -> None:
    """Removes what is staged as far as that succeeds; the rest is swept when its writer is gone."""
    if staged.is_dir() and not staged.is_symlink():
        shutil.rmtree(staged, ignore_errors=True)
        return
    try:
        staged.unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EPERM):
            raise


@cache
def machine() -> str:
    """12 hex digits for this boot of this host and this container's view of processes."""
    words = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            words.append(os.readlink(path) if path.endswith("pid") else Path(path).read_text())
        except OSError:
            words.append("")
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def _dead(name: str) -> bool:
    """Whether the process that staged this lived here and is gone."""
    owner = _OWNED.fullmatch(name)
    if owner is None or owner["machine"] != machine():
        return False
    try:
        os.kill(int(owner["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _age_seconds(staged: Path, now: float) -> float:
    newest = 0.0
    for folder, folders, files in os.walk(staged):
        for name in ("", *folders, *files):
            try:
                newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime)
            except FileNotFoundError:
                return 0.0  # its writer is at work
    return now - (newest or _mtime(staged, now))


def _mtime(path: Path, otherwise: float) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return otherwise


def _read(handle: int, length: int) -> bytes:
    data = os.read(handle, length)
    if len(data) == length or not data:
        return data
    parts = [data]
    while (missing := length - sum(map(len, parts))) and (more := os.read(handle, missing)):
        parts.append(more)
    return b"".join(parts)
