"""A ring of slots for pictures or sound in an anonymous memory file that two programs share by its descriptor."""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """How a slot holds the pictures of one frame: (width, height) of each, one after the other."""

    sizes: tuple[tuple[int, int], ...]

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, in whole memory pages."""
        return max(mmap.PAGESIZE, -(-sum(self._lengths()) // mmap.PAGESIZE) * mmap.PAGESIZE)

    def slots(self, ring_bytes: int) -> int:
        """How many slots a ring of about so many bytes has.

        At least two, so that decoding can go on; at most as many as can be let go of without filling a pipe.
        """
        return min(max(2, ring_bytes // self.slot_bytes), 128)

    def views(self, memory: mmap.mmap, slot: int) -> list[NDArray[np.uint8]]:
        """The pictures of a slot, (height, width, 3) uint8 each, without a copy."""
        found, offset = [], slot * self.slot_bytes
        for (width, height), length in zip(self.sizes, self._lengths(), strict=True):
            flat = np.frombuffer(memory, np.uint8, length, offset)
            found.append(flat.reshape(height, width, 3))
            offset += length
        return found

    def _lengths(self) -> Sequence[int]:
        return [width * height * 3 for width, height in self.sizes]


@dataclass(frozen=True)
class SoundLayout:
    """How a slot holds sound: so many float32 samples."""

    samples: int

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, in whole memory pages."""
        return -(-self.samples * 4 // mmap.PAGESIZE) * mmap.PAGESIZE

    def views(self, memory: mmap.mmap, slot: int) -> list[NDArray[np.float32]]:
        """The samples of a slot, one array without a copy."""
        return [np.frombuffer(memory, np.float32, self.samples, slot * self.slot_bytes)]


class Ring:
    """One side's view of the memory file `descriptor`; it grows to what a video needs and never shrinks.

    Shrinking would take the ground from under pictures that a consumer still holds.
    """

    def __init__(self, descriptor: int, writable: bool) -> None:
        self._descriptor, self._writable = descriptor, writable
        self._memory: mmap.mmap | None = None
        self._layout: Layout | SoundLayout = Layout(())

    def reserve(self, layout: Layout | SoundLayout, slots: int) -> None:
        """Makes room for `slots` slots of this layout; what the ring held before is void."""
        self._layout = layout
        needed = layout.slot_bytes * slots
        size = os.fstat(self._descriptor).st_size
        if size < needed:
            os.ftruncate(self._descriptor, needed)
            size = needed
        if self._memory is None or len(self._memory) < needed:
            access = mmap.ACCESS_WRITE if self._writable else mmap.ACCESS_READ
            self._memory = mmap.mmap(self._descriptor, size, access=access)

    def views(self, slot: int) -> list[NDArray[Any]]:
        """The pictures or the sound of a slot; read-only where the ring is."""
        assert self._memory is not None
        return self._layout.views(self._memory, slot)
