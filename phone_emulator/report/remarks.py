"""Why messages were refused or ignored, noted on the messages: for the capture and the message view."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableSequence

from phone_emulator.events import Address, MessageIgnored, MessageReceived
from phone_emulator.sip.line_ends import TAKEN

from .result import Message


def keep(messages: MutableSequence[Message], event: Message | MessageIgnored) -> None:
    """Add *event* to *messages*, or the remark that it is to the message that it is about.

    What came in and was no SIP message at all is added too. What could not be sent is not: no packet left.
    """
    if not isinstance(event, MessageIgnored):
        messages.append(event)
    elif event.unread:
        messages.append(as_message(event))
    elif not event.outwards:
        for place in reversed(range(len(messages))):
            noted = with_remark(messages[place], event)
            if noted is not None:
                messages[place] = noted
                return


def with_remark(message: Message, event: MessageIgnored) -> MessageReceived | None:
    """*message* with the remark that *event* is, or None where it is about another one."""
    if not isinstance(message, MessageReceived):
        return None
    taken = message.remark.startswith(TAKEN)
    if (message.remark and not taken) or message.data != event.data or message.remote != event.remote:
        return None
    said = in_words(event)
    return dataclasses.replace(message, remark=f"{said} ({message.remark})" if taken else said)


def as_message(event: MessageIgnored) -> MessageReceived:
    """What came in, as a message with a remark."""
    nowhere = Address("::" if ":" in event.remote.host else "0.0.0.0", 0)
    return MessageReceived(
        at=event.at,
        local=event.local or nowhere,
        remote=event.remote,
        transport=event.transport,
        data=event.data,
        remark=in_words(event),
    )


def in_words(event: MessageIgnored) -> str:
    """``refused with 481: no such call is known here``, ``ignored: …``."""
    return f"refused with {event.status}: {event.reason}" if event.status else f"ignored: {event.reason}"
