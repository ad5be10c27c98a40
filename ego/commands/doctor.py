"""`ego doctor`: whether this machine has what `ego` needs, by trying it."""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import click

import ego
from ego.errors import BadRequest, BadVideo
from ego.report.text import columns, size

NEEDED = ("numpy", "torch", "zarr", "zarrs", "av", "blake3", "click", "rich", "pillow", "safetensors")
OPTIONAL = {
    "decord": "the second decoder",
    "onnxruntime": "image_model with ONNX files",
    "ai-edge-litert": "image_model with TFLite files",
}
CODECS = {
    "h264": ("libx264", ".mp4"),
    "hevc": ("libx265", ".mp4"),
    "vp9": ("libvpx-vp9", ".webm"),
    "av1": ("libsvtav1", ".mkv"),
    "mpeg4": ("mpeg4", ".avi"),
}
SOMETHING_MISSING = 1


@dataclass(frozen=True)
class Check:
    """One thing looked at: `good`, `missing` (needed) or `without` (something optional is not there)."""

    what: str
    state: Literal["good", "missing", "without"]
    found: str


@click.command()
@click.option("--store", "places", multiple=True, envvar="EGO_STORE", metavar="DIR", help="A store to look at too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a check on stdout.")
@click.pass_context
def command(context: click.Context, places: tuple[str, ...], as_json: bool) -> None:
    """Say whether this machine has what ego needs, by trying it.

    Versions, devices, writable folders, and each decoder and codec with a small video drawn for it.
    Exit code 1: something that is needed is missing.

    \b
    Example:
      ego doctor --store features/
    """
    missing = False
    for check in _checks(places):
        missing |= check.state == "missing"
        if as_json:
            click.echo(json.dumps(asdict(check)))
        else:
            mark = {"good": "ok     ", "missing": "MISSING", "without": "without"}[check.state]
            colour = {"good": "green", "missing": "red", "without": "yellow"}[check.state]
            click.echo(f"{click.style(mark, fg=colour)}  {columns([(f'{check.what:<24}', check.found)])}")
    context.exit(SOMETHING_MISSING if missing else 0)


def _checks(places: tuple[str, ...]) -> Iterator[Check]:
    yield Check("ego", "good", f"{ego.__version__} on Python {platform.python_version()}, {platform.platform()}")
    for name in NEEDED:
        yield _version(name, needed=True, use="")
    for name, use in OPTIONAL.items():
        yield _version(name, needed=False, use=use)
    yield from _devices()
    yield from _folders(places)
    yield from _decoders()


def _version(name: str, *, needed: bool, use: str) -> Check:
    try:
        return Check(name, "good", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "missing" if needed else "without", f"not installed{f': {use}' if use else ''}")


def _devices() -> Iterator[Check]:
    import torch

    cores = len(os.sched_getaffinity(0))
    yield Check("cpu", "good", f"{cores} cores, torch uses {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        yield Check("gpu", "without", "torch sees none; networks run on the CPU")
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        yield Check(f"cuda:{index}", "good", f"{facts.name}, {size(facts.total_memory)}")


def _folders(places: tuple[str, ...]) -> Iterator[Check]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ego"
    yield _folder("user's cache", cache)
    yield _folder("temporary files", Path(tempfile.gettempdir()))
    for place in places:
        try:
            ego.open(place)
        except BadRequest as error:
            yield Check("store", "missing", str(error))
        else:
            yield _folder("store", Path(place))


def _folder(what: str, folder: Path) -> Check:
    """Whether a file can be made in a folder (or where it would be made), and how much room there is."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return Check(what, "good", f"{folder}, {size(shutil.disk_usage(there).free)} free")
    except OSError as error:
        return Check(what, "missing", f"{folder} cannot be written: {error.strerror}")


def _decoders() -> Iterator[Check]:
    """Each decoder on an H.264 video, then each codec with whichever decoder serves it."""
    import torch

    with tempfile.TemporaryDirectory(prefix="ego-doctor-") as folder:
        for decoder, needed in (("decord", False), ("pyav", True)):
            good, words = _decode(Path(folder), "h264", decoder)
            yield Check(f"decoder {decoder}", "good" if good else "missing" if needed else "without", words)
        if torch.cuda.is_available():
            good, words = _decode(Path(folder), "h264", "nvdec")
            yield Check("decoder nvdec", "good" if good else "without", words)
        else:
            yield Check("decoder nvdec", "without", "it needs a GPU")
        for codec in CODECS:
            good, words = _decode(Path(folder), codec, "auto")
            yield Check(
                f"codec {codec}", "good" if good else "without", words.partition(" with ")[0] if good else words
            )


def _decode(folder: Path, codec: str, decoder: str) -> tuple[bool, str]:
    """Whether a drawn video of 24 frames comes back whole, and what decoded it or why not."""
    import numpy as np

    from ego.media.decode import Decoder, Look
    from ego.media.encode import encode
    from ego.sampling import Window
    from ego.video import Picture, Video

    encoder, suffix = CODECS[codec]
    os.environ.setdefault("SVT_LOG", "1")  # that encoder greets on stderr otherwise
    shade = np.arange(24, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 96, 3), np.uint8) * 8
    try:
        file = encode(folder / f"{codec}{suffix}", shade, fps=24, codec=encoder)
    except BadRequest as error:
        return False, f"not tried: no video of this kind can be drawn here ({error})"
    try:
        with Decoder(decoder) as decoding:  # type: ignore[arg-type]
            video = Video("0" * 64, codec, str(file), decoding.probe(str(file)))
            count = sum(1 for _ in decoding.frames(video, [Look(Picture("native", 0), Window())]))
            facts = decoding.decoded
    except (BadVideo, BadRequest) as error:
        return False, str(error)
    libraries = ", ".join(f"{name} {version}" for name, version in facts.libraries.items())
    words = f"{facts.decoder} {facts.decoder_version}" + (f" with {libraries}" if libraries else "")
    return count == 24, words if count == 24 else f"{words} gave {count} of 24 frames"
