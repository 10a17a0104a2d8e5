"""How an INVITE finds its way along the servers, on the wire."""

from __future__ import annotations

import asyncio
from typing import Never

import pytest

from phone_emulator.dns.records import RdType
from phone_emulator.events import (
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    CallChanged,
    CallState,
    DnsAnswered,
    Outcome,
)
from phone_emulator.phone import CallResult
from phone_emulator.redundancy import Silence
from phone_emulator.sip.message import Request
from phone_emulator.world import WorldError
from tests.phone.stage import SERVERS, SUCCESSIVE, Answer, Stage, play, server_1, server_2

NAME = "yealink.pbx.com"
OK = [[Answer(0.0, 200)]]
CHALLENGE = [("Proxy-Authenticate", 'Digest realm="r", nonce="n", algorithm=MD5')]


def identity_of(request: Request) -> tuple[str, str, str | None, str]:
    """What stays the same along one server's list."""
    return request.uri, request.call_id, request.from_tag, request.headers.get("CSeq") or ""


def test_only_the_via_branch_changes_along_the_list_of_server_1() -> None:
    # rule C7
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        [first] = stage.requests("INVITE", ".13")
        [second] = stage.requests("INVITE", ".14")
        assert identity_of(first) == identity_of(second)
        assert first.uri == f"sip:1002@{NAME}"
        assert first.headers.get("From") == second.headers.get("From")
        assert first.headers.get("To") == second.headers.get("To") == f"<sip:1002@{NAME}>"
        assert first.body == second.body
        assert first.branch != second.branch

    play(story, primary=503, secondary=503, fallback=503)


def test_retransmissions_are_the_same_bytes() -> None:
    # rule C7
    async def story(stage: Stage) -> None:
        await stage.phone.dial("1002").settled()
        assert len({request.raw or request.to_bytes() for request in stage.requests("INVITE", ".13")}) == 1

    play(story, primary="silent")


def test_the_fallback_server_gets_a_new_request() -> None:
    # rule C7
    async def story(stage: Stage) -> None:
        await stage.phone.dial("1002").settled()
        [first] = stage.requests("INVITE", ".13")
        [last] = stage.requests("INVITE", ".15")
        assert last.uri == "sip:1002@192.168.1.15:5060"
        assert last.from_address.uri.host == last.to_address.uri.host == "192.168.1.15"
        assert last.call_id != first.call_id
        assert last.from_tag != first.from_tag
        assert last.branch != first.branch

    play(story, primary=503, secondary=503, fallback=503)


def test_a_domain_in_the_user_name_stays_at_every_server() -> None:
    """REGISTER and INVITE go to the servers' targets; the lab's own digest finds the user. rule C7"""

    async def story(stage: Stage) -> None:
        await stage.phone.register()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [attempt.target.role for attempt in call.route] == ["primary", "secondary", "fallback"]
        for host in (".13", ".14", ".15"):
            invites = stage.requests("INVITE", host)
            assert {invite.uri for invite in invites} == {"sip:1002@pbx.example.test"}
            assert {str(invite.from_address.uri) for invite in invites} == {"sip:1001@pbx.example.test"}
            assert {str(invite.to_address.uri) for invite in invites} == {"sip:1002@pbx.example.test"}
        registers = stage.requests("REGISTER")
        assert {register.uri for register in registers} == {"sip:pbx.example.test"}
        assert {str(register.to_address.uri) for register in registers} == {"sip:1001@pbx.example.test"}
        assert stage.registered() == ["secondary", "fallback"]
        await call.hang_up()
        calling = stage.lab.call_phone(stage.phone, server="fallback")
        assert calling is not None
        await asyncio.sleep(0.1)
        assert stage.phone.calls[-1].state is CallState.RINGING
        await calling.hang_up()

    settings = {"account.1.user_name": "1001@pbx.example.test", "account.1.auth_name": "%EMPTY%"}
    play(story, settings, primary=503, secondary={"INVITE": 503})


