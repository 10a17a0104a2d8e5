"""One scenario's result, as every report is tested with."""

from __future__ import annotations

import pytest

from phone_emulator.events import (
    Address,
    Attempt,
    CodecsNotSpoken,
    MessageReceived,
    MessageSent,
    Outcome,
    Source,
    Target,
    Transport,
    Wait,
)
from phone_emulator.report.result import CallReport, Message, ScenarioResult, StepFailure, Verdict

PHONE = Address("192.168.1.100", 5060)
PRIMARY = Address("192.168.1.13", 5060)
SECONDARY = Address("192.168.1.14", 5060)


def attempt(
    n: int, role: str, address: Address, outcome: Outcome | None, started: float, ended: float
) -> Attempt:
    target = Target(1, role, "example.com", address.host, address.port, Transport.UDP, Source.DNS, 60)
    wait = Wait(32.0, "64*T1 = 32.0 s")
    detail = "no response within 64*T1 = 32.0 s" if outcome is Outcome.NO_RESPONSE else "200 OK"
    return Attempt(n, "INVITE", target, wait, "", started, ended, 7, outcome, detail=detail)


def sip(*lines: str, body: str = "") -> bytes:
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body]).encode()


def invite(call_id: str = "a@b", *extra: str, body: str = "") -> bytes:
    return sip(
        "INVITE sip:1002@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.168.1.100:5060;branch=z9hG4bK1",
        "From: <sip:1001@example.com>;tag=1",
        "To: <sip:1002@example.com>",
        f"Call-ID: {call_id}",
        "CSeq: 1 INVITE",
        *extra,
        body=body,
    )


def answer(status: str, call_id: str = "a@b") -> bytes:
    return sip(
        f"SIP/2.0 {status}",
        "Via: SIP/2.0/UDP 192.168.1.100:5060;branch=z9hG4bK1",
        "From: <sip:1001@example.com>;tag=1",
        "To: <sip:1002@example.com>;tag=2",
        f"Call-ID: {call_id}",
        "CSeq: 1 INVITE",
    )


CREDENTIALS = 'Authorization: Digest username="10,01", realm="r", nonce="n", response="5ec4e7", algorithm=MD5'


def sent(at: float, remote: Address, data: bytes, transport: Transport = Transport.UDP) -> MessageSent:
    return MessageSent(at=at, local=PHONE, remote=remote, transport=transport, data=data)


def received(
    at: float, remote: Address, data: bytes, transport: Transport = Transport.UDP
) -> MessageReceived:
    return MessageReceived(at=at, local=PHONE, remote=remote, transport=transport, data=data)


@pytest.fixture
def messages() -> list[Message]:
    return [
        sent(0.0, PRIMARY, invite()),
        sent(0.5, PRIMARY, invite()),
        sent(32.0, SECONDARY, invite("c@d", CREDENTIALS)),
        received(32.1, SECONDARY, answer("200 OK", "c@d")),
    ]


@pytest.fixture
def result(messages: list[Message]) -> ScenarioResult:
    route = [
        attempt(1, "primary", PRIMARY, Outcome.NO_RESPONSE, 0.0, 32.0),
        attempt(2, "secondary", SECONDARY, Outcome.ANSWERED, 32.0, 32.1),
    ]
    call = CallReport("c1", 1, "1002", "answered", 200, "", "secondary", 0.0, 32.1, route)
    failure = StepFailure("step 3 (call)", "expected via <primary> & got 'secondary'")
    mute = CodecsNotSpoken(
        at=0.0, line=1, codecs=("Opus",), offered=False, reason="Opus <is> enabled and cannot be spoken here"
    )
    return ScenarioResult(
        "the <primary> is silent",
        "a.yaml",
        Verdict.FAILED,
        32.1,
        True,
        [failure],
        [call],
        [],
        messages,
        unspoken=[mute],
    )
