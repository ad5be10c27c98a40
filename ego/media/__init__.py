"""Pixels and sound in and out of files: probe, decode, encode; the only decord and PyAV."""
