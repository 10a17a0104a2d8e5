"""Transactions over transports (RFC 3261 sections 9.2, 17 and 18)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, Outcome, Transport
from phone_emulator.sip.client import ClientTransaction, RequestFailed
from phone_emulator.sip.message import Request, Response, response_to
from tests.sip.ends import HERE, THERE, Ends, Far, incoming, request, run

UDP, TCP = Transport.UDP, Transport.TCP


def sent(message: object) -> Request:
    assert isinstance(message, Request)
    return message


async def failure(client: ClientTransaction) -> RequestFailed:
    with pytest.raises(RequestFailed) as raised:
        await client.final()
    return raised.value


def test_responses_find_their_requests() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        one = ends.endpoint.clients.request(request("OPTIONS", "c1"), flow)
        two = ends.endpoint.clients.request(request("OPTIONS", "c2"), flow, rport=True)
        await asyncio.sleep(0.001)
        first, second = (sent(message) for message in far.heard)
        assert first.branch != second.branch
        assert (second.headers.get("Via") or "").endswith(";rport")
        far.send(response_to(second, 200, to_tag="t"))
        far.send(response_to(first, 404, to_tag="t"))
        assert (await two.final()).status == 200
        assert (await one.final()).status == 404

    run(story)


def test_stray_responses_change_nothing() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        client = ends.endpoint.clients.request(request("OPTIONS"), flow)
        await asyncio.sleep(0.001)
        for wrong in ("z9hG4bKother", ""):
            stray = response_to(sent(far.heard[0]), 200, to_tag="t")
            stray.headers.set("Via", f"SIP/2.0/UDP {HERE};branch={wrong}")
            far.send(stray)
        other_method = response_to(sent(far.heard[0]), 200, to_tag="t")
        other_method.headers.set("CSeq", "1 INFO")
        far.send(other_method)
        await asyncio.sleep(0.1)
        assert len(ends.strays) == 3
        assert not client.answered
        far.send(response_to(sent(far.heard[0]), 200, to_tag="t"))
        assert (await client.final()).status == 200

    run(story)


@pytest.mark.parametrize(
    ("via", "why"),
    [
        ("SIP/2.0/UDP 192.168.1.21:5062;{}", "its Via names 192.168.1.21:5062, which is not this phone"),
        ("SIP/2.0/UDP 10.9.9.9;{}", "its Via names 10.9.9.9:5060, which is not this phone"),
        (
            "SIP/2.0/UDP 192.168.1.21:5060;{}, SIP/2.0/UDP 192.168.1.7;branch=z9hG4bK7",
            "it has more than one Via: it answers a request that others have passed on",
        ),
    ],
)
def test_a_response_to_somebody_else_is_discarded(via: str, why: str) -> None:
    """RFC 3261 sections 18.1.2 and 8.1.3.3: whatever its branch is."""

    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        client = ends.endpoint.clients.request(request("OPTIONS"), flow)
        await asyncio.sleep(0.001)
        wrong = response_to(sent(far.heard[0]), 200, to_tag="t")
        wrong.headers.set("Via", via.format(f"branch={wrong.branch}"))
        far.send(wrong)
        await asyncio.sleep(0.1)
        assert not client.answered
        assert ends.ignored == [why]
        assert ends.strays == []
        far.send(response_to(sent(far.heard[0]), 200, to_tag="t"))
        assert (await client.final()).status == 200

    run(story)


@pytest.mark.parametrize("sent_by", ["192.168.1.21", "192.168.1.21 : 5060"])
def test_own_sent_by_in_other_words(sent_by: str) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        client = ends.endpoint.clients.request(request("OPTIONS"), flow)
        await asyncio.sleep(0.001)
        answer = response_to(sent(far.heard[0]), 200, to_tag="t")
        answer.headers.set("Via", f"SIP/2.0/UDP {sent_by};branch={answer.branch}")
        far.send(answer)
        assert (await client.final()).status == 200

    run(story)


def test_icmp_fails_those_who_wait_for_a_first_answer_there() -> None:
    # rule C2
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        other = await Far(ends.world).bind(Address("192.168.1.14", 5060))
        there = await ends.endpoint.transports.flow(UDP, THERE)
        elsewhere = await ends.endpoint.transports.flow(UDP, Address("192.168.1.14", 5060))
        ringing = ends.endpoint.clients.request(request("INVITE", "c1"), there)
        trying = ends.endpoint.clients.request(request("OPTIONS", "c2"), there)
        unconcerned = ends.endpoint.clients.request(request("OPTIONS", "c3"), elsewhere)
        await asyncio.sleep(0.001)
        far.send(response_to(sent(far.heard[0]), 180, to_tag="t"))
        assert (await ringing.response()).status == 180
        far.close()
        error = await failure(trying)
        assert error.outcome is Outcome.ICMP
        assert "port unreachable" in error.detail
        assert ends.world.now() == 0.5
        assert not ringing.machine.ended
        other.send(response_to(sent(other.heard[0]), 200, to_tag="t"))
        assert (await unconcerned.final()).status == 200
        ends.endpoint.clients.give_up(ringing, "enough")
        assert (await failure(ringing)).detail == "enough"

    run(story)


def test_a_send_that_fails_at_once() -> None:
    async def story(ends: Ends) -> None:
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        huge = request("MESSAGE")
        huge.body = bytes(66000)
        error = await failure(ends.endpoint.clients.request(huge, flow))
        assert error.outcome is Outcome.SEND_FAILED
        assert ends.endpoint.live_transactions == 0

    run(story)


def test_silence_fails_after_timer_b_or_the_given_wait() -> None:
    async def story(ends: Ends) -> None:
        await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        times: list[float] = []
        client = ends.endpoint.clients.request(
            request("INVITE"), flow, timeout=7.5, on_sent=lambda: times.append(ends.world.now())
        )
        assert (await failure(client)).outcome is Outcome.NO_RESPONSE
        assert times == [0, 0.5, 1.5, 3.5]
        assert ends.world.now() == 7.5

    run(story)


@pytest.mark.parametrize(
    ("sent_by", "source", "answered_at", "via"),
    [
        ("192.168.1.13", THERE, THERE, "192.168.1.13;branch=z9hG4bK1"),
        (
            "192.168.1.13:5070",
            Address("192.168.1.13", 5099),
            Address("192.168.1.13", 5070),
            "192.168.1.13:5070;branch=z9hG4bK1",
        ),
        ("pbx.example", THERE, THERE, "pbx.example;branch=z9hG4bK1;received=192.168.1.13"),
        ("10.9.9.9", THERE, THERE, "10.9.9.9;branch=z9hG4bK1;received=192.168.1.13"),
        (
            "10.9.9.9;rport;received=8.8.8.8",
            Address("192.168.1.13", 5099),
            Address("192.168.1.13", 5099),
            "10.9.9.9;branch=z9hG4bK1;received=192.168.1.13;rport=5099",
        ),
        (
            "192.168.1.13;maddr=224.0.1.75;ttl=1",
            THERE,
            THERE,
            "192.168.1.13;maddr=224.0.1.75;ttl=1;branch=z9hG4bK1",
        ),
        (
            "192.168.1.13;maddr=pbx.example;rport",
            Address("192.168.1.13", 5099),
            Address("192.168.1.13", 5099),
            "192.168.1.13;maddr=pbx.example;branch=z9hG4bK1;received=192.168.1.13;rport=5099",
        ),
        (
            "192.168.1.13:5070;maddr=192.168.1.14;rport",
            THERE,
            Address("192.168.1.14", 5070),
            "192.168.1.13:5070;maddr=192.168.1.14;branch=z9hG4bK1;received=192.168.1.13;rport=5060",
        ),
    ],
)
def test_where_responses_go(sent_by: str, source: Address, answered_at: Address, via: str) -> None:
    """RFC 3261 sections 18.2.1 and 18.2.2, RFC 3581; a multicast maddr is not followed, nor is a name."""

    async def story(ends: Ends) -> None:
        asking = await Far(ends.world).bind(source)
        hearing = asking if source == answered_at else await Far(ends.world).bind(answered_at)
        asking.send(incoming("OPTIONS", sent_by=sent_by))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.001)
        [response] = hearing.responses
        assert response.headers.get_all("Via") == [f"SIP/2.0/UDP {via}"]
        asking.send(incoming("OPTIONS", sent_by=sent_by))
        await asyncio.sleep(0.001)
        assert len(hearing.responses) == 2
        assert len(ends.requests) == 1

    run(story)


def test_a_via_without_branch_has_one_received() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(request("OPTIONS", via="SIP/2.0/UDP 192.168.1.13;received=10.6.6.6;rport"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        assert (
            server.request.headers.get("Via") == "SIP/2.0/UDP 192.168.1.13;received=192.168.1.13;rport=5060"
        )

    run(story)


@pytest.mark.parametrize("sent_by", ["192.168.1.13:99999", "192.168.1.13:0", "[::1", "", "a b"])
def test_odd_sent_by_does_no_harm(sent_by: str) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("OPTIONS", sent_by=sent_by))
        await asyncio.sleep(0.001)
        for server in ends.requests:
            server.respond(response_to(server.request, 200, to_tag="t"))
        assert ends.ignored or far.responses or ends.requests
        await asyncio.sleep(40)
        assert ends.endpoint.live_transactions == 0

    run(story)


def test_other_vias_are_kept() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        two = incoming("OPTIONS", sent_by="pbx.example")
        two.headers.set("Via", f"{two.headers.get('Via')}, SIP/2.0/TCP c.example;branch=z9hG4bK9")
        far.send(two)
        await asyncio.sleep(0.001)
        [server] = ends.requests
        assert server.request.headers.values("Via") == [
            "SIP/2.0/UDP pbx.example;branch=z9hG4bK1;received=192.168.1.13",
            "SIP/2.0/TCP c.example;branch=z9hG4bK9",
        ]

    run(story)


def test_a_repeated_request_draws_the_same_response() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        invite = incoming("INVITE")
        far.send(invite)
        await asyncio.sleep(0.25)
        assert [response.status for response in far.responses] == [100]
        [server] = ends.requests
        server.respond(response_to(server.request, 486, to_tag="t"))
        far.send(invite)
        await asyncio.sleep(0.1)
        assert [response.status for response in far.responses] == [100, 486, 486]
        far.send(incoming("ACK", to="<sip:b@x>;tag=t"))
        await asyncio.sleep(40)
        assert len(far.responses) == 3
        assert ends.acks == []
        assert len(ends.requests) == 1

    run(story)


def test_the_ack_to_a_2xx_goes_to_the_user() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("INVITE"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        server.respond(response_to(server.request, 200, to_tag="t"))
        far.send(incoming("ACK", branch="z9hG4bK2", to="<sip:b@x>;tag=t"))
        await asyncio.sleep(0.001)
        assert [ack.branch for ack in ends.acks] == ["z9hG4bK2"]

    run(story)


def test_cancel() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("INVITE"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        cancelled: list[float] = []
        server.on_cancel = lambda cancel: cancelled.append(ends.world.now())
        server.respond(response_to(server.request, 180, to_tag="mine"))
        far.send(incoming("CANCEL"))
        far.send(incoming("CANCEL"))
        await asyncio.sleep(0.001)
        assert [(r.status, r.cseq.method, r.to_tag) for r in far.responses] == [
            (180, "INVITE", "mine"),
            (200, "CANCEL", "mine"),
            (200, "CANCEL", "mine"),
        ]
        assert len(cancelled) == 1
        server.respond(response_to(server.request, 487, to_tag="mine"))
        far.send(incoming("ACK", to="<sip:b@x>;tag=mine"))
        far.send(incoming("CANCEL", branch="z9hG4bKunknown"))
        await asyncio.sleep(0.001)
        last = far.responses[-1]
        assert (last.status, last.headers.get("User-Agent")) == (481, "UA")
        assert last.to_tag

    run(story)


def test_a_request_on_two_ways_is_a_loop() -> None:
    """RFC 3261 section 8.2.2.2."""

    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("INVITE"))
        far.send(incoming("INVITE", branch="z9hG4bK2"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        assert [(r.status, r.branch) for r in far.responses] == [(482, "z9hG4bK2")]
        server.respond(response_to(server.request, 486, to_tag="t"))
        far.send(incoming("INVITE", branch="z9hG4bK3"))
        await asyncio.sleep(0.001)
        assert (far.responses[-1].status, len(ends.requests)) == (482, 1), "the transaction goes on (timer H)"
        far.send(incoming("ACK", to="<sip:b@x>;tag=t"))
        await asyncio.sleep(40)
        far.send(incoming("INVITE", branch="z9hG4bK4"))
        await asyncio.sleep(0.001)
        assert len(ends.requests) == 2, "once that is over it is a new request"

    run(story)


def test_what_the_user_cannot_understand_draws_400() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        ends.endpoint.servers._on_request = lambda server: print(server.request.contacts)
        far.send(incoming("INVITE", Contact="<nonsense"))
        await asyncio.sleep(0.001)
        assert [response.status for response in far.responses] == [400]
        assert ends.ignored == ["Contact: does not follow the grammar of RFC 3261"]
        far.send(incoming("ACK", to=far.responses[0].headers.get("To") or ""))
        await asyncio.sleep(40)
        assert ends.endpoint.live_transactions == 0

    run(story)


def test_a_thousand_transactions_leave_nothing() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        for number in range(500):
            client = ends.endpoint.clients.request(
                request("INVITE" if number % 2 else "INFO", f"o{number}"), flow
            )
            await asyncio.sleep(0.001)
            far.send(response_to(sent(far.heard[-1]), 404, to_tag="t"))
            await client.final()
            method = "INVITE" if number % 2 else "INFO"
            far.send(incoming(method, branch=f"z9hG4bK{number}", call_id=f"i{number}"))
            await asyncio.sleep(0.001)
            server = ends.requests.pop()
            server.respond(response_to(server.request, 404, to_tag="t"))
            if method == "INVITE":
                far.send(incoming("ACK", branch=f"z9hG4bK{number}", call_id=f"i{number}"))
        assert ends.endpoint.live_transactions > 100
        await asyncio.sleep(40)
        assert ends.endpoint.live_transactions == 0
        assert not ends.endpoint.clients._by_flow
        assert not ends.endpoint.servers._mergeable
        assert ends.world.pending_timers() == []

    run(story)


def test_closing_tells_who_waits() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        waiting = asyncio.create_task(failure(ends.endpoint.clients.request(request("INVITE"), flow)))
        far.send(incoming("INVITE"))
        await asyncio.sleep(0.1)
        await ends.endpoint.close()
        assert (await waiting).detail == "the phone was stopped"
        assert ends.world.pending_tasks() == []
        assert ends.world.pending_timers() == []

    run(story)


def test_a_connection_lost_fails_those_without_an_answer() -> None:
    # rule C2
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        flow = await ends.endpoint.transports.flow(TCP, THERE)
        trying = ends.endpoint.clients.request(request("INVITE", "c1"), flow)
        await asyncio.sleep(0.001)
        far.send(response_to(sent(far.heard[0]), 100))
        await trying.response()
        waiting = ends.endpoint.clients.request(request("OPTIONS", "c2"), flow)
        await asyncio.sleep(0.001)
        far.streams[0].abort()
        error = await failure(waiting)
        assert error.outcome is Outcome.SEND_FAILED
        assert flow.lost
        assert not trying.machine.ended  # rule C4
        error = await failure(ends.endpoint.clients.request(request("OPTIONS", "c3"), flow))
        assert error.outcome is Outcome.SEND_FAILED
        ends.endpoint.clients.give_up(trying, "enough")

    run(story)


def test_responses_over_tcp_go_back_on_the_connection() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        far.send(incoming("OPTIONS", sent_by="10.9.9.9:7777"))
        await asyncio.sleep(0.01)
        [server] = ends.requests
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.01)
        [response] = far.responses
        assert isinstance(response, Response)
        far.close()
        await asyncio.sleep(0.01)
        far.close()
        server.respond(response_to(server.request, 200, to_tag="t"))

    run(story)


def test_a_response_to_a_connection_that_is_gone_is_told() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        far.close()
        await asyncio.sleep(0.01)
        [server] = ends.requests
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.1)
        assert ends.ignored[0].startswith("could not be sent: ")

    run(story)
