"""Which of the readers opens a video: a file by PyAV or decord, a folder of pictures, a recording of Project Aria."""

from typing import Any

from ego.media.errorlog import ErrorLog
from ego.media.probe import read_header
from ego.media.shots import Beat, Unfit
from ego.media.wire import Message

VRS = ".vrs"


def open_source(request: Message, log: ErrorLog, beat: Beat) -> Any:
    """The frames of a request's video by the decoder that it names; Unfit where that one cannot serve it."""
    if request.get("rate") or request["path"].lower().endswith(VRS):
        return _open_pictures(request, log, beat)
    if request["decoder"] == "decord":
        if request["part"] is not None:
            raise Unfit("decord is not asked for a part of a video")
        try:
            from ego.media.with_decord import DecordSource
        except (ImportError, OSError) as error:
            raise Unfit(f"decord cannot be loaded: {error}") from error
        return DecordSource(request["path"], request["threads"], log, beat)
    from ego.media.with_pyav import PyAVSource

    start = None if request["part"] is None else request["part"][0]
    gpu = request["decoder"] == "nvdec"
    return PyAVSource(request["path"], request["threads"], log, beat, start, gpu)


def _open_pictures(request: Message, log: ErrorLog, beat: Beat) -> Any:
    """A folder of pictures or a recording of Project Aria, whatever decoder is asked: each has but one reader."""
    if request["decoder"] == "decord":
        raise Unfit("decord opens no folder of pictures and no recording")
    if not request.get("rate"):
        from ego.media.with_vrs import VrsSource

        return VrsSource(request["path"], beat)
    from ego.media.with_folder import FolderSource

    start = None if request["part"] is None else request["part"][0]
    return FolderSource(request["path"], request["rate"], log, beat, start)


def plain_header(path: str, rate: float) -> Message:
    """The word that tells a video's header; with a rate the path is a folder of pictures."""
    if rate:
        from ego.media.with_folder import read_folder_header

        found = read_folder_header(path, rate)
    elif path.lower().endswith(VRS):
        from ego.media.with_vrs import VrsSource

        found = VrsSource(path, lambda: None).header()
    else:
        found = read_header(path)
    header = vars(found).copy()
    return {"is": "header", "header": header | {"time_base": str(header["time_base"])}}
