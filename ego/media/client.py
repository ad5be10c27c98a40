"""What whoever asks a decoding program has in common: one child, started when needed, replaced when lost."""

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from ego.errors import BadRequest
from ego.media.watch import Child, Lost
from ego.media.wire import Message

PATIENCE_SECONDS = 2.0
"""How long a child may take to stop where its consumer leaves early."""


class Client(ABC):
    """Asks a child program for one thing after another. Use it from one thread at a time.

    `stall_seconds` is how long the child may say nothing while it is waited for, `memory_bytes` the most
    it may hold in memory.
    """

    def __init__(self, stall_seconds: float, memory_bytes: int) -> None:
        self._stall_seconds, self._memory_bytes = stall_seconds, memory_bytes
        self._child: Child | None = None
        self._busy = False

    @property
    @abstractmethod
    def _deliveries(self) -> tuple[str, ...]:
        """The words of a child that is still at work on what it was asked for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child program."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _answer(self, child: Child) -> Message:
        """The child's next word that is not just a sign of life; its bugs are raised here."""
        while True:
            message = child.hear()
            self._busy &= message["is"] in self._deliveries
            if message["is"] == "request":
                raise BadRequest(message["why"])
            if message["is"] == "bug":
                raise RuntimeError(f"the decoding program failed:\n{message['why']}")
            if message["is"] != "busy":
                return message

    def _leave(self, child: Child) -> None:
        """Makes the child ready for another video where the consumer leaves this one early."""
        if not self._busy:
            return
        self._busy = False
        patience_ends = time.monotonic() + PATIENCE_SECONDS
        try:
            child.tell({"do": "stop"})
            while child.hear()["is"] in self._deliveries:
                if time.monotonic() > patience_ends:  # it seeks or reads ahead: a new program starts sooner
                    self.close()
                    return
        except Lost:
            self._child = None

    def _ready(self) -> Child:
        if self._busy:
            raise RuntimeError("what was asked for before must be finished or closed first")
        if self._child is None:
            self._child = Child(self._stall_seconds, self._memory_bytes)
        return self._child
