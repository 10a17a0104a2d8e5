"""Exit statuses, and what each way to end says: one clear line per fault; a traceback where it is ours."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from types import FrameType

import click

from phone_emulator.cleaning import clean_lines
from phone_emulator.scarcity import is_full, shortage


class Exit(IntEnum):
    """The exit statuses of the program."""

    OK = 0
    """All as expected; the call was answered; the files are clean."""
    FAILED = 1
    """An expectation failed; the call or registration failed; ``check`` found an error."""
    USAGE = 2
    """Bad usage, or an input file that cannot be used."""
    MACHINE = 3
    """The machine would not: a port in use, no such local address."""
    FAULT = 4
    """An internal fault: ours. The traceback is on stderr."""
    INTERRUPTED = 130


_STATUSES = {
    "phone_emulator.config.reader.CfgError": Exit.USAGE,
    "phone_emulator.scenario.model.ScenarioError": Exit.USAGE,
    "phone_emulator.lab.zone.ZoneError": Exit.USAGE,
    "phone_emulator.media.wav.WavError": Exit.USAGE,
    "phone_emulator.phone.calls.call.CallError": Exit.FAILED,
    "phone_emulator.world.loop.Deadlock": Exit.FAILED,
    "builtins.OSError": Exit.MACHINE,
    "builtins.MemoryError": Exit.MACHINE,
}
"""By name, so that a command which cannot raise an exception need not import it."""


_OFFERS = {
    "the phone": "; --local-port 0 takes any that is free",
    "the lab": "; --local-address 127.0.1.21 moves the lab to other addresses",
}
"""What to try where a port is in use, by who wanted it."""


def exit_status(command: Callable[[], object]) -> int:
    """Run *command*, which returns its exit status (None: 0); says on stderr what went wrong."""
    try:
        with _sigterm_like_sigint():
            status = command()
        sys.stdout.flush()
        return status if isinstance(status, int) else Exit.OK
    except click.UsageError as error:
        command_path = error.ctx.command_path if error.ctx is not None else "phone-emulator"
        _complain(f"{error.format_message()} (see {command_path} --help)")
        return Exit.USAGE
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Who read has gone (``| head``). The interpreter would try to flush once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    status = next((_STATUSES[name] for name in names if name in _STATUSES), None)
    if status is None and shortage(error):
        status = Exit.MACHINE
    if status is None:
        told = getattr(error, "told", None)
        tell_faults([(each.traceback, str(each)) for each in told] if told else [_unforeseen(error)])
        return Exit.FAULT
    for fault in getattr(error, "faults", None) or [in_words(error)]:
        _complain(fault)
    return status


def tell_faults(faults: Iterable[tuple[str, str]]) -> None:
    """Say what went wrong in this program itself: the traceback of each fault, then the fault in one line."""
    for where, what in faults:
        _complain(f"{where}\n{what}; please report it")


def _unforeseen(error: Exception) -> tuple[str, str]:
    from phone_emulator.world.faults import as_reason, traceback_of

    return traceback_of(error), as_reason(error)


def in_words(error: Exception) -> str:
    """*error* as it is said, in one line."""
    short = shortage(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {short or error.strerror}"
    if is_full(error):
        return f"stdout: {short}"  # every other file has a name
    return (short or str(error)) + _OFFERS.get(getattr(error, "whose", ""), "")


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):  # stderr is full: the exit status still says what it is
        click.echo(clean_lines(text), err=True)


@contextlib.contextmanager
def _sigterm_like_sigint() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does, whoever handles Ctrl-C at the time.

    So does SIGHUP, a terminal that is gone, unless the program was started to outlive it (``nohup``).
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are somebody else's
        return
    if sys.platform != "win32" and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell script's background job ignores SIGINT. It still shall, but SIGTERM needs its handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    ending = [signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ending.append(signal.SIGHUP)
    previous = [(each, signal.signal(each, _terminated)) for each in ending]
    try:
        yield
    finally:
        for each, handler in previous:
            signal.signal(each, handler)


def _terminated(signum: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