def test_an_authenticated_retry_stays_at_its_target() -> None:
    # rule C3
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [line.where for line in stage.sent("INVITE")] == [".13", ".14", ".14"]
        first, second = stage.requests("INVITE", ".14")
        assert second.cseq.number == first.cseq.number + 1
        assert second.call_id == first.call_id
        assert "Proxy-Authorization" in second.headers
        assert [attempt.sent for attempt in call.route] == [1, 2]

    play(story, primary=503)


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_without_end_is_an_answer(status: int) -> None:
    # rule C3
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.REJECTED
        assert call.status == status
        assert [attempt.target.role for attempt in call.route] == ["primary"]
        assert call.route[0].sent == 2

    play(story, primary=status)


def test_silence_after_a_challenge_moves_on() -> None:
    """The request with credentials draws no response at all."""

    # rule C2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 32.0),
            ("secondary", "answered", 32.0, 32.0),
        ]

    script = {"INVITE": [[Answer(0.0, 100), Answer(0.0, 407, CHALLENGE)], []]}
    play(story, actors={"primary": script})


def test_a_redirection_is_followed_at_the_same_target() -> None:
    # rule C3
    moved = [Answer(0.0, 302, [("Contact", "<sip:1003@yealink.pbx.com>")])]

    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [attempt.target.role for attempt in call.route] == ["primary"]
        first, second = stage.requests("INVITE")
        assert (first.uri, second.uri) == (f"sip:1002@{NAME}", f"sip:1003@{NAME}")
        assert (second.cseq.number, second.call_id) == (first.cseq.number + 1, first.call_id)

    play(story, actors={"primary": {"INVITE": [moved, [Answer(0.0, 200)]]}})


def test_a_redirection_to_nowhere_new_is_an_answer() -> None:
    # rule C3
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.REJECTED
        assert call.status == 302
        assert len(stage.requests("INVITE")) == 1

    play(story, primary=302)


# -- late answers ----------------------------------------------------------------------------------------


def test_a_late_2xx_is_acknowledged_and_ended() -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert call.via == "secondary"
        await asyncio.sleep(5)
        assert [line for line in stage.sent("ACK", "BYE") if line.where == ".13"] == [
            (33.0, ".13", "ACK"),
            (33.0, ".13", "BYE"),
        ]
        assert call.state is CallState.TALKING
        [ack] = stage.requests("ACK", ".13")
        [bye] = stage.requests("BYE", ".13")
        invite = stage.requests("INVITE", ".13")[0]
        assert (ack.call_id, ack.from_tag, ack.to_tag) == (invite.call_id, invite.from_tag, "actor13")
        assert (ack.cseq.number, bye.cseq.number) == (1, 2)

    script = {"INVITE": [[Answer(33.0, 200)], []], "BYE": OK}
    play(story, actors={"primary": script})


def test_a_repeated_late_2xx_draws_its_ack_again_but_one_bye() -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        await stage.phone.dial("1002").settled()
        await asyncio.sleep(5)
        sent = [line for line in stage.sent("ACK", "BYE") if line.where == ".13"]
        assert [line.what for line in sent] == ["ACK", "BYE", "ACK", "ACK"]

    script = {"INVITE": [[Answer(33.0, 200), Answer(33.5, 200), Answer(34.5, 200)], []], "BYE": OK}
    play(story, actors={"primary": script})


@pytest.mark.parametrize("status", [486, 503, 407, 302])
def test_a_late_refusal_is_acknowledged(status: int) -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(5)
        later = [line for line in stage.sent("ACK", "BYE", "INVITE") if line.at > 32]
        assert [line for line in later if line.where == ".13"] == [(33.0, ".13", "ACK")]
        [ack] = stage.requests("ACK", ".13")
        assert ack.branch == stage.requests("INVITE", ".13")[0].branch
        assert ack.to_tag == "actor13"
        assert call.state is CallState.TALKING

    play(story, actors={"primary": {"INVITE": [[Answer(33.0, status)], []]}})


