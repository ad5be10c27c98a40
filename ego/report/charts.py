"""Charts of a run: curves of training, who is taken for whom, how like clips are; drawn from numbers handed over.

Each function writes one picture file and returns nothing; sizes follow from how much there is to show.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]

INK, FAINT, GRID = "#1f2933", "#52606d", "#e4e7eb"
SERIES = ("#2563eb", "#d97706", "#059669", "#b91c1c", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#92400e", "#475569")
MOST_NAMES = 125
"""So many classes at most are told apart: all verbs of EPIC-KITCHENS, all actions of EGTEA Gaze+ or GTEA-61."""
STYLE: Any = {
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "font.size": 9,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
}


def curves(series: Mapping[str, tuple[Numbers, Numbers]], path: Path, title: str, x: str, y: str) -> None:
    """Lines by name, each (places, values); where there are many points their running mean is drawn over them."""
    with mpl.rc_context(STYLE):
        figure, axes = _sheet(7.0, 3.6, title)
        for number, (name, (places, values)) in enumerate(series.items()):
            colour = SERIES[number % len(SERIES)]
            many = len(values) > 60
            axes.plot(places, values, color=colour, alpha=0.25 if many else 1, lw=1 if many else 1.6,
                      label=None if many else name)  # fmt: skip
            if many:
                width = max(3, len(values) // 40)
                smooth = np.convolve(values, np.ones(width) / width, mode="valid")
                axes.plot(places[width - 1 :], smooth, color=colour, lw=1.6, label=name)
        axes.set(xlabel=x, ylabel=y)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes.grid(axis="y", color=GRID)
        if len(series) > 1:
            axes.legend(frameon=False, fontsize=8)
        _save(figure, path)


def confusion(
    labels: NDArray[np.int64], said: NDArray[np.int64], classes: Sequence[str], path: Path, title: str
) -> None:
    """The share of each class's clips (rows) that are taken for each (columns), classes by how many clips they have.

    Classes are those that are tested or predicted, at most the 125 commonest; what is taken for another one is left
    out of the picture alone.
    """
    counts = np.bincount(labels, minlength=len(classes))
    table = np.zeros((len(classes), len(classes)))
    np.add.at(table, (labels, said), 1)
    order = [one for one in np.argsort(-counts, kind="stable") if counts[one] or table[:, one].any()][:MOST_NAMES]
    shares = (table / np.maximum(counts, 1)[:, None])[np.ix_(order, order)]
    names = [classes[one] for one in order]
    with mpl.rc_context(STYLE):
        side = 1.8 + (0.28 if len(order) <= 30 else 0.18) * max(len(order), 4)
        figure, axes = _sheet(side + 0.9, side, title)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        _ticks(axes, names, [f"{name}  {counts[one]}" for name, one in zip(names, order, strict=True)])
        axes.set(xlabel="predicted", ylabel="true, clips")
        if len(order) <= 16:
            _write_shares(axes, shares)
        figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, format=mpl.ticker.PercentFormatter(1.0, decimals=0))
        _save(figure, path)


def bars(values: Mapping[str, float], counts: Mapping[str, int], path: Path, title: str) -> None:
    """One share a class, in [0, 1], largest first, with how many clips it rests on; at most 125 of them."""
    names = sorted(values, key=lambda name: -values[name])[:MOST_NAMES]
    with mpl.rc_context(STYLE):
        figure, axes = _sheet(6.0, 1.1 + 0.22 * len(names), title)
        places = np.arange(len(names))[::-1]
        axes.barh(places, [values[name] for name in names], color=SERIES[0], height=0.7)
        for place, name in zip(places, names, strict=True):
            axes.text(values[name] + 0.01, place, f"{values[name]:.0%}", va="center", fontsize=8, color=FAINT)
        axes.set_yticks(places, [f"{name}  {counts[name]}" for name in names])
        axes.set_xlim(0, 1.08)
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, decimals=0))
        axes.grid(axis="x", color=GRID)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        _save(figure, path)


def correlation(features: Numbers, labels: NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """Pearson's correlation between the features (n, D) of all clips, ordered by class (FPAR, figures 13 to 17).

    Where none is negative, as often after a ReLU, colours run from the least one to 1.
    """
    order = np.argsort(labels, kind="stable")
    table = pearson(features[order])
    edges = np.flatnonzero(np.diff(labels[order])) + 1
    with mpl.rc_context(STYLE):
        figure, axes = _sheet(6.6, 5.8, "How like the features of clips are")
        signed = table.min() < 0
        image = axes.imshow(
            table, "RdBu_r" if signed else "Reds", vmin=-1 if signed else table.min(), vmax=1, interpolation="nearest"
        )
        for edge in edges:
            axes.axhline(edge - 0.5, color="white", lw=0.6)
            axes.axvline(edge - 0.5, color="white", lw=0.6)
        starts = np.concatenate([[0], edges, [len(order)]])
        middle = (starts[1:] + starts[:-1] - 1) / 2
        names = [classes[labels[order[start]]] for start in starts[:-1]]
        _ticks(axes, names, names, middle)
        figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, label="correlation")
        _save(figure, path)


def pearson(features: Numbers) -> NDArray[np.float64]:
    """(n, n) correlation between the rows of (n, D); 0 with a row that does not vary."""
    centred = features.astype(np.float64) - features.mean(axis=1, keepdims=True, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-12)
    return np.asarray(unit @ unit.T)


def scatter(places: Numbers, labels: NDArray[np.int64], classes: Sequence[str], path: Path, title: str) -> None:
    """Clips at places (n, 2) coloured by class: the ten commonest by colour, all others grey."""
    counts = np.bincount(labels, minlength=len(classes))
    named = [one for one in np.argsort(-counts, kind="stable") if counts[one]][: len(SERIES)]
    with mpl.rc_context(STYLE):
        figure, axes = _sheet(6.6, 4.8, title)
        rest = ~np.isin(labels, named)
        axes.scatter(
            places[rest, 0], places[rest, 1], s=9, color="#cbd2d9", linewidths=0, label="others" if rest.any() else None
        )
        for colour, one in zip(SERIES, named, strict=False):
            of_class = places[labels == one]
            axes.scatter(of_class[:, 0], of_class[:, 1], s=16, color=colour, linewidths=0, label=classes[one])
        axes.set(xticks=[], yticks=[])
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        _save(figure, path)


def _sheet(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _ticks(axes: Axes, across: Sequence[str], down: Sequence[str], places: Any = None) -> None:
    """Names along both sides, across upright so that long ones do not meet."""
    at = np.arange(len(across)) if places is None else places
    size = 8 if len(across) <= 30 else 6
    axes.set_xticks(at, across, rotation=90, fontsize=size)
    axes.set_yticks(at, down, fontsize=size)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_shares(axes: Axes, shares: Numbers) -> None:
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if share > 0.5 else INK)  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
