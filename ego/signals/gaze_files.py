"""Gaze files beside videos of one's own: which belongs to a video, and what wrote it."""

from pathlib import Path

from ego.errors import BadRequest
from ego.signals.begaze import read_begaze
from ego.signals.gaze import EGO4D_COLUMNS, EGOEXO_COLUMNS, read_ego4d_gaze, read_egoexo_gaze
from ego.signals.pupil import SCENE, is_export, read_export
from ego.signals.table import read_lines
from ego.video import Reading

SUFFIXES = (".csv", ".txt")


def find_gaze(folder: Path, name: str) -> Path | None:
    """The gaze of a video below a folder: `<name>.csv`, `<name>.txt` or an export's folder `<name>/`.

    `name` is the video's path without its suffix; its last part will do. Two that would serve are a BadRequest.
    """
    for called in dict.fromkeys((name, Path(name).name)):
        files = [folder / f"{called}{suffix}" for suffix in SUFFIXES]
        found = [path for path in files if path.is_file()] + [folder / called] * is_export(folder / called)
        if len(found) > 1:
            raise BadRequest(f"{found[0]} and {found[1]} are both gaze of {name!r}; keep one of them")
        if found:
            return found[0]
    return None


def read_gaze(path: Path, fps: float = 24.0, size: tuple[int, int] = SCENE) -> Reading:
    """The gaze of a file or export, told by its header: BeGaze, Ego4D, Ego-Exo4D, Pupil Player or Pupil Cloud.

    `fps` is the rate at which a file numbers the video's pictures (BeGaze, Ego-Exo4D), `size` the (width, height) of
    the picture whose pixels it speaks of, where it does not say (Pupil Cloud, Ego-Exo4D).
    """
    if path.is_dir():
        return read_export(path, size)
    lines = read_lines(path, "a gaze file")
    if any(line.startswith(("## [BeGaze]", "Time\t")) for line in lines):
        return read_begaze(path, round(fps)).reading(fps)
    header = {cell.strip() for cell in lines[0].split(",")}
    if set(EGO4D_COLUMNS) <= header:
        return read_ego4d_gaze(path)
    if set(EGOEXO_COLUMNS) <= header:
        return read_egoexo_gaze(path, size, fps)
    raise BadRequest(
        f"{path.name}, line 1: got {lines[0].strip()!r:.80}, expected the header of a gaze file of BeGaze, Ego4D or "
        "Ego-Exo4D, or a folder with an export of Pupil Player or Pupil Cloud"
    )
