import os
import threading

import pytest

from ego.media.wire import Gone, Wire


def pair() -> tuple[Wire, Wire, list[int]]:
    a_in, b_out = os.pipe()
    b_in, a_out = os.pipe()
    return Wire(a_in, a_out), Wire(b_in, b_out), [a_in, a_out, b_in, b_out]


def test_messages_arrive_whole_and_in_order_whatever_their_size() -> None:
    one, other, _ = pair()
    sent = [{"number": number, "text": "é\n" * (number * 20_000)} for number in range(4)]
    thread = threading.Thread(target=lambda: [one.send(message) for message in sent])
    thread.start()
    assert [other.receive() for _ in sent] == sent
    thread.join()


def test_nothing_to_receive_is_none_after_the_timeout() -> None:
    one, _, _ = pair()
    assert one.receive(0) is None
    assert one.receive(0.01) is None


def test_a_closed_end_is_noticed_on_both_sides() -> None:
    one, _, (_, _, b_in, b_out) = pair()
    os.close(b_out)
    os.close(b_in)
    with pytest.raises(Gone):
        one.receive()
    with pytest.raises(Gone):
        one.send({"late": True})


def test_a_reader_that_reads_nothing_is_noticed() -> None:
    one, _, _ = pair()
    with pytest.raises(TimeoutError):
        one.send({"text": "x" * 1_000_000}, timeout_seconds=0.05)
