"""Messages between the two programs: one JSON object a line over a pair of pipes."""

import json
import os
import select
from collections import deque
from typing import Any

Message = dict[str, Any]


class Gone(Exception):
    """The program at the other end has closed its pipe."""


class Stopped(Exception):
    """The consumer wants no more of this video."""


class Wire:
    """Sends to one descriptor and receives from another."""

    def __init__(self, receive: int, send: int) -> None:
        self._receive, self._send = receive, send
        self._poll = select.poll()  # not select(): descriptors above 1023 exist in a big run
        self._poll.register(receive, select.POLLIN)
        self._room = select.poll()
        self._room.register(send, select.POLLOUT)
        os.set_blocking(send, False)
        self._rest = b""
        self._messages: deque[Message] = deque()

    def send(self, message: Message, timeout_seconds: float | None = None) -> None:
        """Writes a whole message; Gone if nobody will read it, TimeoutError if there is no room for so long."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while data:
                if not self._room.poll(_milliseconds(timeout_seconds)):
                    raise TimeoutError
                data = data[os.write(self._send, data[: select.PIPE_BUF]) :]
        except BrokenPipeError as error:
            raise Gone from error

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """The next message, or None if none comes in time (0: only what is there); Gone at the end."""
        while not self._messages:
            if not self._poll.poll(_milliseconds(timeout_seconds)):
                return None
            data = os.read(self._receive, 1 << 16)
            if not data:
                raise Gone
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._messages.extend(json.loads(line) for line in lines)
        return self._messages.popleft()


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
