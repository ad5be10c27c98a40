"""`ego show --draw`: what is stored for a video, drawn over its frames into a video or a contact sheet."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ego.errors import BadRequest

if TYPE_CHECKING:
    from ego.cache.key import FeatureKey
    from ego.cache.store import FeatureStore
    from ego.pipeline.around import Around, Shown
    from ego.report.overlay import Pixels
    from ego.report.panels import Panel, Strip
    from ego.video import Video

PANEL_HEIGHT = 270
COLUMNS = 3
SHEET_COLUMNS = 6
SOUND_SECONDS = 5.0
HEARD = ("log_mel", "mfcc", "sound")
Watch = Callable[[int, int], None]


def draw(
    store: "FeatureStore", keys: "Sequence[FeatureKey]", video: "Video", file: Path, moments: int, watch: Watch
) -> None:
    """Writes an MP4 of every frame, or a PNG of some moments; `watch(done, total)` sees the seconds drawn."""
    from ego.media.decode import Decoder
    from ego.pipeline.around import Around, frames
    from ego.video import Picture

    if file.suffix.lower() not in (".png", ".mp4"):
        raise BadRequest(f"got --draw {str(file)!r}, expected a file that ends in .png or .mp4")
    if not file.parent.is_dir():
        raise BadRequest(f"the folder {file.parent} of --draw is not there; make it or name another")
    around = [Around(store, key) for key in keys]
    with Decoder() as decoder:
        picture = Picture("height", PANEL_HEIGHT)
        if file.suffix.lower() == ".png":
            _sheet(around, list(frames(video, decoder, picture, _moments(video, moments))), file)
        else:
            _film(around, frames(video, decoder, picture), video, file, watch)


def _moments(video: "Video", count: int) -> list[float]:
    start, stop = span(video)
    return [start + (place + 0.5) * (stop - start) / count for place in range(count)]


def span(video: "Video") -> tuple[float, float]:
    """Start and stop of what is drawn, in seconds, as the container claims them."""
    if video.part:
        return video.part
    header = video.header
    return (header.start_seconds, header.start_seconds + header.seconds_from_header) if header else (0.0, 0.0)


def _film(around: "list[Around]", shown: "Iterator[Shown]", video: "Video", file: Path, watch: Watch) -> None:
    from ego.media.encode import encode
    from ego.report.panels import moment

    total = span(video)

    def pictures() -> "Iterator[Pixels]":
        for one in shown:
            panels, strips = _drawn(around, one)
            yield moment(panels, strips, min(COLUMNS, len(panels)))
            watch(round(one.stop - total[0]), round(total[1] - total[0]))

    rate = video.header.fps_from_header if video.header and video.header.fps_from_header else 30.0
    encode(file, pictures(), rate, crf=20)


def _sheet(around: "list[Around]", shown: "list[Shown]", file: Path) -> None:
    from PIL import Image

    from ego.report.panels import sheet

    if not shown:
        raise BadRequest("the video shows no frame at the moments to be drawn; choose others with --seconds")
    drawn = sheet([(one.start, *_drawn(around, one)) for one in shown], SHEET_COLUMNS)
    Image.fromarray(drawn).save(file, format="PNG")


def _drawn(around: "list[Around]", shown: "Shown") -> "tuple[list[Panel], list[Strip]]":
    """The frame itself, a panel for each entry that has something to draw on it, and a strip for each sound."""
    from ego.report.overlay import DRAWN, Layer, overlay
    from ego.report.panels import Panel

    now = (shown.start + shown.stop) / 2
    panels, strips = [Panel("video", shown.picture)], []
    for one in around:
        if one.name in HEARD:
            strips.append(_strip(one, now))
            continue
        rows, time = one.at(now)
        layers = [Layer(name, one.arrays[name].kind, values, time, rows) for name, values in rows.items()]
        if any(layer.kind in DRAWN for layer in layers):
            panels.append(Panel(one.name, overlay(shown.picture, layers, now)))
    return panels, strips


def _strip(one: "Around", now: float) -> "Strip":
    from ego.report.panels import Strip

    start, stop = now - SOUND_SECONDS / 2, now + SOUND_SECONDS / 2
    rows, time = one.between(start, stop)
    values = rows["feature"]
    if not len(values):
        return Strip(one.name, np.zeros((0, 0), np.float32), 0.5)
    if values.ndim == 2:  # waveforms: how loud each hundredth of a row is
        values = np.abs(values[:, : values.shape[1] // 100 * 100].reshape(len(values), 100, -1)).max(axis=2)[..., None]
    low, high = float(time[0, 0]), float(time[-1, 2])
    return Strip(one.name, values.reshape(-1, values.shape[-1]), (now - low) / max(high - low, 1e-6))
