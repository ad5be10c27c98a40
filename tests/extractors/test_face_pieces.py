"""Pieces of face tracks: where they end, which tick shows which frame, and the sound beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest
import torch

from ego.extractors._base import Block, Rows
from ego.extractors._face_network import ListeningFaceNetwork
from ego.extractors._face_pieces import WAITING_FRAMES, Ear, FaceRow, Piece, Pieces
from ego.extractors.face_crops import FaceCrops
from ego.fields import Weights


def piece(frames: list[int], rate: float) -> Piece:
    rows = [FaceRow(0, np.array([i, i + 0.5, i + 1]) / rate + 2, np.array([i] * 4)) for i in frames]
    return Piece(rows, [np.array(i) for i in frames])


def test_a_tick_shows_the_frame_on_display() -> None:
    shown, there, ticks = piece([0, 1, 2, 3, 4], 25.0).ticks(25.0)
    assert shown.tolist() == ticks.tolist() == [0, 1, 2, 3, 4]
    assert there.all()
    shown, _, ticks = piece(list(range(6)), 30.0).ticks(25.0)
    assert shown.tolist() == [0, 1, 3, 4, 5]  # in the middles of ticks: at 0.6, 1.8, 3, 4.2 and 5.4 frames
    assert ticks.tolist() == [0, 1, 2, 2, 3, 4]
    shown, _, ticks = piece([0, 1, 2], 12.0).ticks(25.0)
    assert shown.tolist() == [0, 0, 1, 1, 2, 2]
    assert ticks.tolist() == [1, 3, 5]


def test_a_face_that_is_away_for_a_moment() -> None:
    shown, there, ticks = piece([3, 4, 7], 25.0).ticks(25.0)
    assert shown.tolist() == [0, 1, 1, 1, 2]
    assert there.tolist() == [True, True, False, False, True]
    assert ticks.tolist() == [0, 1, 4]


def test_where_pieces_end() -> None:
    pieces = Pieces(0.4)
    frames = [*range(12), 14, 18]
    time = np.array([[i, i + 0.5, i + 1] for i in frames]) / 25
    seen = np.array(frames, float)
    pieces.add(Rows({"track": np.ones(len(frames), np.int32), "feature": seen}, time, np.zeros((len(frames), 4), int)))
    ended = [[int(one) for one in piece.seen] for piece in pieces.take_ended(np.inf)]
    assert ended == [[*range(10)], [10, 11, 14]]  # after 0.4 s; after three frames away
    assert [int(one) for one in pieces.open[1].seen] == [18]
    pieces.end_before(21 / 25)
    assert pieces.open
    pieces.end_before(22 / 25)
    assert not pieces.open
    assert not pieces.take_ended(18 / 25)  # its sound has not come
    assert len(pieces.take_ended(19 / 25)) == 1


def block(first: int, count: int, sound: np.ndarray | None = None) -> Block:
    """Frames at 10 a second with the sound of the same tenths."""
    index = np.arange(first, first + count)
    time = np.stack([index, index + 0.5, index + 1], axis=1) / 10
    heard = np.repeat(index[:, None], 1600, 1).astype(np.float32) if sound is None else sound
    return Block({}, time, np.zeros((count, 4), int), {"sound": Rows({"feature": heard}, time, np.zeros((count, 4)))})


def test_sound_is_kept_as_long_as_a_frame_may_need_it() -> None:
    ear = Ear()
    for first in range(0, 200, 8):
        ear.take(block(first, 8))
        ear.forget(np.inf)
        assert len(ear._samples) <= (WAITING_FRAMES + 8) * 1600
        oldest = max(0, first - WAITING_FRAMES)
        assert ear.heard(oldest / 10, 1600).tolist() == [oldest] * 1600
    assert ear.until == 20.0
    assert ear.heard(15.95, 1600).tolist() == [159] * 800 + [160] * 800


def test_nothing_is_heard_where_there_is_no_sound() -> None:
    ear = Ear()
    ear.take(block(10, 2))
    assert ear.heard(0.95, 1600).tolist() == [0] * 800 + [10] * 800
    assert ear.heard(1.15, 1600).tolist() == [11] * 800 + [0] * 800
    assert ear.heard(5.0, 3).tolist() == [0, 0, 0]
    ear.take(block(14, 1))  # a hole in the sound
    assert ear.heard(1.1, 1600 * 4).tolist() == [11] * 1600 + [0] * 3200 + [14] * 1600


@dataclass(frozen=True, kw_only=True)
class Echo(ListeningFaceNetwork):
    """Gives back, at each tick, the first number of what is seen, and the loudest of its sound."""

    width = 1
    fps: float = 25.0
    piece_seconds: float = 1.0
    loudness: float = 0.0

    def network(self, files: object) -> torch.nn.Module:
        return torch.nn.Identity()

    def seen(self, network: torch.nn.Module, blocks: Iterator[Block], device: str) -> Iterator[Rows]:
        for rows in FaceCrops(rule="asd").follow(blocks, None, {}, device):  # type: ignore[arg-type]
            first = rows.arrays["feature"][:, :1, 56].astype(np.float32)
            yield Rows({**rows.arrays, "feature": first}, rows.time, rows.source)

    def above_feature(self, network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        return rows

    def judge(
        self, network: torch.nn.Module, seen: torch.Tensor, there: np.ndarray, sound: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        loudest = sound[0, : 640 * len(seen)].reshape(len(seen), 640).amax(dim=1)
        return seen, torch.stack([torch.zeros(len(seen)), loudest], dim=1)


@pytest.mark.parametrize("each", [1, 7, 64, 500])
def test_rows_come_in_order_whatever_the_blocks(each: int, watching: ModuleType) -> None:
    """Frame i is as bright as i and sounds as loud as i: two faces that come and go in 160 frames."""
    pictures = np.repeat(np.arange(160, dtype=np.uint8), 40 * 60 * 3).reshape(160, 40, 60, 3)
    sound = np.repeat(np.arange(160, dtype=np.float32), 640)
    box = [0.3, 0.3, 0.6, 0.7]
    present = {1: [*range(5, 60), *range(62, 80), *range(140, 160)], 2: [*range(20, 50), *range(75, 78)]}
    faces = sorted((frame, track, box) for track, frames in present.items() for frame in frames)
    found = watching.followed(Echo(weights=Weights("random:0")), watching.shown(pictures, faces, each, 25.0, sound), {})
    assert found.source[:, 0].tolist() == [frame for frame, _, _ in faces]
    assert found.arrays["track"].tolist() == [track for _, track, _ in faces]
    assert found.arrays["feature"][:, 0].tolist() == [frame for frame, _, _ in faces]
    np.testing.assert_allclose(found.arrays["logits"][:, 1], found.source[:, 0], atol=1e-4)
