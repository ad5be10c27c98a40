"""Where the video files of a data set lie, by the names its annotations use."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ego.errors import BadRequest, BadVideo
from ego.media.frames import PICTURE, list_frames
from ego.video import VIDEO_SUFFIXES


class FileIndex:
    """The videos below a folder by name: the path below it without its suffix, where that is unique.

    Videos are files; with `frames` they are folders of numbered pictures.
    """

    def __init__(self, root: Path, frames: bool = False) -> None:
        if not root.is_dir():
            raise BadRequest(f"{root} is no folder, expected the one that holds the videos")
        self.root, self._frames = root, frames
        self._paths = self._named(sorted(_frame_folders(root) if frames else _files(root, VIDEO_SUFFIXES)))
        self._known: dict[str, set[str]] = defaultdict(set)
        for name, path in self._paths.items():
            relative = path.relative_to(root).as_posix()
            for spelling in (name, relative, self._bare(relative), path.name, self._bare(path.name)):
                self._known[spelling].add(name)

    def items(self) -> Iterable[tuple[str, Path]]:
        """(name, path) of every video."""
        return self._paths.items()

    def path(self, name: str) -> Path:
        """Where the video of this name lies; for one that is not here, where it might."""
        return self._paths.get(name) or self.root / name

    def named(self, spelling: str, source: str) -> str:
        """The name of the video meant by a path below the folder or its last part, with or without suffix.

        A video that is not here keeps the name it was given; one of several is a BadRequest.
        """
        tidy = spelling.replace("\\", "/").removeprefix("./")
        names = self._known.get(spelling) or self._known.get(tidy) or {tidy}
        if len(names) > 1 and spelling not in self._paths:
            raise BadRequest(f"{source}: {spelling!r} may be {' or '.join(map(repr, sorted(names)))}; write it out")
        return spelling if spelling in self._paths else next(iter(names))

    def find(self, spelling: str, source: str) -> str:
        """The name of a video that is here; see `named`."""
        name = self.named(spelling, source)
        if name not in self._paths:
            raise BadRequest(f"{source}: no video {spelling!r} among the {len(self._paths)} in {self.root}")
        return name

    def _named(self, files: Sequence[Path]) -> dict[str, Path]:
        bare = [self._bare(path.relative_to(self.root).as_posix()) for path in files]
        count = Counter(bare)
        return {
            name if count[name] == 1 else path.relative_to(self.root).as_posix(): path
            for name, path in zip(bare, files, strict=True)
        }

    def _bare(self, name: str) -> str:
        """A name without its suffix; a folder has none."""
        return name if self._frames else os.path.splitext(name)[0]


def by_stem(
    root: Path, wanted: Iterable[str], default: str, suffixes: Iterable[str] = VIDEO_SUFFIXES
) -> dict[str, Path]:
    """The file of each wanted name below a folder, wherever it lies; an absent one is `default` with its `{name}`.

    Two files of one name are a BadRequest, as one of them would be taken for the other.
    """
    found: dict[str, Path] = {}
    names = dict.fromkeys(wanted)
    for path in sorted(_files(root, frozenset(suffixes))):
        if path.stem in names and found.setdefault(path.stem, path) != path:
            raise BadRequest(f"two videos are called {path.stem!r}: {found[path.stem]} and {path}; keep one of them")
    return {name: found.get(name) or root / default.format(name=name) for name in names}


def _frame_folders(root: Path) -> Iterable[Path]:
    """The folders below a folder that hold numbered pictures, hidden ones left out."""
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if any(PICTURE.fullmatch(name) and not name.startswith(".") for name in files):
            yield Path(place)


def _files(root: Path, suffixes: frozenset[str]) -> Iterable[Path]:
    """The files below a folder with these suffixes (in lower case), hidden ones left out."""
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if os.path.splitext(name)[1].lower() in suffixes and not name.startswith("."):
                yield Path(place) / name


def numbered(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by their number; copies such as `map0002 (1).png` are passed over.

    None at all, two sequences or a number twice is a BadRequest.
    """
    try:
        found = list_frames(folder)
    except BadVideo as error:
        raise BadRequest(f"{folder.parent}: {error}") from error
    return {found.lowest + number: folder / name for number, name in zip(found.numbers, found.names, strict=True)}
