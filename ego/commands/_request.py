"""What a command line asks for: which store, which extractors, which videos; shared by several commands."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.errors import BadRequest

if TYPE_CHECKING:
    from ego.cache.store import FeatureStore
    from ego.datasets._base import Annotations
    from ego.extractors._base import Extractor
    from ego.media.decode import Choice
    from ego.pipeline.jobs import Readings
    from ego.pipeline.recipe import Recipe
    from ego.pipeline.scan import Failure
    from ego.pipeline.weights import WeightFinder
    from ego.video import Reading, Video

Command = Callable[..., Any]

store_option = click.option(
    "--store", "places", required=True, multiple=True, envvar="EGO_STORE", metavar="DIR",
    help="The store; a second one is read through. [$EGO_STORE]",
)  # fmt: skip

skip_missing_option = click.option(
    "--skip-missing", is_flag=True, help="Go on without the data set's videos that are not there, and say how many."
)

_extractor_options = [
    click.option("--with", "names", multiple=True, metavar="NAME", help="An extractor; repeat it for more."),
    click.option("--set", "settings", multiple=True, metavar="NAME.FIELD=VALUE", help="One field of an extractor."),
    click.option("--weights", multiple=True, metavar="DIR", help="Where weights files lie. [$EGO_WEIGHTS]"),
]
_video_options = [
    click.option("--data", metavar="DIR", help="Where the recipe's data set lies."),
    click.option("--videos", multiple=True, metavar="LIST.txt|GLOB", help="More videos: a list, a pattern, a folder."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The first N videos only."),
    click.option("--seconds", metavar="A:B", help="Only these seconds of each video's own clock."),
    click.option("--split", metavar="NAME", help="Only videos with clips in this split of the data set."),
    click.option("--decoder", type=click.Choice(["auto", "decord", "pyav", "nvdec"]), default="auto", show_default=True,
                 help="What decodes."),
    click.option("--rehash", is_flag=True, help="Read every byte again instead of trusting name, size and date."),
    skip_missing_option,
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """The extractors and videos a command line names, looked up when asked for."""

    arguments: tuple[str, ...]
    names: tuple[str, ...]
    settings: tuple[str, ...]
    weights: tuple[str, ...]
    data: str | None
    more_videos: tuple[str, ...]
    limit: int | None
    seconds: str | None
    split: str | None
    decoder: "Choice"
    rehash: bool
    skip_missing: bool = False

    @property
    def recipe_path(self) -> str | None:
        """The first argument, where it is a `.toml` file."""
        return self.arguments[0] if self.arguments and self.arguments[0].endswith(".toml") else None

    @property
    def video_arguments(self) -> tuple[str, ...]:
        """Every argument and list that means videos."""
        return self.arguments[1 if self.recipe_path else 0 :] + self.more_videos

    @property
    def names_videos(self) -> bool:
        """Whether videos are meant at all: by argument or by a recipe with `--data`."""
        return bool(self.video_arguments or (self.recipe_path and self.data))

    @cached_property
    def finder(self) -> "WeightFinder":
        """Where weights are looked for."""
        from ego.pipeline.weights import WeightFinder

        return WeightFinder([Path(folder) for folder in self.weights])

    @cached_property
    def recipe(self) -> "Recipe | None":
        """The recipe, where one is named."""
        from ego.pipeline import recipe

        return recipe.read(Path(self.recipe_path), self.settings, self.finder) if self.recipe_path else None

    @cached_property
    def extractors(self) -> "dict[str, Extractor]":
        """The extractors by the names the recipe or `--with` gives them; none is a BadRequest."""
        from ego.pipeline import recipe

        if self.recipe and self.names:
            raise BadRequest("got a recipe and --with; name the extractors in one of them, not in both")
        if self.recipe:
            return dict(self.recipe.extractors)
        found = recipe.extractors_from(self.names, self.settings, self.finder)
        if not found:
            raise BadRequest("got no extractor; name one with --with (`ego ls extractors` lists them) or in a recipe")
        return found

    def scan(
        self, store: "FeatureStore | None", watch: Callable[[int, int], None] = lambda done, total: None
    ) -> "tuple[list[Video], list[Failure]]":
        """The videos that are meant, and those that cannot be read; `watch(done, total)` sees each."""
        from ego.media.decode import Decoder
        from ego.pipeline.scan import scan
        from ego.video import Video

        paths = self._paths()[: self.limit]
        found: list[Video | Failure] = []
        with Decoder(self.decoder) as decoder:
            for one in scan(paths, decoder, store=store, rehash=self.rehash, rates=self._rates()):
                found.append(one)
                watch(len(found), len(paths))
        videos = [one for one in found if isinstance(one, Video)]
        if self.seconds is not None:
            start, stop = span(self.seconds)
            videos = [video.cut(start, stop) for video in videos]
        return videos, [one for one in found if not isinstance(one, Video)]

    def readings(self, videos: "Sequence[Video]") -> "Readings":
        """The signals the data set has beside each video, by its digest."""
        return dict(self._readings(videos))

    def _readings(self, videos: "Sequence[Video]") -> "Iterator[tuple[str, dict[str, Reading]]]":
        from ego.pipeline.needs import asks_for_signals

        if self.recipe is None or self.recipe.dataset is None or self.data is None:
            return
        if not asks_for_signals(self.recipe.extractors.values()):
            return
        names = {os.path.abspath(path): name for name, path in self.annotations.videos.items()}
        for video in videos:
            if video.path in names:
                yield video.digest, self.recipe.dataset.readings(Path(self.data), names[video.path])

    def _rates(self) -> dict[str, float]:
        """Pictures a second of the data set's folders of pictures, by absolute path."""
        if self.data is None:
            return {}
        from ego.pipeline.clips import rates_by_path

        return rates_by_path(self.annotations)

    def _paths(self) -> list[Path]:
        from ego.pipeline.scan import find_videos

        named = find_videos(self.video_arguments) if self.video_arguments else []
        if self.data is not None:
            named += self._dataset_videos()
        elif self.split is not None:
            raise BadRequest("got --split without a data set; give a recipe and --data DIR")
        if not named:
            raise BadRequest("got no video; name files, folders, a LIST.txt, or a recipe with --data DIR")
        return named

    @cached_property
    def annotations(self) -> "Annotations":
        """What the recipe's data set says of the videos that are there, with `--skip-missing` of those alone."""
        from ego.datasets._base import present

        if self.recipe is None or self.recipe.dataset is None:
            raise BadRequest("got --data without a recipe that names a data set; give RECIPE.toml as first argument")
        found, absent = present(self.recipe.dataset.read(Path(str(self.data))), self.skip_missing)
        tell_absent(found, absent)
        return found

    def _dataset_videos(self) -> list[Path]:
        """The data set's files, all of them or those with clips in the split."""
        found = self.annotations
        if self.split is None:
            return list(found.videos.values())
        splits = sorted({split for fold in found.folds.values() for split in fold})
        if self.split not in splits:
            raise BadRequest(f"got split {self.split!r}, expected one of: {', '.join(splits)}")
        meant = {found.clips[index].video for fold in found.folds.values() for index in fold.get(self.split, ())}
        return [path for name, path in found.videos.items() if name in meant]


