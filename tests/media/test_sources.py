"""Which reader opens what."""

from pathlib import Path

import pytest
from PIL import Image

from ego.errors import BadVideo
from ego.media.errorlog import ErrorLog
from ego.media.shots import Unfit
from ego.media.sources import open_source, plain_header


def ask(path: Path, decoder: str, rate: float = 0.0, part: tuple[float, float] | None = None) -> dict[str, object]:
    return {"path": str(path), "decoder": decoder, "rate": rate, "part": part, "threads": 1}


def test_a_file_a_folder_and_what_decord_cannot(tmp_path, readable_video):
    file = readable_video(tmp_path / "a.mp4", frames=6)
    (tmp_path / "clip").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "clip/f_1.png")
    with (tmp_path / "log").open("w+b", buffering=0) as stream:
        log = ErrorLog(stream.fileno())
        kinds = {}
        for path, rate in ((file, 0.0), (tmp_path / "clip", 15.0)):
            source = open_source(ask(path, "pyav", rate), log, lambda: None)
            kinds[path.name] = type(source).__name__
            source.close()
        assert kinds == {"a.mp4": "PyAVSource", "clip": "FolderSource"}
        for path, rate in ((tmp_path / "clip", 15.0), (tmp_path / "a.vrs", 0.0)):
            with pytest.raises(Unfit, match="decord opens no folder of pictures and no recording"):
                open_source(ask(path, "decord", rate), log, lambda: None)
        with pytest.raises(Unfit, match="decord is not asked for a part"):
            open_source(ask(file, "decord", part=(0.0, 1.0)), log, lambda: None)


def test_headers_are_plain(tmp_path, readable_video):
    assert plain_header(str(readable_video(tmp_path / "a.mp4", frames=6)), 0.0)["header"]["time_base"].startswith("1/")
    with pytest.raises(BadVideo, match="holds no numbered picture"):
        plain_header(str(tmp_path), 15.0)
