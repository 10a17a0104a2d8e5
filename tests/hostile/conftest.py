"""What the tests of strangers share."""

from __future__ import annotations

from functools import partial

import pytest

from tests.hostile.scene import WORLDS, Play, play


@pytest.fixture(params=WORLDS, name="play")
def in_each_world(request: pytest.FixtureRequest) -> Play:
    """Play a story in virtual time, and on sockets of this machine."""
    return partial(play, request.param)