def asks(command: Command) -> Command:
    """Adds the options that name extractors and videos; the function gets them as one `request`."""

    @wraps(command)
    def with_request(
        arguments: tuple[str, ...], names: tuple[str, ...], settings: tuple[str, ...], weights: tuple[str, ...],
        data: str | None, videos: tuple[str, ...], limit: int | None, seconds: str | None, split: str | None,
        decoder: "Choice", rehash: bool, skip_missing: bool, **rest: Any,
    ) -> Any:  # fmt: skip
        request = Request(
            arguments, names, settings, weights, data, videos, limit, seconds, split, decoder, rehash, skip_missing
        )  # fmt: skip
        return command(request=request, **rest)

    wrapped: Command = click.argument("arguments", nargs=-1, metavar="[RECIPE.toml] [VIDEOS]...")(with_request)
    for option in reversed(_extractor_options + _video_options):
        wrapped = option(wrapped)
    return wrapped


def tell_absent(found: "Annotations", absent: "Sequence[str]") -> None:
    """Says on stderr how many videos of the data set are gone without."""
    if absent:
        total = len(found.videos) + len(absent)
        click.echo(f"going on without {len(absent)} of {total} videos, which are not there", err=True)


def span(text: str) -> tuple[float, float]:
    """`A:B` as seconds; anything else is a BadRequest."""
    number = r"(\d+(?:\.\d*)?|\.\d+)"
    match = re.fullmatch(f"{number}:{number}", text.strip())
    if not match:
        raise BadRequest(f"got seconds {text!r}, expected A:B such as 3.5:20")
    return float(match[1]), float(match[2])
