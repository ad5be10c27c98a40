"""Files of hand boxes and face tracks beside videos of one's own: which belongs to a video, and what wrote it."""

from pathlib import Path

from ego.errors import BadRequest
from ego.signals.boxes import read_100doh, read_epic_hands, read_georkap, read_mot_faces, read_mot_hands
from ego.signals.pickles import read_pickle
from ego.video import Reading

SUFFIXES = (".csv", ".txt", ".json", ".pkl", ".pickle")


def find_boxes(folder: Path, name: str) -> Path | None:
    """The file of a video below a folder: `<name>` with one of the known endings; two are a BadRequest.

    `name` is the video's path without its suffix; its last part will do.
    """
    for called in dict.fromkeys((name, Path(name).name)):
        found = [path for path in (folder / f"{called}{suffix}" for suffix in SUFFIXES) if path.is_file()]
        if len(found) > 1:
            raise BadRequest(f"{found[0]} and {found[1]} are both boxes of {name!r}; keep one of them")
        if found:
            return found[0]
    return None


def read_hands(path: Path, fps: float, size: tuple[int, int]) -> Reading:
    """Hands of a file, told by its ending: MOT (csv, txt), 100DOH (json), EPIC's detections or georkap's points (pkl).

    `fps` is the rate at which it counts frames, `size` the (width, height) whose pixels MOT and georkap speak of.
    """
    if path.suffix == ".json":
        return read_100doh(path, fps)
    if path.suffix in (".pkl", ".pickle"):
        held = read_pickle(path)
        return read_georkap(path, fps, size) if isinstance(held, dict) else read_epic_hands(path, fps)
    return read_mot_hands(path, fps, size)


def read_faces(path: Path, fps: float, size: tuple[int, int]) -> Reading:
    """Face tracks of a MOT file; arguments as of `read_hands`."""
    if path.suffix not in (".csv", ".txt"):
        raise BadRequest(f"got {path.name} for face tracks, expected a MOT file that ends in .csv or .txt")
    return read_mot_faces(path, fps, size)
