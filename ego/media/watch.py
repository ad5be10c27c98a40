"""The parent's side of the decoding program: starts it, listens to it, and ends it when it misbehaves."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from ego.media.ring import Ring
from ego.media.wire import Gone, Message, Wire

LOOK_SECONDS = 0.25
"""How often the child's memory is looked at while its parent waits."""

LAST_WORDS_BYTES = 2000


class Lost(Exception):
    """The child died, hung or grew too large, and has been ended; the text says which."""


class Child:
    """One running decoding program with its pipes and its ring."""

    def __init__(self, stall_seconds: float, memory_bytes: int) -> None:
        self._stall_seconds, self._memory_bytes = stall_seconds, memory_bytes
        self._memory_file = os.memfd_create("ego-ring")
        self._log = os.memfd_create("ego-log")
        fcntl.fcntl(self._log, fcntl.F_SETFL, os.O_APPEND)  # the child empties it while libraries write
        life, self._life = os.pipe()
        to_child, tell = os.pipe()
        hear, from_child = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ego.media.child", str(self._memory_file), str(life)],
                stdin=to_child,
                stdout=from_child,
                stderr=self._log,
                pass_fds=(self._memory_file, life),
                env=_environment(),
                start_new_session=True,  # Ctrl-C reaches the parent, which then ends its child
            )
        finally:
            for descriptor in (life, to_child, from_child):
                os.close(descriptor)
        self._descriptors = [self._memory_file, self._log, self._life, tell, hear]
        self.wire = Wire(hear, tell)
        self.ring = Ring(self._memory_file, writable=False)
        self._next_look = 0.0
        self._begin()

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def tell(self, message: Message) -> None:
        """Sends a message; a child that is gone or reads nothing is Lost."""
        try:
            self.wire.send(message, self._stall_seconds)
        except Gone:
            raise self._lost("died") from None
        except TimeoutError:
            raise self._lost(f"read nothing for {self._stall_seconds:g} s") from None

    def hear(self) -> Message:
        """The next message; Lost if the child dies, says nothing for too long or grows too large."""
        silent_since = time.monotonic()
        while True:
            try:
                message = self.wire.receive(LOOK_SECONDS)
            except (Gone, ValueError):  # ValueError: half a message, cut off by its end
                raise self._lost("died") from None
            now = time.monotonic()
            if now >= self._next_look:
                self._next_look = now + LOOK_SECONDS
                self._look()
            if message is not None:
                return message
            if now - silent_since > self._stall_seconds:
                raise self._lost(f"said nothing for {self._stall_seconds:g} s")

    def close(self) -> None:
        """Ends the program and lets go of everything but pictures still held."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def _begin(self) -> None:
        """Waits until the program has loaded its libraries; one that cannot start is no video's fault."""
        try:
            self.hear()
        except Lost as lost:
            raise RuntimeError(f"the decoding program cannot start: it {lost}") from None

    def _look(self) -> None:
        used = resident_bytes(self.pid)
        if used > self._memory_bytes:
            raise self._lost(f"used {used >> 20} MB of memory, at most {self._memory_bytes >> 20} are allowed")

    def _lost(self, how: str) -> Lost:
        if how == "died":
            try:
                code = self._process.wait(timeout=5)
                how = f"died (signal {-code})" if code < 0 else f"ended (exit code {code})"
            except subprocess.TimeoutExpired:
                how = "closed its pipe"
        words = self._last_words()
        self.close()
        return Lost(f"{how}{': ' + words if words else ''}")

    def _last_words(self) -> str:
        size = os.fstat(self._log).st_size
        text = os.pread(self._log, LAST_WORDS_BYTES, max(0, size - LAST_WORDS_BYTES)).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""


def resident_bytes(pid: int) -> int:
    """Memory a process holds now, in bytes; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]
    return found[0] * 1024 if found else 0


def _environment() -> dict[str, str]:
    """The parent's, with this `ego` first on the path and no thread pools that nobody uses."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "AV_LOG_FORCE_NOCOLOR": "1",
    }