@pytest.mark.parametrize("status", [100, 180, 183])
def test_a_late_provisional_is_ignored(status: int) -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(5)
        assert [line for line in stage.sent("ACK", "BYE", "CANCEL", "INVITE") if line.where == ".13"] == [
            (at, ".13", "INVITE") for at in (0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
        ]
        assert call.state is CallState.TALKING

    play(story, actors={"primary": {"INVITE": [[Answer(33.0, status)], []]}})


# -- hanging up ------------------------------------------------------------------------------------------


def test_a_cancel_is_held_until_a_provisional_comes() -> None:
    # rule C9
    # rule C11
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        assert await call.settled() is CallResult.CANCELLED
        assert call.elapsed == 1.0
        await call.over()
        assert stage.ladder("INVITE", "CANCEL", "ACK") == [
            "0.000 >> INVITE .13",
            "0.500 >> INVITE .13",
            "1.500 >> INVITE .13",
            "3.000 << 180 INVITE .13",
            "3.000 >> CANCEL .13",
            "3.000 << 200 CANCEL .13",
            "4.000 << 487 INVITE .13",
            "4.000 >> ACK .13",
        ]
        invite, cancel = stage.requests("INVITE")[0], stage.requests("CANCEL")[0]
        assert (cancel.branch, cancel.uri, cancel.cseq.number) == (invite.branch, invite.uri, 1)
        assert stage.route(call.route) == [("primary", "cancelled", 0.0, 1.0)]
        assert call.reason == call.route[0].detail == "hung up by the user"

    play(story, actors={"primary": {"INVITE": [[Answer(3.0, 180), Answer(4.0, 487)], []], "CANCEL": OK}})


def test_one_cancel_however_often_it_rings() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.2)
        await call.hang_up()
        await call.over()
        assert stage.sent("CANCEL") == [(0.3, ".13", "CANCEL")]

    answers = [Answer(0.3, 180), Answer(0.4, 180), Answer(2.0, 183), Answer(4.0, 487)]
    play(story, actors={"primary": {"INVITE": [answers, []], "CANCEL": OK}})


def test_a_cancelled_invite_without_its_end_is_waited_for_64_t1() -> None:
    """RFC 3261 section 9.1."""

    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(5)
        await call.hang_up()
        await call.over()
        assert stage.sent("CANCEL") == [(5.0, ".13", "CANCEL")]
        assert stage.world.now() == 5.0 + 32.0

    play(story, actors={"primary": {"INVITE": [[Answer(1.0, 180)], []], "CANCEL": OK}})


@pytest.mark.parametrize(
    ("first", "limit", "ends"),
    [
        pytest.param(1.0, 20, 20.0, id="it rings, and nobody answers"),
        pytest.param(25.0, 20, 40.0, id="asked again where nothing has rung yet"),
        pytest.param(19.0, 20, 20.0, id="however late it began to ring"),
        pytest.param(1.0, 0, 1.0, id="not at all"),
    ],
)
def test_how_long_a_call_may_ring(first: float, limit: int, ends: float) -> None:
    # rule C4
    async def story(stage: Stage) -> None:
        await asyncio.sleep(100)
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert call.elapsed == ends
        said = f"answered 180, then nothing for {limit} s (phone_setting.ringback_timeout)"
        assert call.reason == call.route[-1].detail == said
        assert stage.route(call.route) == [("primary", "no-response", 0.0, ends)]
        await call.over()
        assert stage.sent("CANCEL") == [(ends, ".13", "CANCEL")]

    script = {"INVITE": [[Answer(first, 180), Answer(ends + 1, 487)], []], "CANCEL": OK}
    play(story, {"phone_setting.ringback_timeout": str(limit)}, actors={"primary": script})


def test_a_fault_before_anything_has_left() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        call.fault(LookupError("planted"))
        await call.over()
        assert (call.result, call.reason) == (CallResult.FAILED, "internal fault: LookupError: planted")
        assert (call.route, stage.requests("INVITE")) == ([], [])

    play(story)


def test_the_time_of_a_register_first_does_not_count_as_ringing() -> None:
    # rule C4
    # rule R9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert stage.route(call.route) == [
            ("primary", "unavailable", 0.0, 0.0),
            ("secondary", "no-response", 0.0, 25.0),
        ]
        await call.over()

    script = {
        "REGISTER": [[Answer(15.0, 200)]],
        "INVITE": [[Answer(0.5, 180), Answer(11.0, 487)], []],
        "CANCEL": OK,
    }
    keys = server_1(register_on_enable=1) | {"phone_setting.ringback_timeout": "10"}
    play(story, keys, actors={"secondary": script}, primary=503)


