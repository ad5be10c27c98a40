"""`ego show`: what is stored for one video, and how it looks over time."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.commands._request import store_option
from ego.commands._spelling import fields
from ego.errors import BadRequest, BadVideo, BrokenEntry, NotExtracted
from ego.report.text import bars, columns, one_line, size

if TYPE_CHECKING:
    from ego.cache.entry import Entry
    from ego.cache.key import FeatureKey
    from ego.cache.marker import Marker
    from ego.cache.store import FeatureStore
    from ego.report.timeline import Track
    from ego.video import Video

SOME_BROKEN = 1
READ_BYTES = 64_000_000  # of larger arrays evenly spaced rows are looked at


@click.command()
@click.argument("video")
@store_option
@click.option("--with", "names", multiple=True, metavar="NAME", help="Only these extractors, by name or digest.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Draw the features over time into a picture.",
)
@click.option(
    "--draw",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.mp4|png",
    help="Draw what is stored over the frames; VIDEO is then the video's file.",
)
@click.option("--seconds", metavar="A:B", help="With --draw: only these seconds of the video.")
@click.option("--moments", type=click.IntRange(1, 50), default=4, show_default=True, help="With --draw: in a png.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an entry on stdout.")
@click.pass_context
def command(
    context: click.Context, video: str, places: tuple[str, ...], names: tuple[str, ...], picture: Path | None,
    draw: Path | None, seconds: str | None, moments: int, as_json: bool,
) -> None:  # fmt: skip
    """Show what is stored for one VIDEO, by its name or digest.

    For each entry: its arrays, rows and seconds, what decoded it, what made it, and a strip of colour
    (three principal components as red, green and blue) over a curve of the rows' size. With --draw flow,
    tracks, maps, hands, gaze, faces and sound are drawn over the frames, side by side.

    \b
    Examples:
      ego show --store features/ S2_Cheese_C1
      ego show --store features/ S2_Cheese_C1 --picture cheese.png
      ego show --store features/ clips/S2_Cheese_C1.mp4 --draw cheese.mp4 --seconds 10:20
    """
    from ego.cache.store import FeatureStore

    store = FeatureStore(*places)
    if draw is not None:
        _draw_over(store, video, names, draw, seconds, moments)
        return
    if seconds is not None:
        raise BadRequest("got --seconds without --draw; give --draw FILE.mp4, or leave it out")
    tracks, broken = _tell(store, video, names, as_json, picture is not None)
    if picture is not None:
        _draw(tracks, video, picture)
    context.exit(SOME_BROKEN if broken else 0)


def _tell(
    store: "FeatureStore", video: str, names: tuple[str, ...], as_json: bool, picture: bool
) -> "tuple[list[Track], bool]":
    """Prints the entries; (what a picture of them shows, whether one is broken)."""
    tracks: list[Track] = []
    broken = False
    for found in _entries(store, video, names or tuple(store.extractors())):
        if isinstance(found, BrokenEntry):
            broken = True
            click.secho(one_line(str(found)), fg="red", err=True)
            continue
        entry = store.entry(found)
        click.echo(json.dumps(_facts(entry.marker)) if as_json else _words(entry.marker))
        with store.guard(entry):
            drawn = _tracks(entry) if picture or not as_json else []
        if not as_json:
            for track in drawn:
                click.echo(_strip(track))
            click.echo()
        tracks += drawn
    return tracks, broken


def _draw_over(
    store: "FeatureStore", path: str, names: tuple[str, ...], file: Path, seconds: str | None, moments: int
) -> None:
    """Draws the entries of a video file, or of these seconds of it, over its frames."""
    from ego.commands import _drawing
    from ego.commands._progress import Bar
    from ego.commands._request import span

    whole = _video_of(store, path)
    video = whole.cut(*span(seconds)) if seconds is not None else whole
    chosen = names or tuple(store.extractors())
    try:
        keys = list(_entries(store, whole.digest, chosen))
    except NotExtracted:
        if video is whole:
            raise
        keys = list(_entries(store, video.digest, chosen))
    broken = next((key for key in keys if isinstance(key, BrokenEntry)), None)
    if broken is not None:
        raise broken
    whole_keys = [key for key in keys if not isinstance(key, BrokenEntry)]
    with Bar() as bar:
        _drawing.draw(store, whole_keys, video, file, moments, partial(bar.counting, "drawing second"))
    click.echo(f"drew {file}: {', '.join(['video', *(key.name for key in whole_keys)])}", err=True)


def _video_of(store: "FeatureStore", path: str) -> "Video":
    """The video in a file, known by its bytes."""
    from ego.media.decode import Decoder
    from ego.pipeline.scan import Failure, scan

    if not Path(path).is_file():
        raise BadRequest(f"got {path!r}, expected the video's file: to draw over its frames they must be read")
    with Decoder() as decoder:
        (found,) = scan([path], decoder, store=store)
    if isinstance(found, Failure):
        raise BadVideo(found.error)
    return found


def _draw(tracks: "list[Track]", video: str, picture: Path) -> None:
    from ego.report.timeline import draw

    try:
        draw(tracks, video, picture)
    except OSError as error:
        raise BadRequest(f"the picture cannot be written to {picture}: {error.strerror}; name another file") from error


def _entries(store: "FeatureStore", video: str, names: tuple[str, ...]) -> "Iterator[FeatureKey | BrokenEntry]":
    """The video's entry under each extractor, or why it cannot be read; none at all is NotExtracted."""
    missing = NotExtracted("nothing is stored here yet; run: ego extract")
    some = False
    for name in names:
        try:
            yield store.key(video, name)
            some = True
        except BrokenEntry as error:
            yield error
            some = True
        except NotExtracted as error:
            missing = error
    if not some:
        raise missing


