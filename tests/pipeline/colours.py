"""A data set that a mean colour solves: three drawn videos whose seconds are red, green or blue."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ego.cache.store import FeatureStore
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.recipe import read
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder

FPS = 10
ORDER = {"one": "rgbrgb", "two": "bbggrr", "three": "grbbrg"}
COLOURS = {"r": (200, 40, 40), "g": (40, 200, 40), "b": (40, 40, 200)}

RECIPE = """# cost: none
[dataset]
name = "folder"
csv = "table.csv"
folder = "videos"

[extractors.colour]
name = "mean_rgb"
window = { fps = 5.0 }

[tasks.verb]
name = "classify"
label = "verb"
top = [2]

[head]
name = "linear"

[training]
epochs = 40
lr = 0.1
"""


@dataclass(frozen=True)
class Colours:
    """Where the data set, its recipe and its store lie."""

    data: Path
    recipe: Path
    store: Path


def draw(folder: Path) -> Colours:
    """Draws, annotates and extracts the data set into a folder."""
    found = Colours(folder / "data", folder / "colours.toml", folder / "features")
    (found.data / "videos").mkdir(parents=True)
    lines = ["video,start,stop,verb"]
    for number, (name, order) in enumerate(ORDER.items()):
        encode(found.data / "videos" / f"{name}.mp4", pictures(order, number), FPS)
        lines += [f"{name},{second},{second + 1},{letter}" for second, letter in enumerate(order)]
    (found.data / "table.csv").write_text("\n".join(lines) + "\n")
    found.recipe.write_text(RECIPE)
    fill(found)
    return found


def pictures(order: str, seed: int) -> Iterator[np.ndarray]:
    """(48, 64, 3) noise around each second's colour."""
    generator = np.random.default_rng(seed)
    for letter in order:
        for _ in range(FPS):
            noise = generator.integers(-30, 31, (48, 64, 3))
            yield (np.array(COLOURS[letter]) + noise).astype(np.uint8)


def fill(colours: Colours, *settings: str) -> None:
    """Extracts every extractor of the recipe into the store."""
    recipe = read(colours.recipe, settings, finder := WeightFinder([]))
    store = FeatureStore(colours.store, create=True)
    with Decoder() as decoder:
        videos = list(scan(recipe.dataset.videos(colours.data).values(), decoder))
    events = list(extract(work(videos, list(recipe.extractors.values()), store), store, finder))
    assert all(event.state == "stored" for event in events if isinstance(event, Outcome))


def fit(colours: Colours, out: Path, *settings: str, folds: tuple[str, ...] = ()) -> Path:
    """The folder of a run of the recipe."""
    from ego.pipeline.fit import Workplace, fit

    recipe = read(colours.recipe, settings, finder := WeightFinder([]))
    with Decoder() as decoder:
        at = Workplace(colours.data, FeatureStore(colours.store), finder, decoder, out)
        return list(fit(recipe, at, folds))[-1].folder