def test_a_call_without_an_rtp_port_fails_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        async def none(*args: object, **named: object) -> Never:
            raise WorldError("no port is left")

        monkeypatch.setattr(stage.world, "open_udp", none)
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert call.reason == "no RTP port is free: no port is left"
        assert (call.route, call.status, call.state) == ([], None, CallState.ENDED)
        assert stage.ladder() == []

    play(story)


@pytest.mark.parametrize(
    ("behaviour", "over_after"), [("silent", 31.0), ("503 delay 2s", 1.0)], ids=["silence", "503"]
)
def test_no_further_target_after_a_hang_up(behaviour: str, over_after: float) -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        assert call.state is CallState.ENDING
        stage.zero += 1.0
        await call.over()
        assert round(stage.world.now() - stage.zero, 3) == over_after
        assert {line.where for line in stage.sent("INVITE")} == {".13"}
        assert stage.sent("CANCEL", "BYE") == []
        assert (call.result, call.route[0].outcome) == (CallResult.CANCELLED, Outcome.CANCELLED)

    play(story, primary=behaviour)


def test_a_challenge_after_the_hang_up_is_not_answered() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        await call.over()
        assert stage.ladder("INVITE", "ACK", "CANCEL") == [
            "0.000 >> INVITE .13",
            "0.500 >> INVITE .13",
            "1.500 >> INVITE .13",
            "2.000 << 407 INVITE .13",
            "2.000 >> ACK .13",
        ]

    play(story, actors={"primary": {"INVITE": [[Answer(2.0, 407, CHALLENGE)], []]}})


def test_hanging_up_while_it_rings() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(5)
        assert call.state is CallState.RINGING
        await call.hang_up()
        await call.over()
        assert stage.world.now() == 5.0
        assert stage.ladder("INVITE", "CANCEL", "ACK")[-4:] == [
            "5.000 >> CANCEL .13",
            "5.000 << 200 CANCEL .13",
            "5.000 << 487 INVITE .13",
            "5.000 >> ACK .13",
        ]
        assert stage.route(call.route) == [("primary", "cancelled", 0.0, 5.0)]

    play(story, primary="ringing")


def test_an_answer_that_crosses_the_hang_up_is_ended() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        await call.over()
        assert stage.ladder("INVITE", "ACK", "BYE")[-4:] == [
            "2.000 << 200 INVITE .13",
            "2.000 >> ACK .13",
            "2.000 >> BYE .13",
            "2.000 << 200 BYE .13",
        ]
        assert call.result is CallResult.CANCELLED
        assert call.state is CallState.ENDED

    play(story, actors={"primary": {"INVITE": [[Answer(2.0, 200)], []], "BYE": OK}})


def test_hanging_up_during_the_name_lookup() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        for nameserver in stage.lab.nameservers:
            nameserver.delay = 1.0
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.5)
        await call.hang_up()
        await call.over()
        assert (stage.world.now(), call.route, call.result) == (0.5, [], CallResult.CANCELLED)
        await asyncio.sleep(60)
        assert stage.sent("INVITE", "CANCEL") == []

    play(story)


def test_hanging_up_during_the_lookup_of_the_next_server() -> None:
    """The primary has answered 100 and 503: nothing is cancelled there."""

    # rule C9
    # rule C8
    async def story(stage: Stage) -> None:
        await stage.phone.context.resolver.query("one.test", RdType.A)
        await stage.lab.dns_behave("silent")
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        assert [attempt.outcome for attempt in call.route] == [Outcome.UNAVAILABLE]
        await call.hang_up()
        await call.over()
        assert stage.world.now() == 1.0
        await asyncio.sleep(60)
        assert stage.sent("INVITE", "CANCEL") == [(0.0, ".13", "INVITE")]

    zone = "one.test. IN A 192.168.1.13\ntwo.test. IN A 192.168.1.15\n"
    settings = server_1(address="one.test", port=5060, transport_type=0) | server_2(address="two.test")
    script = {"INVITE": [[Answer(0.0, 100), Answer(0.0, 503)]]}
    play(story, settings, zone=zone, actors={"primary": script})


