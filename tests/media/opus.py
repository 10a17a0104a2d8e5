"""What tests of Opus need."""

from __future__ import annotations

import pytest

from phone_emulator.media.opus import missing

needs_opus = pytest.mark.skipif(bool(missing()), reason=missing() or "it is there")
