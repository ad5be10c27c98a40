"""Entries written once and whole: keys, places, the feature store and packs; the only zarr."""