def test_hanging_up_while_a_connection_is_being_made() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        stage.world.network.host(SERVERS["primary"]).up = False
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        await call.over()
        assert stage.world.now() == 1.0
        assert stage.route(call.route) == [("primary", "cancelled", 0.0, 1.0)]
        assert stage.told(AttemptStarted) == stage.told(AttemptEnded) == call.route
        await asyncio.sleep(100)
        assert stage.sent("INVITE", "CANCEL") == []

    play(story, server_1(port=5060, transport_type=1))


def test_hanging_up_twice_and_after_the_end() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.gather(call.hang_up(), call.hang_up())
        await call.hang_up()
        await call.over()
        assert len(stage.requests("BYE")) == 1
        assert (call.result, call.state) == (CallResult.ANSWERED, CallState.ENDED)

    play(story)


# -- where calls may go ----------------------------------------------------------------------------------


def test_an_unregistered_phone_calls_all_the_same() -> None:
    # rule C10
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["fallback"]
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [attempt.target.role for attempt in call.route] == ["primary"]

    play(story, primary={"REGISTER": 403})


def test_only_server_2() -> None:
    # rule C12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["fallback"]
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [("fallback", "answered", 0.0, 0.0)]
        await stage.behave(fallback="silent")
        stage.mark()
        call = stage.phone.dial("1003")
        assert await call.settled() is CallResult.FAILED
        assert stage.route(call.route) == [("fallback", "no-response", 0.0, 32.0)]

    play(story, server_1(address=""))


def test_server_1_as_a_literal_address() -> None:
    # rule C12
    # rule D1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 32.0),  # a list of one: its last target, whatever the keys say
            ("fallback", "answered", 32.0, 32.0),
        ]
        assert not any(isinstance(event, DnsAnswered) for event in stage.events)

    play(story, server_1(address="192.168.1.13", port=5060, invite_retry_counts=1), primary="silent")


@pytest.mark.parametrize(
    ("silence", "keys", "switch"),
    [
        (Silence.TIMER_B, {"invite_retry_counts": 3}, 32.0),
        (Silence.RETRY_COUNTS, {}, 7.5),
        (Silence.ATTEMPTS, {"invite_retry_counts": 3}, 3.5),
        (Silence.ATTEMPTS, {}, 3.5),
        (Silence.AUTO, {}, 32.0),
    ],
)
def test_the_silence_option(silence: Silence, keys: dict[str, int], switch: float) -> None:
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert stage.route(call.route)[0] == ("primary", "no-response", 0.0, switch)

    play(story, server_1(**keys), silence=silence, primary="silent")


def test_other_timers() -> None:
    # rule T
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert stage.route(call.route)[0] == ("primary", "no-response", 0.0, 64.0)
        assert stage.sends(call.route[0]) == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0]
        assert call.route[0].detail == "no response within 64*T1 = 64.0 s"

    play(story, {"sip.timer_t1": "1"}, primary="silent")


# -- DNS -------------------------------------------------------------------------------------------------


def test_a_name_that_does_not_exist() -> None:
    # rule C2
    # rule D8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "unresolved", 0.0, 0.0),
            ("fallback", "answered", 0.0, 0.0),
        ]
        first = call.route[0]
        assert (first.sent, first.status, first.as_json()["address"]) == (0, None, None)
        assert "no such name" in first.detail
        assert stage.told(AttemptStarted) == stage.told(AttemptEnded) == call.route

    play(story, zone="other.pbx.com. IN A 192.168.1.13")


@pytest.mark.parametrize("dot", ["", "."], ids=["as usual", "with the dot of master files"])
def test_static_records_serve_where_dns_gives_nothing(dot: str) -> None:
    # rule D7
    async def story(stage: Stage) -> None:
        await stage.behave(primary=503)
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [(a.target.role, a.target.address, a.target.source) for a in call.route] == [
            ("primary", "192.168.1.13", "static"),
            ("secondary", "192.168.1.14", "static"),
        ]

    settings = {
        "dns_cache_srv.1.name": f"_sip._udp.yealink.pbx.com{dot}",
        "dns_cache_srv.1.port": "5060",
        "dns_cache_srv.1.priority": "1",
        "dns_cache_srv.1.target": f"srv1.yealink.pbx.com{dot}",
        "dns_cache_srv.2.name": f"_sip._udp.yealink.pbx.com{dot}",
        "dns_cache_srv.2.port": "5060",
        "dns_cache_srv.2.priority": "2",
        "dns_cache_srv.2.target": f"srv2.yealink.pbx.com{dot}",
        "dns_cache_a.1.name": f"srv1.yealink.pbx.com{dot}",
        "dns_cache_a.1.ip": "192.168.1.13",
        "dns_cache_a.2.name": f"srv2.yealink.pbx.com{dot}",
        "dns_cache_a.2.ip": "192.168.1.14",
    }
    play(story, settings, zone="other.pbx.com. IN A 192.168.1.99")


