"""Features of egocentric video, computed once, kept under names that say exactly what they are."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ego.cache.store import FeatureStore
    from ego.pipeline.clip_set import ClipSet

__version__ = "0.1.0"


def open(*places: str) -> "FeatureStore":
    """The feature store at these folders: it writes to the first and reads through the rest."""
    from ego.cache.store import FeatureStore

    return FeatureStore(*places)


def clips(
    recipe: "str | Path",
    split: str,
    store: "str | Path | FeatureStore",
    *,
    data: "str | Path",
    fold: str = "",
    settings: tuple[str, ...] = (),
    weights: "tuple[str | Path, ...]" = (),
    skip_missing: bool = False,
) -> "ClipSet":
    """The clips of one split of a recipe's data set at `data`: packed arrays, masks, times, labels; a torch Dataset.

    `fold` is needed where the data set has several, `settings` are as of `--set`. See `ego.pipeline.clip_set.ClipSet`.
    """
    from ego.pipeline.clip_set import clips

    return clips(
        recipe, split, store, data=data, fold=fold, settings=settings, weights=weights, skip_missing=skip_missing
    )


def __getattr__(name: str) -> Any:
    """`ego.EgoError` and its kin, without importing anything before it is asked for."""
    import ego.errors as errors  # `from ego import errors` would ask this function again

    if hasattr(errors, name):
        return getattr(errors, name)
    raise AttributeError(f"module 'ego' has no attribute {name!r}")
