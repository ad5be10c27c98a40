"""The error log of the decoding libraries: descriptor 2 of the child, a memory file kept small."""

import os
import re

KEPT_BYTES = 1 << 16

DAMAGE = re.compile(
    r"corrupt|damaged|conceal|error|invalid|prematurely|truncat|exceeds|overread|illegal|mismatch|out of range|"
    r"unavailable|missing (picture|reference)|could not find ref",
    re.IGNORECASE,
)
"""What FFmpeg's warnings of damage have in common; none of the healthy files tried prints one."""

CUT_OFF = "ended prematurely"


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

    def damage(self) -> list[str]:
        """The lines that tell of damage and were not seen before."""
        return [line for line in self.fresh() if DAMAGE.search(line)]

    def fresh(self) -> list[str]:
        """The lines that were not seen before."""
        size = os.fstat(self._descriptor).st_size
        if size <= self._read:
            return []
        text = os.pread(self._descriptor, min(size - self._read, KEPT_BYTES), self._read)
        self._read = size
        if size > KEPT_BYTES:
            self.clear()
        return text.decode("utf-8", "replace").splitlines()
