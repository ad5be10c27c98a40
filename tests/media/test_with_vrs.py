"""Project Aria's recordings through Meta's reader, and a clear word where it is not installed."""

import sys

import pytest

from ego.errors import BadVideo
from ego.media.decode import Decoder, Look
from ego.media.with_vrs import VrsSource, first_picture_us
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Picture, Video

RECORDING = "aria/aria_everyday_activities_test_data__recording.vrs"


def test_a_recording_is_a_video(shared_data):
    pytest.importorskip("projectaria_tools", reason="Meta's reader is not installed")
    picture = Picture("short", 64)
    with Decoder() as decoder:
        (one,) = scan([shared_data / RECORDING], decoder)
        assert isinstance(one, Video)
        assert one.header is not None
        assert (one.header.container, one.header.width, one.header.rotation) == ("vrs", 1408, 270)
        shown = [
            (f.start, f.pictures[picture].mean(axis=(1, 2)))
            for f in decoder.frames(one, [Look(picture, Window(frames=1))])
        ]
        assert decoder.decoded.decoder == "projectaria_tools"
    assert [start for start, _ in shown] == pytest.approx([n / 20 for n in range(8)], abs=1e-3)
    rows = shown[0][1]
    assert rows[8:24].mean() > 1.2 * rows[56:].mean()  # upright: a lit ceiling above, a dark floor below


def test_the_first_picture_is_second_zero(shared_data, capfd):
    pytest.importorskip("projectaria_tools", reason="Meta's reader is not installed")
    assert first_picture_us(str(shared_data / RECORDING)) == 86385246
    assert capfd.readouterr() == ("", "")


def test_without_the_reader_it_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.vrs").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "projectaria_tools", None)
    monkeypatch.setitem(sys.modules, "projectaria_tools.core.data_provider", None)
    with pytest.raises(
        BadVideo, match=r"'a.vrs' is a recording of Project Aria.*pip install --no-deps projectaria-tools"
    ):
        VrsSource(str(tmp_path / "a.vrs"), lambda: None)


def test_what_is_no_recording_is_refused(tmp_path):
    pytest.importorskip("projectaria_tools", reason="Meta's reader is not installed")
    (tmp_path / "a.vrs").write_bytes(b"no recording" * 100)
    with Decoder() as decoder, pytest.raises(BadVideo, match=r"'a.vrs' (holds no RGB camera|cannot be)"):
        decoder.probe(str(tmp_path / "a.vrs"))
