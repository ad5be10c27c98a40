"""Features of egocentric video, computed once, kept under names that say exactly what they are."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ego.cache.store import FeatureStore

__version__ = "0.1.0"


def open(*places: str) -> "FeatureStore":
    """The feature store at these folders: it writes to the first and reads through the rest."""
    from ego.cache.store import FeatureStore

    return FeatureStore(*places)


def __getattr__(name: str) -> Any:
    """`ego.EgoError` and its kin, without importing anything before it is asked for."""
    import ego.errors as errors  # `from ego import errors` would ask this function again

    if hasattr(errors, name):
        return getattr(errors, name)
    raise AttributeError(f"module 'ego' has no attribute {name!r}")
