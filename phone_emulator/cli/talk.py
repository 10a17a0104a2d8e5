"""What is said to people, on stderr: progress on a terminal, warnings, and the log of events."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

import click

from phone_emulator.cleaning import clean, clean_lines
from phone_emulator.config import Diagnostic, Loaded, Severity
from phone_emulator.config.effects import in_one_line
from phone_emulator.config.reader import COMMAND_LINE
from phone_emulator.events import (
    AddressChanged,
    CallChanged,
    CallForwarded,
    CheckSync,
    CodecsNotSpoken,
    ConferenceChanged,
    DigitReceived,
    DnsAnswered,
    Event,
    InternalFault,
    MediaChanged,
    MediaMeasured,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    ProvisioningStep,
    RegistrationChanged,
    RtpIgnored,
    ServerChanged,
    Shortage,
    ToneHeard,
    TransferChanged,
)
from phone_emulator.report.wire import shown_text

Listener = Callable[[Event], None]


def say(text: str) -> None:
    """Say *text* on stderr."""
    click.echo(clean_lines(text), err=True)


def progress(text: str) -> None:
    """Say *text* on stderr if somebody looks on."""
    if sys.stderr.isatty():
        say(text)


class Progress:
    """One line on stderr that says what goes on, while it goes on; nothing unless stderr is a terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        """Say *text* in place of what was said before."""
        self.clear()
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(clean(text)[:width])
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Take it away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


def tell_of(loaded: Loaded, log_level: str) -> None:
    """Say what is surprising about *loaded*, unless only errors are asked for.

    That is its warnings, and what has no effect, of files as a sum.
    """
    if log_level == "error":
        return
    for found in loaded.diagnostics:
        if found.severity is Severity.WARNING:
            say(str(found))
    tell_without_effect(loaded.without_effect())


def tell_without_effect(found: Iterable[Diagnostic]) -> None:
    """Say what has no effect: each ``--set`` and ``--set-from``, and the sum of the files."""
    of_files = []
    for each in found:
        if each.file in COMMAND_LINE:
            say(str(each))
        else:
            of_files.append(each)
    if of_files:
        say(in_one_line(of_files))


def tell_of_seed(seed: int | None) -> None:
    """Say what ``--seed`` gives up where there are sockets."""
    if seed is not None:
        say("--seed: whoever knows it foretells the branches, tags and nonces of this run; for tests only")


def event_log(log_level: str, stream: TextIO) -> Listener | None:
    """A listener that writes events to *stream*; None where *log_level* asks for none."""
    if log_level not in ("info", "debug"):
        return None

    def log(event: Event) -> None:
        line = _in_words(event, log_level)
        if line:
            stream.write(f"{event.at:10.3f}  {clean(line)}\n")
        elif log_level == "debug" and isinstance(event, MessageSent | MessageReceived):
            way = "sent to" if isinstance(event, MessageSent) else "received from"
            remark = event.remark if isinstance(event, MessageReceived) else ""
            said = f"{way} {event.remote}/{event.transport}{f', {remark}' if remark else ''}"
            stream.write(f"{event.at:10.3f}  {said}\n")
            stream.writelines(f"            {text}\n" for text in shown_text(event.data).split("\n"))

    return not_after_the_reader_has_gone(log)


def _in_words(event: Event, log_level: str) -> str:
    match event:
        case RegistrationChanged():
            return f"line {event.line}, server {event.server}: {event.state}: {event.reason}"
        case AddressChanged():
            return event.reason
        case CallChanged():
            return f"{event.call}, line {event.line}, {event.remote}: {event.state}: {event.reason}"
        case MediaChanged():
            return f"{event.call}, line {event.line}: {event.reason}"
        case MediaMeasured(last=False) if log_level != "debug":
            return ""
        case RtpIgnored() | DigitReceived() | ToneHeard() | MediaMeasured():
            return f"{event.call}, line {event.line}: {event}"
        case CodecsNotSpoken():
            return f"line {event.line}: {event.reason}"
        case TransferChanged():
            who = event.call or f"line {event.line}"
            return f"{who}: transfer to {event.to} {event.state}: {event.reason}"
        case ConferenceChanged():
            return f"conference: {event.reason}"
        case CallForwarded():
            return f"line {event.line}, {event.remote}: {event.reason}"
        case DnsAnswered():
            return f"DNS {event.rdtype} {event.name}: {event.answer} ({event.source})"
        case MessageIgnored():
            what = f"refused with {event.status} a request from" if event.status else "ignored a message from"
            if event.outwards:
                what = "a message was not sent to"
            return f"{what} {event.remote}/{event.transport}: {event.reason}"
        case ProvisioningStep():
            return f"provisioning: {event.state} {event.location}: {event.reason}"
        case CheckSync():
            return f"check-sync from {event.remote}{', with a reboot' if event.reboot else ''}"
        case InternalFault() | Shortage():
            return str(event)
        case ServerChanged():
            return f"server {event.server}: {event.behaviour}"
        case _:
            return ""


def not_after_the_reader_has_gone(listener: Listener) -> Listener:
    """*listener*, which writes to a pipe, without the error of a pipe that nobody reads any more.

    What a listener raises would end the call it is told of; the end of the command meets the pipe again.
    """

    def listen(event: Event) -> None:
        with contextlib.suppress(BrokenPipeError):
            listener(event)

    return listen