@pytest.mark.parametrize(
    ("key", "outcomes"), [("1", ["no-response", "skipped"]), ("0", ["no-response", "no-response"])]
)
def test_an_address_that_failed_is_passed_over(key: str, outcomes: list[str]) -> None:
    # rule D5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert [str(attempt.outcome) for attempt in call.route] == outcomes
        assert call.elapsed == 32.0 * outcomes.count("no-response")
        assert stage.told(AttemptStarted) == stage.told(AttemptEnded) == call.route

    settings = server_1(address="192.168.1.13", port=5060) | server_2(address="192.168.1.13")
    play(story, settings | {"sip.skip_redundant_failover_addr": key}, primary="silent")


def test_a_skipped_target_is_none_that_was_exhausted() -> None:
    """It names the attempt that failed at its address; why the call failed tells that attempt only."""

    # rule D5
    # rule C1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert [(a.target.role, str(a.outcome)) for a in call.route] == [
            ("primary", "unavailable"),
            ("secondary", "unavailable"),
            ("fallback", "skipped"),
        ]
        assert call.route[2].detail == (
            "192.168.1.14 already failed in this route as secondary (sip.skip_redundant_failover_addr = 1)"
        )
        assert call.reason == (
            "every server is exhausted: "
            "primary: answered 503 Service Unavailable: the server is not available; "
            "secondary: answered 503 Service Unavailable: the server is not available"
        )
        assert call.status == 503

    play(story, server_2(address="192.168.1.14"), primary=503, secondary=503)


# -- connections -----------------------------------------------------------------------------------------

TCP = server_1(port=5060, transport_type=1)
TLS = server_1(port=5061, transport_type=2)


@pytest.mark.parametrize("settings", [TCP, TLS], ids=["tcp", "tls"])
def test_a_refused_connection_moves_on_at_once(settings: dict[str, str]) -> None:
    # rule C2
    # rule C6
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "connect-failed", 0.0, 0.0),
            ("secondary", "answered", 0.0, 0.0),
        ]
        assert (call.route[0].detail, call.route[0].sent) == ("connection refused", 0)

    play(story, settings, primary="refuse")


@pytest.mark.parametrize(
    ("keys", "why", "given_up"),
    [
        ({}, "no connection within 64*T1 = 32.0 s", 32.0),
        ({"invite_retry_counts": 3}, "no connection within 7.5 s (invite_retry_counts = 3)", 7.5),
    ],
)
def test_a_connect_without_answer_is_given_up_as_over_udp(
    keys: dict[str, int], why: str, given_up: float
) -> None:
    # rule C6
    async def story(stage: Stage) -> None:
        stage.world.network.host(SERVERS["primary"]).up = False
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route)[0] == ("primary", "connect-failed", 0.0, given_up)
        assert call.route[0].detail == why
        assert stage.route(call.route)[1] == ("secondary", "answered", given_up, given_up)

    play(story, TCP | server_1(**keys))


def test_one_request_that_gives_a_connect_up_leaves_it_to_the_others() -> None:
    """REGISTER waits 7.5 s for the connection, the INVITE 32 s for the same one."""

    # rule C6
    async def story(stage: Stage) -> None:
        host = stage.world.network.host(SERVERS["primary"])
        host.up = False
        registering = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(1)
        call = stage.phone.dial("1002")
        await asyncio.sleep(9)
        host.up = True
        assert await call.settled() is CallResult.ANSWERED
        assert call.via == "primary"
        await registering
        assert stage.registered() == ["secondary", "fallback"]

    play(story, TCP)


