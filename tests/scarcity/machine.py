"""A machine that refuses: the n-th time that it is asked for a socket, a file or a thread, it says no.

The moments are found by code: every way in which Python asks the machine is watched. uvloop asks by itself,
in C, for its own descriptors and for the connections that it accepts: see tests/scarcity/test_limits.py.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What may be said to whoever asks for a socket or a file."""
_CODE = (".py", ".pyc", ".so")
"""Modules, which are imported when they are first named."""
_THREAD = "a thread"
_FUNCTIONS = (
    (select, "epoll", "an epoll"),
    (socket, "socketpair", "a socketpair"),
    (os, "pipe", "a pipe"),
    (threading, "_start_new_thread", _THREAD),
)
"""Functions that ask for something."""
_METHODS = ("bind", "connect", "listen", "accept")
"""The same of sockets."""


def error_of(number: int) -> OSError:
    """As the machine says it."""
    return OSError(number, os.strerror(number))


class Machine:
    """Counts what it is asked for, and refuses once.

    Args:
        at: which time it refuses; 0 for never.
        refuse: makes what it says.
    """

    def __init__(self, at: int = 0, refuse: Callable[[], BaseException] = MemoryError) -> None:
        self._at = at
        self._refuse = refuse
        self._others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        self.asked: list[str] = []

    @property
    def refused(self) -> str:
        """What was asked for when it refused; empty where it did not."""
        return self.asked[self._at - 1] if 0 < self._at <= len(self.asked) else ""

    def ask(self, what: str) -> None:
        """Somebody asks for *what*; threads that ran before are the test's servers, and get all they want."""
        if threading.get_ident() in self._others:
            return
        self.asked.append(what)
        if len(self.asked) == self._at:
            raise RuntimeError("can't start new thread") if what == _THREAD else self._refuse()


_watching: Machine | None = None
_hooked = False


def _heard(event: str, args: tuple[Any, ...]) -> None:
    """Hear of every file that is opened (an audit hook)."""
    if _watching is None or event != "open":
        return
    name = os.fsdecode(args[0]) if isinstance(args[0], str | bytes) else ""
    if name and not name.endswith(_CODE):
        _watching.ask(f"the file {name}")


@contextlib.contextmanager
def watched(machine: Machine) -> Iterator[None]:
    """Within, everything that is asked for is asked of *machine* first."""
    global _watching, _hooked
    if not _hooked:
        sys.addaudithook(_heard)  # there is no way to take it back
        _hooked = True
    with pytest.MonkeyPatch.context() as patch:
        for module, name, what in _FUNCTIONS:
            patch.setattr(module, name, _first(machine, what, getattr(module, name)))
        selector: Any = selectors.EpollSelector
        poll = staticmethod(_first(machine, "an epoll", selector._selector_cls))
        patch.setattr(selector, "_selector_cls", poll)
        for name in _METHODS:
            patch.setattr(socket.socket, name, _first(machine, name, getattr(socket.socket, name)))
        patch.setattr(socket.socket, "__init__", _made(machine, socket.socket.__init__))
        _watching = machine
        try:
            yield
        finally:
            _watching = None


def _first(machine: Machine, what: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*args: Any, **kwargs: Any) -> Any:
        machine.ask(what if len(args) < 2 else f"{what} {args[1]}")
        return real(*args, **kwargs)

    return ask


def _made(machine: Machine, real: Callable[..., None]) -> Callable[..., None]:
    def made(self: socket.socket, *kind: Any, **named: Any) -> None:
        if (named.get("fileno") if len(kind) < 4 else kind[3]) is None:
            machine.ask("a socket")
        real(self, *kind, **named)

    return made
