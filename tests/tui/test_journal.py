"""The journal: whose message is it, and how much is kept."""

from __future__ import annotations

from phone_emulator.events import (
    Address,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    CallChanged,
    CallState,
    Direction,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    Outcome,
    Source,
    Target,
    Transport,
    Wait,
)
from phone_emulator.tui.journal import MAX_MESSAGES, Journal
from phone_emulator.tui.rows.ladder import rungs
from phone_emulator.tui.widgets.messages import message_text

PHONE = Address("192.168.1.21", 5060)
PRIMARY = Target(1, "primary", "yealink.pbx.com", "192.168.1.13", 5060, Transport.UDP, Source.DNS)
SECONDARY = Target(1, "secondary", "yealink.pbx.com", "192.168.1.14", 5060, Transport.UDP, Source.DNS)


def message(call_id: str, first: str = "INVITE sip:1002@yealink.pbx.com SIP/2.0") -> bytes:
    """A message of the dialog *call_id*."""
    return (
        f"{first}\r\nVia: SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK1\r\n"
        f"From: <sip:1001@yealink.pbx.com>;tag=1\r\nTo: <sip:1002@yealink.pbx.com>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def sent(data: bytes, target: Target = PRIMARY) -> MessageSent:
    return MessageSent(at=0.0, local=PHONE, remote=target.remote, transport=Transport.UDP, data=data)


def heard(data: bytes) -> MessageReceived:
    return MessageReceived(at=0.0, local=PHONE, remote=PRIMARY.remote, transport=Transport.UDP, data=data)


def tries(call: str | None, target: Target = PRIMARY) -> AttemptStarted:
    attempt = Attempt(1, "INVITE", target, Wait(32.0, ""), "", 0.0)
    return AttemptStarted(at=0.0, line=1, call=call, attempt=attempt)


def test_messages_belong_to_the_call_whose_attempt_goes_there() -> None:
    journal = Journal()
    for event in (
        tries("call-1"),
        sent(message("a")),
        tries("call-2", SECONDARY),
        sent(message("b"), SECONDARY),
        heard(message("a", "SIP/2.0 180 Ringing")),
    ):
        journal(event)
    assert [event.data[:7] for event in journal.messages_of("call-1")] == [b"INVITE ", b"SIP/2.0"]
    assert len(journal.messages_of("call-2")) == 1


def test_the_new_call_id_at_the_fallback_server_is_the_same_call() -> None:
    journal = Journal()
    first, second = tries("call-1"), tries("call-1", SECONDARY)
    journal(first)
    journal(sent(message("a")))
    first.attempt.outcome = Outcome.NO_RESPONSE
    journal(AttemptEnded(at=32.0, line=1, call="call-1", attempt=first.attempt))
    journal(second)
    journal(sent(message("b"), SECONDARY))
    assert len(journal.messages_of("call-1")) == 2


def test_an_incoming_invite_belongs_to_the_call_that_then_rings() -> None:
    journal = Journal()
    journal(heard(message("c")))
    journal(
        CallChanged(
            at=0.0,
            line=1,
            call="call-3",
            direction=Direction.INCOMING,
            state=CallState.RINGING,
            remote="1002",
            reason="",
        )
    )
    assert len(journal.messages_of("call-3")) == 1


def test_registrations_belong_to_no_call() -> None:
    journal = Journal()
    journal(tries(None))
    journal(sent(message("r", "REGISTER sip:yealink.pbx.com SIP/2.0")))
    assert journal.messages_of("call-1") == []
    assert len(journal.messages) == 1


def test_knows_the_role_of_each_place() -> None:
    journal = Journal()
    journal(tries("call-1", SECONDARY))
    journal(tries("call-2", PRIMARY))
    assert journal.names[(PRIMARY.remote, Transport.UDP)] == "primary"
    assert journal.names[(SECONDARY.remote, Transport.UDP)] == "secondary"


def test_keeps_garbage_and_bounds_what_it_keeps() -> None:
    journal = Journal()
    journal(heard(b"\x00\xff garbage"))
    for number in range(MAX_MESSAGES + 10):
        journal(sent(message(str(number))))
    assert len(journal.messages) == MAX_MESSAGES
    assert journal.total == MAX_MESSAGES + 11


def test_why_a_message_was_refused_or_ignored_stands_beside_it() -> None:
    journal = Journal()
    refused, garbage = message("a", "SIP/2.0 200 OK"), b"garbage"
    for event in (tries("call-1"), sent(message("a")), heard(refused)):
        journal(event)
    for data, status in ((refused, 481), (garbage, None)):
        journal(
            MessageIgnored(
                at=1.0,
                local=PHONE,
                remote=PRIMARY.remote,
                transport=Transport.UDP,
                reason="why",
                data=data,
                status=status,
                unread=data is garbage,
            )
        )
    shown = rungs(journal.messages, journal.names, 0.0)
    assert [rung.remark for rung in shown] == ["", "refused with 481: why", "ignored: why"]
    assert [event.data for event in journal.messages_of("call-1")] == [message("a"), refused]
    assert str(message_text(shown[1])).startswith("refused with 481: why\n\nSIP/2.0 200 OK")
