"""Addresses for tests with real sockets of the lab: several processes test at once."""

from __future__ import annotations

import os


def own_address() -> str:
    """The phone's address in a loopback network that no other test process uses."""
    number = os.getpid()
    return f"127.{64 + number // 250 % 150}.{number % 250}.21"
