"""Face tracks in pieces without a gap, each judged together with its sound when it has ended."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.extractors._base import Block, Rows
from ego.extractors._face_cuts import GAP_FRAMES
from ego.extractors._face_network import ListeningFaceNetwork
from ego.extractors._listening import RATE

WAITING_FRAMES = 40
"""How many frames may pass before a face is shown: those that smooth its window come after it."""
SLACK = 1e-6
"""Where a tick falls on the border of two frames, noise in their times must not choose."""

Numbers = NDArray[Any]


@dataclass
class FaceRow:
    """A face in a frame, and what was found of it when its piece had ended."""

    track: int
    time: Numbers
    source: Numbers
    found: Mapping[str, Numbers] | None = None


@dataclass
class Piece:
    """Rows of one face, at most two frames apart, and what is seen of each."""

    rows: list[FaceRow] = field(default_factory=list)
    seen: list[Numbers] = field(default_factory=list)

    @property
    def start(self) -> float:
        """When it begins, in seconds."""
        return float(self.rows[0].time[0])

    @property
    def stop(self) -> float:
        """When it ends, in seconds."""
        return float(self.rows[-1].time[2])

    def goes_on_at(self, seconds: float) -> bool:
        """Whether a frame that begins then is not too far from its last."""
        first, last = float(self.rows[-1].time[0]), self.stop
        return seconds - last < (GAP_FRAMES + 0.5) * (last - first)

    def ticks(self, fps: float) -> tuple[Numbers, NDArray[np.bool_], Numbers]:
        """By tick: which row is or was last on display, and whether it still is; and by row: the tick in its middle."""
        starts, centres, stops = np.array([row.time for row in self.rows]).T
        count = max(1, int((self.stop - self.start) * fps + 0.5 + SLACK))
        middles = self.start + (np.arange(count) + 0.5) / fps + SLACK
        shown = np.maximum(np.searchsorted(starts, middles, side="right") - 1, 0)
        tick = np.floor((centres - self.start) * fps + SLACK).astype(int)
        return shown, middles <= stops[shown] + 2 * SLACK, np.clip(tick, 0, count - 1)


class Ear:
    """The sound of the frames that went by, as far back as some piece may need it."""

    def __init__(self) -> None:
        self.until = self.oldest = -np.inf
        """The second up to which sound has come, and that of the oldest frame whose faces may still be shown."""
        self._first = 0
        self._samples = np.zeros(0, np.float32)
        self._starts: deque[float] = deque(maxlen=WAITING_FRAMES)

    def take(self, block: Block) -> None:
        """Takes in the sound that comes with a block."""
        starts = block.time[:, 0].tolist()
        self.oldest = [*self._starts, *starts, self.oldest][0]
        self._starts.extend(starts)
        heard = block.held["sound"]
        for time, samples in zip(heard.time, heard.arrays["feature"], strict=True):
            if not len(self._samples):
                self._first = round(time[0] * RATE)
            place = round(time[0] * RATE) - self._first
            missing = max(place - len(self._samples), 0)
            self._samples = np.concatenate([np.pad(self._samples, (0, missing))[:place], samples])
            self.until = float(time[2])

    def heard(self, start: float, count: int) -> NDArray[np.float32]:
        """So many samples from a second on; nothing is heard beyond both ends."""
        place = round(start * RATE) - self._first
        here = self._samples[max(place, 0) : max(place + count, 0)]
        before = min(max(-place, 0), count)
        return np.pad(here, (before, count - before - len(here))).astype(np.float32)

    def forget(self, start: float) -> None:
        """Lets go of what lies before this second, unless a frame whose faces are still to be shown needs it."""
        if np.isfinite(oldest := min(start, self.oldest)):
            over = min(max(round(oldest * RATE) - self._first, 0), len(self._samples))
            self._samples, self._first = self._samples[over:], self._first + over


@dataclass
class Pieces:
    """The pieces of all faces: open, ended and not yet judged, and the rows in their order."""

    longest_seconds: float
    open: dict[int, Piece] = field(default_factory=dict)
    ended: list[Piece] = field(default_factory=list)
    rows: deque[FaceRow] = field(default_factory=deque)

    def add(self, rows: Rows) -> None:
        """Takes in the faces of some frames."""
        for track, time, source, seen in zip(
            rows.arrays["track"].tolist(), rows.time, rows.source, rows.arrays["feature"], strict=True
        ):
            piece = self.open.get(track)
            too_long = piece is not None and time[2] - piece.start > self.longest_seconds + 1e-6
            if piece is None or too_long or not piece.goes_on_at(time[0]):
                self._end(track)
                piece = self.open[track] = Piece()
            row = FaceRow(track, time, source)
            piece.rows.append(row)
            piece.seen.append(seen)
            self.rows.append(row)

    def end_before(self, seconds: float) -> None:
        """Ends the pieces that a frame at this second or after it cannot go on with."""
        for track in [track for track, piece in self.open.items() if not piece.goes_on_at(seconds)]:
            self._end(track)

    def take_ended(self, heard_until: float) -> list[Piece]:
        """The ended pieces whose sound has come, once each."""
        taken = [piece for piece in self.ended if piece.stop <= heard_until]
        self.ended = [piece for piece in self.ended if piece.stop > heard_until]
        return taken

    def _end(self, track: int) -> None:
        piece = self.open.pop(track, None)
        if piece is not None:
            self.ended.append(piece)

    @property
    def start(self) -> float:
        """The earliest second that a piece still needs."""
        return min((piece.start for piece in (*self.open.values(), *self.ended)), default=np.inf)

    def ready(self) -> Iterator[Rows]:
        """The rows up to the first whose piece is not judged."""
        done = []
        while self.rows and self.rows[0].found is not None:
            done.append(self.rows.popleft())
        if done:
            arrays = {name: np.stack([row.found[name] for row in done if row.found]) for name in done[0].found or ()}
            arrays["track"] = np.array([row.track for row in done], np.int32)
            yield Rows(arrays, np.stack([row.time for row in done]), np.stack([row.source for row in done]))


def judged(spec: ListeningFaceNetwork, blocks: Iterator[Block], network: nn.Module, device: str) -> Iterator[Rows]:
    """The rows of one video."""
    ear, pieces = Ear(), Pieces(spec.piece_seconds)

    def heard() -> Iterator[Block]:
        for block in blocks:
            ear.take(block)
            pieces.end_before(ear.oldest)
            for piece in pieces.take_ended(ear.until):
                _judge(spec, piece, ear, network, device)
            ear.forget(pieces.start)
            yield block

    for rows in spec.seen(network, heard(), device):
        pieces.add(rows)
        yield from pieces.ready()
    pieces.end_before(np.inf)
    for piece in pieces.take_ended(np.inf):
        _judge(spec, piece, ear, network, device)
    yield from pieces.ready()


def _judge(spec: ListeningFaceNetwork, piece: Piece, ear: Ear, network: nn.Module, device: str) -> None:
    shown, there, ticks = piece.ticks(spec.fps)
    seen = torch.from_numpy(np.stack(piece.seen)[shown]).to(device)
    sound = torch.from_numpy(ear.heard(piece.start, spec.samples(len(shown)))).to(device)
    with torch.inference_mode():
        feature, logits = spec.judge(network, seen, there, sound[None])
    logits = logits.float().cpu()
    arrays = {
        "feature": feature.float().cpu().numpy(),
        "logits": logits.numpy(),
        "score": logits.softmax(dim=1)[:, 1].numpy(),
    }
    for row, tick in zip(piece.rows, ticks, strict=True):
        row.found = {name: array[tick] for name, array in arrays.items()}
