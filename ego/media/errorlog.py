"""The error log of the decoding libraries: descriptor 2 of the child, a memory file kept small."""

import os
import re

KEPT_BYTES = 1 << 16

DAMAGE = re.compile(
    r"error|corrupt|damaged|conceal|invalid|prematurely|missing|truncat|overread|out of range|illegal|"
    r"failed|mismatch|does not exist|unavailable|broken|no frame",
    re.IGNORECASE,
)


class ErrorLog:
    """Reads what FFmpeg's libraries wrote to descriptor 2 since it was last asked."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._read = 0
        self.clear()

    def clear(self) -> None:
        """Forgets everything written so far."""
        os.ftruncate(self._descriptor, 0)
        self._read = 0

    def fresh(self) -> list[str]:
        """The lines that tell of damage and were not seen before."""
        size = os.fstat(self._descriptor).st_size
        if size <= self._read:
            return []
        text = os.pread(self._descriptor, min(size - self._read, KEPT_BYTES), self._read)
        self._read = size
        if size > KEPT_BYTES:
            self.clear()
        return [line for line in text.decode("utf-8", "replace").splitlines() if DAMAGE.search(line)]
