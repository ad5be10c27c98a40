import fcntl
import os

import pytest

from ego.media.errorlog import KEPT_BYTES, ErrorLog


@pytest.fixture
def descriptor():
    number = os.memfd_create("log-test")
    fcntl.fcntl(number, fcntl.F_SETFL, os.O_APPEND)
    yield number
    os.close(number)


def test_each_line_of_damage_is_told_once(descriptor: int) -> None:
    log = ErrorLog(descriptor)
    os.write(descriptor, b"[h264 @ 0x1] concealing 37 DC, 37 AC, 37 MV errors in P frame\n")
    assert len(log.damage()) == 1
    assert log.damage() == []
    os.write(descriptor, b"[mpeg4 @ 0x1] Video uses a non-standard and wasteful way to store B-frames\n")
    assert log.damage() == []


def test_a_flood_does_not_grow(descriptor: int) -> None:
    log = ErrorLog(descriptor)
    for _ in range(100):
        os.write(descriptor, b"error\n" * 1000)
        assert log.damage()
        assert os.fstat(descriptor).st_size <= KEPT_BYTES + 6000
    log.clear()
    assert os.fstat(descriptor).st_size == 0
    assert log.damage() == []
