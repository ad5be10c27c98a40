import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from readable import draw_number, readable_video

from ego.errors import BadVideo
from ego.media.decode import Decoder


def test_a_header_tells_what_the_container_claims(tmp_path: Path, pyav: Decoder) -> None:
    sound = (np.zeros(64_000, np.float32), 32_000)
    header = pyav.probe(str(readable_video(tmp_path / "a.mp4", fps=29.97, sound=sound)))
    assert header.container.startswith("mov")
    assert (header.codec, header.pixel_format) == ("h264", "yuv420p")
    assert (header.width, header.height, header.rotation) == (160, 120, 0)
    assert header.fps_from_header == pytest.approx(30000 / 1001)
    assert header.frames_from_header == 60
    assert header.seconds_from_header == pytest.approx(60 * 1001 / 30000, abs=0.001)
    assert isinstance(header.time_base, Fraction)
    assert header.has_sound
    assert not pyav.probe(str(readable_video(tmp_path / "b.mkv"))).has_sound


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_width_and_height_are_upright(rotation: int, tmp_path: Path, pyav: Decoder) -> None:
    header = pyav.probe(str(readable_video(tmp_path / "a.mp4", rotation=rotation)))
    assert header.rotation == rotation
    assert (header.width, header.height) == ((120, 160) if rotation in (90, 270) else (160, 120))


def test_real_headers(shared_data: Path, pyav: Decoder) -> None:
    folder = shared_data / "nasty" / "torchcodec"
    nasa = pyav.probe(str(folder / "nasa_13013.mp4"))
    assert (nasa.stream, nasa.width, nasa.height, nasa.frames_from_header) == (3, 480, 270, 390)
    rotated = pyav.probe(str(folder / "nasa_13013_rotated.mp4"))
    assert (rotated.rotation, rotated.width, rotated.height) == (90, 270, 480)
    assert pyav.probe(str(folder / "test_non_zero_start.mp4")).start_seconds == pytest.approx(8.333, abs=0.001)
    assert pyav.probe(str(folder / "av1_video.mkv")).codec == "av1"


def make_bad(kind: str, folder: Path) -> Path:
    """A file that is no video, of one of the kinds below."""
    path = folder / "bad.mp4"
    if kind == "sound only":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=32_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 32_000), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 32_000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        path.write_bytes(readable_video(folder / "whole.mp4").read_bytes()[:-2000])
    elif kind == "playlist":
        path.write_text(f"ffconcat version 1.0\nfile '{readable_video(folder / 'whole.mp4')}'\n")
    elif kind != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "text": b"This is a shopping list.\nMilk\nEggs\n" * 40,
                "random": np.random.default_rng(0).bytes(20_000),
                "zeros": bytes(20_000),
            }[kind]
        )
    return path


BAD = {
    "sound only": "no video stream",
    "folder": "is a folder",
    "truncated": "cannot open|can open|breaks off",
    "playlist": "bad.mp4",
    "missing": "No such file",
    "empty": "is empty",
    "text": "bad.mp4",
    "random": "bad.mp4",
    "zeros": "bad.mp4",
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("choice", ["pyav", "decord"])
def test_what_is_no_video_gives_one_clear_line(
    kind: str, choice: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from asking import watch

    decoder: Decoder = request.getfixturevalue(choice)
    path = make_bad(kind, tmp_path)
    for deed in (lambda: decoder.probe(str(path)), lambda: watch(decoder, path)):
        with pytest.raises(BadVideo, match=BAD[kind]) as caught:
            deed()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path, pyav: Decoder) -> None:
    path = readable_video(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(BadVideo, match="Permission denied"):
        pyav.probe(str(path))


def test_a_name_that_looks_like_an_address_is_a_file(
    tmp_path: Path, pyav: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadVideo, match="No such file"):
        pyav.probe("http://127.0.0.1:9/video.mp4")


def test_cover_art_is_not_the_video(tmp_path: Path, pyav: Decoder) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 160, 120, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(draw_number(1)).reformat(format="yuvj420p")
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
    with av.open(str(path)) as container:
        if not container.streams.video[0].disposition & av.stream.Disposition.attached_pic:
            pytest.skip("this FFmpeg cannot write cover art so")
    with pytest.raises(BadVideo, match="only cover art"):
        pyav.probe(str(path))


def test_a_mirrored_video_is_refused(tmp_path: Path, pyav: Decoder) -> None:
    path = tmp_path / "mirrored.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(draw_number(1))), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(BadVideo, match="mirrored"):
        pyav.probe(str(path))
