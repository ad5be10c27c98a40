import time
from pathlib import Path

import av
import pytest
from asking import EVERY, NATIVE, video, watch
from readable import read_number, readable_video

from ego.errors import BadVideo
from ego.media.decode import Decoder, Look
from ego.media.with_decord import READ_AHEAD_BYTES


def peak_bytes(decoder: Decoder) -> int:
    """The most memory the decoding program ever held."""
    status = Path(f"/proc/{decoder._child.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024


def test_reading_ahead_is_bounded_by_what_is_accepted(tmp_path: Path) -> None:
    path = readable_video(tmp_path / "large.mp4", frames=42, size=(1920, 1080), gop=250)
    assert 42 * 1920 * 1080 * 3 <= READ_AHEAD_BYTES < 44 * 1920 * 1080 * 3
    with Decoder("decord") as decoder:
        numbers = []
        for frame in decoder.frames(video(path), [Look(NATIVE, EVERY)]):
            numbers.append(read_number(frame.pictures[NATIVE]))
            if frame.index == 0:
                time.sleep(2)  # decord decodes all the rest meanwhile
        assert numbers == list(range(42))
        assert decoder.decoded.decoder == "decord"
        assert peak_bytes(decoder) < READ_AHEAD_BYTES + (400 << 20)


REFUSED = {
    "too-long.mp4": ("may read ahead", {"frames": 44, "size": (1920, 1080), "gop": 44}),
    "too-long.mkv": ("may read ahead", {"frames": 44, "size": (1920, 1080), "gop": 44}),
    "turned.mp4": ("rotation", {"rotation": 90}),
    "ten-bit.mp4": ("colours", {"pixel_format": "yuv420p10le"}),
    "odd.webm": ("odd size", {"codec": "libvpx-vp9", "size": (161, 121)}),
    "packets.avi": ("timestamps", {}),
    "stream.ts": ("timestamps", {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_decord_cannot_be_held_to_is_refused_with_a_reason(name: str, tmp_path: Path, decord: Decoder) -> None:
    why, how = REFUSED[name]
    path = readable_video(tmp_path / name, **how)
    with pytest.raises(BadVideo, match=why):
        watch(decord, path)


def test_a_part_is_not_asked_of_decord(tmp_path: Path, decord: Decoder) -> None:
    with pytest.raises(BadVideo, match="part of a video"):
        watch(decord, readable_video(tmp_path / "a.mp4"), part=(0.0, 1.0))


def test_an_edit_list_that_discards_frames_is_refused(shared_data: Path, decord: Decoder) -> None:
    with pytest.raises(BadVideo, match="discarded"):
        watch(decord, shared_data / "nasty" / "torchcodec" / "discard_first_keyframe.mp4")


def test_damage_that_decord_conceals_is_noticed(tmp_path: Path, decord: Decoder) -> None:
    path = readable_video(tmp_path / "a.mkv", frames=60)
    with av.open(str(path)) as container:
        sizes = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    place, size = max(sizes[20:40], key=lambda one: one[1])
    data[place + size // 2 : place + size // 2 + 30] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(BadVideo, match=r"decord (reports damage|stops at frame)"):
        watch(decord, path)
