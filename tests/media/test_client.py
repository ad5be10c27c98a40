"""What both decoders share: one child, asked again after being left early, replaced when lost."""

from pathlib import Path

import numpy as np
import pytest
from asking import EVERY, NATIVE, video
from readable import readable_video

from ego.media.decode import Decoder, Look
from ego.media.sound import SoundDecoder
from ego.media.watch import resident_bytes


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tone = np.sin(np.arange(16_000 * 40) / 9).astype(np.float32)
    return readable_video(tmp_path_factory.mktemp("client") / "a.mp4", frames=600, sound=(tone, 16_000))


def test_one_child_serves_one_video_after_another(clip: Path) -> None:
    with SoundDecoder() as ears, Decoder() as eyes:
        pids = set()
        for _ in range(3):
            with ears.open(video(clip), 16_000) as reader:
                assert reader.take(0.0, 16_000) is not None  # and left early
            frames = eyes.frames(video(clip), [Look(NATIVE, EVERY)])
            next(frames)
            frames.close()
            pids |= {ears._child.pid, eyes._child.pid}
        assert len(pids) == 2
    assert not any(resident_bytes(pid) for pid in pids)


def test_two_things_at_once_are_refused(clip: Path) -> None:
    with SoundDecoder() as ears:
        ears.open(video(clip), 16_000)
        with pytest.raises(RuntimeError, match="must be finished or closed first"):
            ears.open(video(clip), 16_000)
