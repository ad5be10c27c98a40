"""The figures of a run, drawn from the files in its folder into `figures/`."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.report import charts

Method = Literal["tsne", "umap"]
METHODS: Mapping[Method, str] = {"tsne": "t-SNE", "umap": "UMAP"}

MOST_CLIPS = 1500
"""So many clips at most are placed on a map or held against each other; of more an even share."""


def draw(folder: Path, method: Method = "tsne") -> list[Path]:
    """Draws what a run's folder has the numbers for, and gives the pictures' paths.

    `loss.png`; for each task of classes and each split but train `confusion-SPLIT-TASK.png` and
    `classes-SPLIT-TASK.png` over all folds; from `embeddings.npz` `correlation.png` and, by method, `tsne.png` or
    `umap.png`, unless all clips lie in one point.
    """
    out = folder / "figures"
    return [*_losses(folder, out), *_classes(folder, out), *_embeddings(folder, out, method)]


@contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """The path of a run's file while it is read; one that is damaged is a BadRequest."""
    try:
        yield path
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise BadRequest(f"{path} cannot be read ({type(error).__name__}); fit the run again") from error


def _losses(folder: Path, out: Path) -> Iterator[Path]:
    """What each step of training cost, by fold; where an epoch was judged, that too."""
    with _reading(folder / "log.jsonl") as path:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in lines:
        if "loss" in line and "step" in line:
            series[line.get("fold") or "training"].append((line["step"], line["loss"]))
    if series:
        points = {name: _columns(some) for name, some in series.items()}
        charts.curves(points, out / "loss.png", "Loss while training", "step", "loss")
        yield out / "loss.png"


def _columns(points: Sequence[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = np.asarray(points, np.float64)
    return table[:, 0], table[:, 1]


def _classes(folder: Path, out: Path) -> Iterator[Path]:
    """Who is taken for whom, and how much of each class is found."""
    spaces = _label_spaces(folder)
    for (split, task), rows in _predictions(folder).items():
        if split == "train" or task not in spaces:
            continue
        place = {name: number for number, name in enumerate(spaces[task])}
        pairs = [(place[label], place[said]) for label, said in rows if label in place and said in place]
        if not pairs:
            continue
        labels, said = np.array(pairs).T
        name = f"{split}-{task}"
        charts.confusion(labels, said, spaces[task], out / f"confusion-{name}.png", f"{task} taken for what ({split})")
        counts = {spaces[task][one]: int((labels == one).sum()) for one in np.unique(labels)}
        recall = {spaces[task][one]: float((said[labels == one] == one).mean()) for one in np.unique(labels)}
        charts.bars(recall, counts, out / f"classes-{name}.png", f"Found of each class of {task} ({split})")
        yield from (out / f"confusion-{name}.png", out / f"classes-{name}.png")


def _label_spaces(folder: Path) -> dict[str, Sequence[str]]:
    """The classes of each task that has some, as the run says them."""
    with _reading(folder / "run.json") as path:
        tasks: Mapping[str, Any] = json.loads(path.read_text())["plan"]["problem"]["tasks"]
    return {name: task["fields"]["classes"] for name, task in tasks.items() if task["fields"].get("classes")}


def _predictions(folder: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(label, said) of each labelled clip by split and task."""
    from pyarrow import parquet

    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    with _reading(folder / "predictions.parquet") as path:
        table = parquet.read_table(path, columns=["split", "task", "label", "said"])
    for row in table.to_pylist():
        label, said = (json.loads(row[key]) if row[key] else None for key in ("label", "said"))
        if isinstance(label, str) and isinstance(said, str):
            found[row["split"], row["task"]].append((label, said))
    return found


def _embeddings(folder: Path, out: Path, method: Method) -> Iterator[Path]:
    """Tested clips by what the head makes of them: those of the fold that tests the most, as each has its own head."""
    path = folder / "embeddings.npz"
    if not path.is_file():
        return
    with _reading(path), np.load(path) as held:
        most = held["fold"] == np.bincount(held["fold"]).argmax() if len(held["fold"]) else np.empty(0, bool)
        features, labels = held["features"][most].astype(np.float32), held["labels"][most]
        classes = [str(name) for name in held["classes"]]
    some = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), MOST_CLIPS)).astype(np.int64))
    features, labels = features[some], labels[some]
    if len(labels) < 5:
        return
    charts.correlation(features, labels, classes, out / "correlation.png")
    yield out / "correlation.png"
    if not np.ptp(features, axis=0).any():  # a head that says the same of every clip: t-SNE of equal points crashes
        return
    path = out / f"{method}.png"
    charts.scatter(neighbours(features, method), labels, classes, path, f"{METHODS[method]} of the head's features")
    yield path


def neighbours(features: NDArray[np.floating[Any]], method: Method = "tsne") -> NDArray[np.float32]:
    """(n, 2) places of (n, D) with D at most 50 principal components; equal input, equal picture.

    UMAP is of the package umap-learn; where that is not installed it is a BadRequest.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    count = min(50, *features.shape)
    with threadpool_limits(1):  # on a busy machine threads wait for each other at every one of 1000 small steps
        reduced = PCA(count, random_state=0).fit_transform(features - features.mean(axis=0))
        return np.asarray((_tsne if method == "tsne" else _umap)(len(features)).fit_transform(reduced), np.float32)


def _tsne(count: int) -> Any:
    from sklearn.manifold import TSNE

    return TSNE(2, perplexity=min(30.0, (count - 1) / 3), init="pca", random_state=0)


def _umap(count: int) -> Any:
    try:
        import umap
    except ImportError as error:
        raise BadRequest(
            "UMAP needs the package umap-learn, which is not installed: pip install 'ego[umap]'"
        ) from error
    return umap.UMAP(n_neighbors=min(15, count - 1), init="pca", random_state=0, n_jobs=1)
