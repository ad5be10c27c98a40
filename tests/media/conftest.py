"""Fixtures of the media tests: one decoder of each kind for the whole session, and a short way to ask."""

from collections.abc import Iterator

import pytest

from ego.media.decode import Decoder


@pytest.fixture(scope="session")
def pyav() -> Iterator[Decoder]:
    with Decoder("pyav", stall_seconds=20) as decoder:
        yield decoder


@pytest.fixture(scope="session")
def decord() -> Iterator[Decoder]:
    with Decoder("decord", stall_seconds=20) as decoder:
        yield decoder


@pytest.fixture(params=["pyav", "decord"])
def either(request: pytest.FixtureRequest) -> Decoder:
    return request.getfixturevalue(request.param)
