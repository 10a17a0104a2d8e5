"""Samples on their way between two threads."""

from __future__ import annotations

import threading
from array import array

from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.live.frames import Frames

samples = st.lists(st.integers(1, 32767), max_size=50)


@given(st.lists(st.tuples(samples, st.integers(0, 60)), max_size=20), st.integers(1, 100))
def test_what_is_fetched_is_the_newest_in_order_and_never_too_much(
    turns: list[tuple[list[int], int]], most: int
) -> None:
    frames, waiting = Frames(most), list[int]()
    lost = 0
    for put, count in turns:
        frames.put(array("h", put))
        waiting += put
        lost += max(len(waiting) - most, 0)
        waiting = waiting[-most:]
        taken = list(frames.take(count))
        assert taken == [*waiting[:count], *[0] * (count - len(waiting))]
        waiting = waiting[count:]
    assert frames.lost == lost
    assert list(frames.take_all()) == waiting
    assert not frames.take_all()


def test_two_threads_lose_nothing_that_fits() -> None:
    frames, taken = Frames(1_000_000), array("h")
    whole = array("h", range(-10_000, 10_000))

    def put() -> None:
        for place in range(0, len(whole), 100):
            frames.put(whole[place : place + 100])

    thread = threading.Thread(target=put)
    thread.start()
    while thread.is_alive():
        taken.extend(frames.take_all())
    thread.join()
    taken.extend(frames.take_all())
    assert taken == whole