def _facts(marker: "Marker") -> dict[str, Any]:
    return {
        "video": marker.video_name,
        "video_digest": marker.key.video,
        "signals_digests": list(marker.key.signals),
        "extractor": marker.key.name,
        "extractor_digest": marker.key.extractor,
        "entry": marker.key.path,
        "state": marker.state,
        "reason": marker.reason or None,
        "rows": marker.rows,
        "seconds": marker.seconds and list(marker.seconds),
        "bytes": marker.nbytes,
        "arrays": {
            name: {"shape": [marker.rows, *array.shape], "dtype": array.dtype, "kind": array.kind, "scale": array.scale}
            for name, array in marker.arrays.items()
        },
        "fields": marker.spec and marker.spec.get("fields"),
        "about": dict(marker.about),
    }


def _words(marker: "Marker") -> str:
    """An entry's facts in a few aligned lines."""
    span = f", {marker.seconds[0]:.3f} to {marker.seconds[1]:.3f} s" if marker.seconds else ""
    state = (
        f"{marker.rows} rows{span}, {size(marker.nbytes)}" if marker.state == "stored" else f"absent: {marker.reason}"
    )
    decoded = marker.about.get("decoded") or {}
    took_over = f" ({decoded['took_over']})" if decoded.get("took_over") else ""
    made = [marker.about.get("device"), marker.about.get("made")]
    rows = [
        ("video", f"{marker.video_name or '?'}  {marker.key.video}"),
        ("extractor", f"{marker.key.name}  {marker.key.extractor}"),
        ("fields", " ".join(f"{field}={value}" for field, value in fields(marker.spec)) if marker.spec else "?"),
        ("stored as", marker.key.path),
        ("holds", state),
        ("decoded by", f"{decoded.get('decoder', '?')} {decoded.get('decoder_version', '')}{took_over}".strip()),
        ("made", ", ".join(str(one) for one in made if one)),
    ]
    return columns(rows)


def _tracks(entry: "Entry") -> "list[Track]":
    """Each array of an entry as it is drawn; of a large one evenly spaced rows."""
    import numpy as np

    from ego.report.strip import flat
    from ego.report.timeline import Track

    marker = entry.marker
    if not marker.rows:
        return []
    time, tracks = entry.time(), []
    for name, array in marker.arrays.items():
        row_bytes = int(np.prod(array.shape, dtype=np.int64)) * np.dtype(array.dtype).itemsize
        step = -(-marker.rows * row_bytes // READ_BYTES) or 1
        picked = np.arange(0, marker.rows, step)
        rows = np.concatenate([flat(entry.pick(name, part)) for part in np.array_split(picked, -(-len(picked) // 256))])
        shape = ", ".join(map(str, (marker.rows, *array.shape)))
        tracks.append(Track(f"{marker.key.name} · {name} ({shape}) {array.dtype}", time[picked], rows))
    return tracks


def _strip(track: "Track") -> str:
    """An array in the terminal: its title, a strip of colour where there is colour, a curve of its rows' size."""
    import sys

    from ego.report.strip import ansi, colours, norms

    sizes = norms(track.rows)
    lines = [f"  {one_line(track.title)}"]
    if sys.stdout.isatty():
        lines.append(f"  {ansi(colours(track.rows))}")
    lines.append(f"  {bars(sizes.tolist())}  root mean square {sizes.min():.3g} to {sizes.max():.3g}")
    return "\n".join(lines)