@pytest.mark.parametrize("settings", [TCP, TLS], ids=["tcp", "tls"])
def test_a_silent_server_behind_a_connection_gets_64_t1(settings: dict[str, str]) -> None:
    # rule C6
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route)[0] == ("primary", "no-response", 0.0, 32.0)
        assert stage.sends(call.route[0]) == [0.0]
        assert call.route[0].detail == "no response within 64*T1 = 32.0 s"

    play(story, settings | server_1(invite_retry_counts=1), primary="silent")


def test_a_connection_that_is_reset_fails_at_once() -> None:
    # rule C2
    # rule C6
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(2)
        await stage.behave(primary="refuse")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "send-failed", 0.0, 2.0),
            ("secondary", "answered", 2.0, 2.0),
        ]
        assert call.route[0].detail == "connection reset by peer"

    play(story, TCP, primary="silent")


def test_a_tls_handshake_that_fails_moves_on() -> None:
    """The servers' certificates name yealink.pbx.com and their own addresses."""

    # rule C2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "tls-failed", 0.0, 0.0),
            ("secondary", "tls-failed", 0.0, 0.0),
            ("fallback", "answered", 0.0, 0.0),
        ]
        assert "the peer does not speak TLS" in call.route[0].detail

    play(story, server_1(port=5060, transport_type=2))


def test_the_certificate_is_checked_against_the_name_not_the_address() -> None:
    # rule C2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert str(call.route[0].target) == "primary 192.168.1.13:5061/tls"

    play(story, TLS)


def test_r5_server_2_first_then_server_1() -> None:
    # rule R5
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["fallback"]
        await stage.behave(fallback=503, secondary="ok")
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [(a.target.role, str(a.outcome)) for a in call.route] == [
            ("fallback", "unavailable"),
            ("primary", "unavailable"),
            ("secondary", "answered"),
        ]
        assert call.route[0].why == "fallback first: the line is registered there"

    play(story, SUCCESSIVE, primary=503, secondary=503)


def test_whose_attempt_it_is_and_what_it_answers() -> None:
    # rule C1
    async def story(stage: Stage) -> None:
        await stage.behave(primary=503)
        stage.mark()
        call = stage.phone.dial("1002")
        await call.settled()
        for kind in (AttemptStarted, AttemptEnded):
            of = [event.call for event in stage.events if isinstance(event, kind)]
            assert of == [call.id, call.id]
        said = [event.reason for event in stage.events if isinstance(event, CallChanged)]
        assert said == [
            "calling 1002",
            "secondary answered 180 Ringing",
            "answered at secondary 192.168.1.14:5060/udp",
        ]

    play(story)


def test_each_send_of_an_invite_is_told() -> None:
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        told = [event for event in stage.events if isinstance(event, AttemptProgressed)]
        assert {event.call for event in told} == {call.id}
        assert [event.at for event in told if event.attempt.target.role == "primary"] == [0.0, 0.5, 1.5, 3.5]

    play(story, server_1(invite_retry_counts=3), primary="silent")


@pytest.mark.parametrize(
    ("primary", "last", "status", "by"), [("503", "silent", None, "timeout"), ("silent", "503", 503, "them")]
)
def test_a_call_that_every_server_fails_ends_as_the_last_attempt_did(
    primary: str, last: str, status: int | None, by: str
) -> None:
    # rule C1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert call.end is not None
        assert (call.status, str(call.end.by)) == (status, by)

    play(story, primary=primary, secondary=last, fallback=last)


def test_an_answer_that_is_repeated_before_its_first_ack_could_leave() -> None:
    """The name in its Record-Route is still looked up: there is no ACK yet that could be repeated."""

    # rule C11
    async def story(stage: Stage) -> None:
        await stage.lab.dns_behave("silent")
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        assert (call.state, stage.sent("ACK")) == (CallState.TALKING, [])
        await call.over()
        assert call.end is not None
        assert call.end.detail.startswith("there is no way to sip:slow.pbx.com")
        assert [line.where for line in stage.sent("ACK")][:1] == [".13"]  # the way of the INVITE

    route = [("Record-Route", "<sip:slow.pbx.com;lr>")]
    script = {"INVITE": [[Answer(0.0, 200, route), Answer(0.5, 200, route)]], "BYE": [[Answer(0.0, 200)]]}
    play(story, server_1(address="192.168.1.13", port=5060), actors={"primary": script})
