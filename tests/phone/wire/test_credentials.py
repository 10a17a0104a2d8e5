"""Challenges of several realms, nonces used again, and when the password is wrong (RFC 3261 section 22)."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from phone_emulator.config.model import AccountConfig, ServerConfig
from phone_emulator.config.secret import Secret
from phone_emulator.events import Address, CallState
from phone_emulator.phone import CallError
from phone_emulator.phone.wire.credentials import MAX_KNOWN, Credentials
from phone_emulator.phone.wire.known import KnownServers
from phone_emulator.sip.digest import Verdict, challenge_value, next_nonce, verify
from phone_emulator.sip.message import Headers, Request, Response
from tests.phone.far_end import Play, offer, play

HERE, ELSEWHERE = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)
SERVERS = KnownServers(
    AccountConfig(
        index=1,
        servers=(ServerConfig(number=1, address=HERE.host), ServerConfig(number=2, address=ELSEWHERE.host)),
    )
)
NAMES = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}


def challenged(status: int, *values: str) -> Response:
    return Response(status, "", Headers([(NAMES[status], value) for value in values]))


def credentials(password: str = "secret") -> Credentials:
    account = AccountConfig(index=1, user_name="1001", password=Secret(password))
    return Credentials(account, random.Random(1), SERVERS)


def request(method: str = "INVITE", body: bytes = b"") -> Request:
    headers = Headers([("CSeq", f"1 {method}"), ("Contact", "<sip:x>")])
    return Request(method, "sip:1002@example.com", headers, body)


def shown_by(known: Credentials, remote: Address = HERE) -> list[tuple[str, str, str]]:
    """Header, nonce and count of what a request carries."""
    carrying = request()
    known.attach(carrying, remote)
    found = []
    for name, value in carrying.headers:
        if name.endswith("Authorization"):
            nonce, count = re.search(r'nonce="([^"]*)"', value), re.search(r"nc=(\d+)", value)
            assert nonce is not None
            found.append((name, nonce[1], count[1].lstrip("0") if count else ""))
    return found


def test_nothing_is_shown_before_it_is_asked_for() -> None:
    assert shown_by(credentials()) == []


def test_a_nonce_is_used_again_and_counted() -> None:
    known = credentials()
    assert known.learn(challenged(401, challenge_value("r", "n")), {}, HERE, HERE)
    assert [shown_by(known) for _ in range(3)] == [
        [("Authorization", "n", str(count))] for count in (1, 2, 3)
    ]


def test_each_realm_is_answered() -> None:
    """Also several in one response, as forking proxies collect them (section 16.7)."""
    known = credentials()
    assert known.learn(
        challenged(407, challenge_value("p", "n1"), challenge_value("q", "n2")), {}, HERE, HERE
    )
    assert known.learn(challenged(401, challenge_value("u", "n3")), {}, HERE, HERE)
    assert shown_by(known) == [
        ("Authorization", "n3", "1"),
        ("Proxy-Authorization", "n1", "1"),
        ("Proxy-Authorization", "n2", "1"),
    ]


def test_one_answer_a_realm_to_its_strongest_challenge() -> None:
    known = credentials()
    values = (
        challenge_value("r", "n1"),
        challenge_value("r", "n2", "SHA-256"),
        challenge_value("r", "n3", "X"),
    )
    assert known.learn(challenged(401, *values), {}, HERE, HERE)
    assert shown_by(known) == [("Authorization", "n2", "1")]


def test_credentials_are_for_who_asked() -> None:
    # rule C7
    known = credentials()
    assert known.learn(challenged(401, challenge_value("r", "n")), {}, HERE, HERE)
    assert shown_by(known, ELSEWHERE) == []


@pytest.mark.parametrize(
    ("used", "nonce", "stale", "again"),
    [
        (1, "new", False, False),  # the answer to a fresh nonce was refused: the password is wrong
        (1, "new", True, True),
        (2, "new", False, True),  # the nonce had been used before: this one may be right
        (2, "old", False, False),
        (2, "old", True, True),
    ],
)
def test_when_another_try_is_worth_it(used: int, nonce: str, stale: bool, again: bool) -> None:
    # rule R10
    known = credentials()
    assert known.learn(challenged(401, challenge_value("r", "old")), {}, HERE, HERE)
    for _ in range(used):
        shown = known.attach(request(), HERE)
    assert known.learn(challenged(401, challenge_value("r", nonce, stale=stale)), shown, HERE, HERE) is again


@pytest.mark.parametrize(
    "response",
    [
        challenged(401),
        challenged(401, 'Basic realm="r"'),
        challenged(401, challenge_value("r", "n", "X")),
        challenged(401, 'Digest realm="r"'),
    ],
)
def test_challenges_that_cannot_be_answered(response: Response) -> None:
    assert not credentials().learn(response, {}, HERE, HERE)


def test_without_password_nothing_is_answered() -> None:
    assert not credentials("").learn(challenged(401, challenge_value("r", "n")), {}, HERE, HERE)


def test_memory_is_bounded() -> None:
    known = credentials()
    for number in range(1000):
        assert known.learn(challenged(401, challenge_value(f"r{number}", "n")), {}, HERE, HERE)
    assert len(shown_by(known)) == MAX_KNOWN


def test_the_body_counts_where_the_server_wants_it_to() -> None:
    known = credentials()
    assert known.learn(challenged(401, challenge_value("r", "n", qop="auth-int")), {}, HERE, HERE)
    sent = request(body=b"v=0")
    known.attach(sent, HERE)
    value = sent.headers.get("Authorization") or ""
    passwords = {"1001": "secret"}
    for body, verdict in ((b"v=0", Verdict.OK), (b"v=1", Verdict.WRONG)):
        assert verify(value, "INVITE", passwords, "r", lambda nonce: True, body).verdict is verdict


def test_the_next_nonce_is_taken_over() -> None:
    known = credentials()
    assert known.learn(challenged(401, challenge_value("r", "n")), {}, HERE, HERE)
    shown = known.attach(request(), HERE)
    answered = Response(
        200, "OK", Headers([("Authentication-Info", 'qop=auth, nextnonce="a, b", nc=00000001')])
    )
    known.accepted(answered, shown)
    assert shown_by(known) == [("Authorization", "a, b", "1")]


@pytest.mark.parametrize("value", ["", "nextnonce", 'rspauth="x"', 'nextnonce=""', '"nextnonce=x"'])
def test_there_may_be_no_next_nonce(value: str) -> None:
    assert next_nonce(Response(200, "OK", Headers([("Authentication-Info", value)]))) == ""


# -- on the wire ---------------------------------------------------------------------------------------------


def test_a_401_and_then_a_407() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        first = await on.far.heard("INVITE")
        on.far.answer(first, 401, extra=[(NAMES[401], challenge_value("u", "n1"))])
        await on.far.heard("ACK")
        second = await on.far.heard("INVITE")
        on.far.answer(second, 407, extra=[(NAMES[407], challenge_value("p", "n2"))])
        await on.far.heard("ACK")
        third = await on.far.heard("INVITE")
        names = [name for name, _ in third.headers]
        assert names[5:8] == ["Contact", "Authorization", "Proxy-Authorization"]
        assert 'realm="u"' in (third.headers.get("Authorization") or "")
        assert "nc=00000002" in (third.headers.get("Authorization") or "")
        assert "nc=00000001" in (third.headers.get("Proxy-Authorization") or "")
        on.far.answer(third, 200, body=offer())
        ack = await on.far.heard("ACK")
        assert "Authorization" not in ack.headers, "T4"
        await call.settled()

    play(story)


def test_requests_in_the_dialog_use_the_nonce_of_the_invite() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        challenge = (NAMES[407], challenge_value("r", "n"))
        on.far.answer(await on.far.heard("INVITE"), 407, extra=[challenge])
        await on.far.heard("ACK")
        await on.far.accept_invite()
        await call.settled()
        holding = asyncio.create_task(call.hold())
        hold = await on.far.heard("INVITE")
        assert "nc=00000002" in (hold.headers.get("Proxy-Authorization") or "")
        fresh = (NAMES[407], challenge_value("r", "fresh"))
        on.far.answer(hold, 407, extra=[fresh])
        await on.far.heard("ACK")
        again = await on.far.heard("INVITE")
        assert 'nonce="fresh"' in (again.headers.get("Proxy-Authorization") or "")
        on.far.answer(again, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        credentials_shown = bye.headers.get("Proxy-Authorization") or ""
        assert 'nonce="fresh"' in credentials_shown
        assert "nc=00000002" in credentials_shown
        on.far.answer(bye, 200)
        await ending

    play(story)


def test_a_wrong_password_is_not_tried_for_ever() -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        for number in (1, 2):
            invite = await on.far.heard("INVITE")
            on.far.answer(invite, 401, extra=[(NAMES[401], challenge_value("r", f"n{number}"))])
            await on.far.heard("ACK")
        await call.over()
        assert call.status == 401

    play(story)


def test_stale_nonces_without_end_are_given_up() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        sent = 0
        while call.state is not CallState.ENDED:
            invite = await on.far.heard("INVITE")
            sent += 1
            stale = challenge_value("r", f"n{sent}", stale=True)
            on.far.answer(invite, 401, extra=[(NAMES[401], stale)])
            await on.far.heard("ACK")
            await on.rest()
        assert (sent, call.status) == (4, 401)

    play(story)


def test_a_bye_that_is_challenged_without_end_ends_the_call_all_the_same() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        ending = asyncio.create_task(call.hang_up())
        for number in range(4):
            bye = await on.far.heard("BYE")
            stale = challenge_value("r", f"n{number}", stale=True)
            on.far.answer(bye, 407, extra=[(NAMES[407], stale)])
        await ending
        assert call.state is CallState.ENDED
        await on.far.nothing()

    play(story)


@pytest.mark.parametrize(
    ("challenge", "why"),
    [
        ("", "it has no WWW-Authenticate header"),
        ('Digest realm="r"', "its WWW-Authenticate has no nonce"),
        (
            'Digest realm="r", nonce="n", algorithm=X',
            "its WWW-Authenticate wants the algorithm X, which is unknown here",
        ),
        (
            'Basic realm="r"',
            "its WWW-Authenticate asks for Basic only: SIP knows Digest (RFC 3261 section 22)",
        ),
    ],
)
@pytest.mark.parametrize("password", ["secret", ""])
def test_a_challenge_that_cannot_be_answered_is_told_as_such(challenge: str, why: str, password: str) -> None:
    extra = [("WWW-Authenticate", challenge)] if challenge else []
    said = f"answered 401 Unauthorized to a request without credentials, and cannot be answered: {why}: "

    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        on.far.answer(await on.far.heard("REGISTER"), 401, extra=extra)
        await registering
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 401, extra=extra)
        await on.far.heard("ACK")
        await call.over()
        for attempt in (*on.phone.line(1).bindings.attempts, *call.route):
            assert attempt.detail == f"{said}an answer, no other server is tried"
            assert (attempt.outcome, attempt.sent) == ("rejected", 1)

    play(story, account__1__password=password)


@pytest.mark.parametrize("status", [401, 407])
def test_credentials_that_are_refused_without_a_further_challenge(status: int) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(
            await on.far.heard("INVITE"), status, extra=[(NAMES[status], challenge_value("r", "n"))]
        )
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("INVITE"), status)
        await on.far.heard("ACK")
        await call.over()
        assert f"to the credentials, and it has no {NAMES[status]} header: an answer" in call.route[0].detail

    play(story)


def test_a_change_of_the_session_that_is_challenged_in_vain() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        extra = [("WWW-Authenticate", 'Basic realm="r"')]
        on.far.answer(await on.far.heard("INVITE"), 401, extra=extra)
        await on.far.heard("ACK")
        with pytest.raises(
            CallError, match="refused: 401 Unauthorized, and its WWW-Authenticate asks for Basic"
        ):
            await holding

    play(story)
