"""A subscription in its dialog (RFC 6665): NOTIFYs, refreshes, ends, and when it is made anew."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from phone_emulator.events import Event, MessagesWaiting, SubscriptionChanged
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE, SERVER
from tests.phone.far_end import Play, play
from tests.phone.presence.watching import granted, notify, registered, subscribed

MWI: dict[str, Any] = {"account__1__subscribe_mwi": 1}
SUMMARY = b"Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/1)\r\n"


def summaries(events: list[Event]) -> list[tuple[bool, int, int]]:
    return [(each.waiting, each.new, each.old) for each in events if isinstance(each, MessagesWaiting)]


def told(events: list[Event]) -> list[str]:
    """What was told of subscriptions: state and reason."""
    return [f"{each.state}: {each.reason}" for each in events if isinstance(each, SubscriptionChanged)]


def subscribes(on: Play) -> list[tuple[float, Request]]:
    return [(at, message) for at, message in on.sent("SUBSCRIBE") if isinstance(message, Request)]


def test_it_is_refreshed_in_its_dialog() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on, body=SUMMARY)
        assert summaries(on.events) == [(True, 2, 8)]
        assert first.cseq.number == 1
        assert first.uri == f"sip:1001@{SERVER}"
        await asyncio.sleep(3540 - on.world.now() - 0.001)
        await on.far.nothing(0)
        again = await on.far.heard("SUBSCRIBE")
        assert on.world.now() == pytest.approx(3540, abs=0.001)
        assert (again.call_id, again.from_tag, again.to_tag) == (first.call_id, first.from_tag, "far-tag")
        assert (again.cseq.number, again.uri) == (2, f"sip:notifier@{SERVER}")
        assert [again.headers.get(name) for name in ("Event", "Expires", "Accept")] == [
            "message-summary",
            "3600",
            "application/simple-message-summary",
        ]
        on.far.answer(again, 200, extra=[("Expires", "1200")])
        on.far.send(notify(on.far, first, 2))
        await on.far.response(200, "NOTIFY")
        await asyncio.sleep(1139)
        third = await on.far.heard("SUBSCRIBE")
        assert (third.call_id, third.cseq.number) == (first.call_id, 3)
        assert on.world.now() == pytest.approx(3540 + 1140, abs=0.01)
        assert told(on.events) == [f"active: subscribed at primary {SERVER}/udp"]

    play(story, **MWI)


def test_a_notify_may_come_before_the_answer() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        subscribe = await on.far.heard("SUBSCRIBE")
        on.far.send(notify(on.far, subscribe, 7, "pending", body=SUMMARY))
        await on.far.response(200, "NOTIFY")
        assert summaries(on.events) == [(True, 2, 8)]
        on.far.answer(subscribe, 202, extra=[("Expires", "200")])
        on.far.send(notify(on.far, subscribe, 8))
        await on.far.response(200, "NOTIFY")
        await asyncio.sleep(100)
        again = await on.far.heard("SUBSCRIBE")
        assert (again.call_id, again.to_tag, again.cseq.number) == (subscribe.call_id, "far-tag", 2)
        assert [line.partition(":")[0] for line in told(on.events)] == ["pending", "active"]

    play(story, **MWI)


def test_without_a_notify_it_is_not_established() -> None:
    """Timer N, RFC 6665 section 4.1.2.4; then ``sub_fail_retry_interval``."""

    async def story(on: Play) -> None:
        await registered(on)
        subscribe = await on.far.heard("SUBSCRIBE")
        on.far.answer(subscribe, 200)
        await on.far.nothing(61.9)
        again = await on.far.heard("SUBSCRIBE")
        assert again.call_id != subscribe.call_id
        assert [at for at, _ in subscribes(on)] == [0.0, 62.0]
        assert told(on.events) == ["ended: no NOTIFY within 64*T1 = 32.0 s"]

    play(story, **MWI)


def test_the_notify_of_another_fork_is_refused() -> None:
    async def story(on: Play) -> None:
        subscribe = await subscribed(on)
        on.far.send(notify(on.far, subscribe, 1, tag="another", body=SUMMARY))
        await on.far.response(481, "NOTIFY")
        assert summaries(on.events) == []

    play(story, **MWI)


def test_a_notify_of_another_event_id_is_refused() -> None:
    """RFC 6665 section 8.2.1: the SUBSCRIBE named none, so one that names an id is about something else."""

    async def story(on: Play) -> None:
        await registered(on)
        subscribe = await on.far.heard("SUBSCRIBE")
        on.far.send(notify(on.far, subscribe, 1, body=SUMMARY, event="message-summary;id=1"))
        await on.far.response(481, "NOTIFY")
        on.far.answer(subscribe, 200, extra=[("Expires", "3600")])
        on.far.send(notify(on.far, subscribe, 2))
        await on.far.response(200, "NOTIFY")
        over = "terminated;reason=noresource"
        on.far.send(notify(on.far, subscribe, 3, over, body=SUMMARY, event="message-summary;id=1"))
        await on.far.response(481, "NOTIFY")
        assert summaries(on.events) == []
        assert told(on.events) == [f"active: subscribed at primary {SERVER}/udp"]
        on.far.send(notify(on.far, subscribe, 4, body=SUMMARY, event="Message-Summary ; x=y"))
        await on.far.response(200, "NOTIFY")
        assert summaries(on.events) == [(True, 2, 8)]

    play(story, **MWI)


@pytest.mark.parametrize("status", [404, 408, 481, 489, 503])
def test_a_refresh_that_shows_that_it_is_gone(status: int) -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on)
        await asyncio.sleep(3500)
        on.far.answer(await on.far.heard("SUBSCRIBE"), status)
        again = await on.far.heard("SUBSCRIBE")
        assert on.world.now() == pytest.approx(3540, abs=0.001)
        assert (again.call_id != first.call_id, again.to_tag, again.cseq.number) == (True, None, 1)

    play(story, **MWI)


def test_a_refresh_without_a_response() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on, expires=200)
        await asyncio.sleep(140 + 32.5)
        assert {each.call_id for at, each in subscribes(on) if at < 172} == {first.call_id}
        [(at, again)] = [(at, each) for at, each in subscribes(on) if each.call_id != first.call_id][:1]
        assert (at, again.to_tag) == (172.0, None)
        assert told(on.events)[1] == "ended: no response to the refresh"

    play(story, **MWI)


def test_a_refused_refresh_lets_it_lapse() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on)
        await asyncio.sleep(3500)
        on.far.answer(await on.far.heard("SUBSCRIBE"), 500)
        await asyncio.sleep(55)
        on.far.send(notify(on.far, first, 2, body=SUMMARY))
        await on.far.response(200, "NOTIFY")
        assert summaries(on.events) == [(True, 2, 8)]
        again = await on.far.heard("SUBSCRIBE")
        assert on.world.now() == pytest.approx(3600, abs=0.001)
        assert again.call_id != first.call_id

    play(story, **MWI)


def test_a_longer_time_is_asked_for_when_the_server_wants_it() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        on.far.answer(await on.far.heard("SUBSCRIBE"), 423, extra=[("Min-Expires", "7200")])
        longer = await granted(on, 7200)
        assert (longer.headers.get("Expires"), longer.cseq.number) == ("7200", 2)
        await asyncio.sleep(7139)
        on.far.answer(await on.far.heard("SUBSCRIBE"), 423, extra=[("Min-Expires", "9000")])
        again = await on.far.heard("SUBSCRIBE")
        assert (again.headers.get("Expires"), again.cseq.number) == ("9000", 4)
        on.far.answer(again, 200)
        await asyncio.sleep(8000)
        assert len(subscribes(on)) == 4

    play(story, **MWI)


@pytest.mark.parametrize(
    ("status", "extra", "pause"),
    [
        (403, [], 30.0),
        (480, [("Retry-After", "100 (later)")], 100.0),
        (480, [("Retry-After", "9999999999999")], 86400.0),
        (480, [("Retry-After", "soon")], 30.0),
        (489, [], None),
    ],
)
def test_when_a_refused_one_is_tried_again(
    status: int, extra: list[tuple[str, str]], pause: float | None
) -> None:
    async def story(on: Play) -> None:
        await registered(on)
        on.far.answer(await on.far.heard("SUBSCRIBE"), status, extra=extra)
        await asyncio.sleep(100_000)
        times = [at for at, _ in subscribes(on)]
        assert times[1:2] == ([] if pause is None else [pause])

    play(story, **MWI)


@pytest.mark.parametrize(
    ("state", "pause"),
    [
        ("terminated;reason=deactivated", 0.0),
        ("terminated;reason=timeout", 0.0),
        ("terminated;reason=probation", 30.0),
        ("terminated;reason=probation;retry-after=90", 90.0),
        ("terminated;reason=giveup;retry-after=5", 5.0),
        ("Terminated ; Reason=whatever", 30.0),
        ("terminated", 30.0),
        ("terminated;reason=rejected", None),
        ("terminated;reason=noresource", None),
        ("terminated;reason=invariant;retry-after=5", None),
    ],
)
def test_when_an_ended_one_is_made_anew(state: str, pause: float | None) -> None:
    """RFC 6665 section 4.1.3."""

    async def story(on: Play) -> None:
        first = await subscribed(on)
        await asyncio.sleep(10)
        on.far.send(notify(on.far, first, 2, state))
        await on.far.response(200, "NOTIFY")
        await asyncio.sleep(1000)
        later = [(at, each) for at, each in subscribes(on) if at > 0]
        assert [at for at, _ in later][:1] == ([] if pause is None else [10.0 + pause])
        assert all(each.call_id != first.call_id and each.to_tag is None for _, each in later)
        on.far.send(notify(on.far, first, 3, body=SUMMARY))
        while (response := await on.far.hear()).cseq.method != "NOTIFY":
            pass
        assert isinstance(response, type(on.far.answer(first, 200)))
        assert response.status == 481

    play(story, **MWI)


def test_a_server_cannot_make_it_subscribe_without_end() -> None:
    async def story(on: Play) -> None:
        await subscribed(on, state="terminated;reason=deactivated")
        for second in (1.0, 2.0, 3.0):
            await granted(on, state="terminated;reason=deactivated")
            assert on.world.now() == pytest.approx(second, abs=0.001)

    play(story, **MWI)


def test_it_ends_with_the_phone() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on)
        stopping = asyncio.create_task(on.phone.stop())
        last = await on.far.heard("SUBSCRIBE")
        assert (last.call_id, last.cseq.number, last.headers.get("Expires")) == (first.call_id, 2, "0")
        on.far.answer(last, 200)
        on.far.send(notify(on.far, first, 2, "terminated;reason=timeout"))
        heard = [await on.far.hear(), await on.far.hear()]
        assert {(type(each).__name__, each.cseq.method) for each in heard} == {
            ("Response", "NOTIFY"),
            ("Request", "REGISTER"),
        }
        [register] = [each for each in heard if isinstance(each, Request)]
        on.far.answer(register, 200)
        await stopping
        assert len(subscribes(on)) == 2

    play(story, **MWI)


def test_a_silent_server_does_not_keep_the_phone_from_stopping() -> None:
    async def story(on: Play) -> None:
        await subscribed(on)
        stopping = asyncio.create_task(on.phone.stop())
        await on.far.heard("SUBSCRIBE")
        while (heard := await on.far.hear()).cseq.method != "REGISTER":
            pass
        assert on.world.now() == pytest.approx(4.0, abs=0.001)
        assert isinstance(heard, Request)
        on.far.answer(heard, 200)
        await stopping

    play(story, **MWI)


def test_a_refresh_gives_credentials() -> None:
    async def story(on: Play) -> None:
        await subscribed(on, expires=200)
        await asyncio.sleep(139)
        refresh = await on.far.heard("SUBSCRIBE")
        on.far.answer(refresh, 401, extra=[("WWW-Authenticate", challenge_value("pbx", "n1"))])
        again = await on.far.heard("SUBSCRIBE")
        assert (again.cseq.number, again.call_id) == (3, refresh.call_id)
        assert 'username="1001"' in (again.headers.get("Authorization") or "")
        assert again.headers.get("Event") == "message-summary"

    play(story, **MWI)


def test_a_notify_may_shorten_it_but_not_lengthen_it() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on, state="active;expires=90000")
        on.far.send(notify(on.far, first, 2, "active;expires=1000"))
        await on.far.response(200, "NOTIFY")
        await asyncio.sleep(939)
        await on.far.nothing(0)
        await on.far.heard("SUBSCRIBE")
        assert on.world.now() == pytest.approx(940, abs=0.01)

    play(story, **MWI)


def test_a_target_that_moved_gets_the_refresh() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on, expires=200)
        moved = notify(on.far, first, 2)
        moved.headers.set("Contact", f"<sip:elsewhere@{SERVER}>")
        on.far.send(moved)
        await on.far.response(200, "NOTIFY")
        await asyncio.sleep(139)
        assert (await on.far.heard("SUBSCRIBE")).uri == f"sip:elsewhere@{SERVER}"

    play(story, **MWI)


def test_what_it_does_not_take() -> None:
    async def story(on: Play) -> None:
        first = await subscribed(on)
        odd = notify(on.far, first, 2, event="dialog")
        on.far.send(odd)
        assert (await on.far.response(489, "NOTIFY")).headers.get("Allow-Events") == "message-summary"
        on.far.send(notify(on.far, first, 3, body=b"<x/>", content_type="text/xml"))
        response = await on.far.response(415, "NOTIFY")
        assert response.headers.get("Accept") == "application/simple-message-summary"
        on.far.send(notify(on.far, first, 1, tag="far-tag", body=SUMMARY, state="active;x=1"))
        await on.far.response(200, "NOTIFY")  # the first one once more
        late = notify(on.far, first, 2)
        late.headers.set("Via", "SIP/2.0/UDP 192.168.1.13:5060;branch=z9hG4bKlate")
        on.far.send(late)
        await on.far.response(500, "NOTIFY")
        other = notify(on.far, first, 4)
        other.method = "MESSAGE"
        other.headers.set("CSeq", "4 MESSAGE")
        on.far.send(other)
        await on.far.response(405, "MESSAGE")
        assert summaries(on.events) == []

    play(story, **MWI)


@pytest.mark.parametrize(("tag", "status", "count"), [("", 200, 1), (";tag=gone", 481, 0)])
def test_voice_mail_that_nobody_asked_for(tag: str, status: int, count: int) -> None:
    async def story(on: Play) -> None:
        request = on.far.make(
            "NOTIFY",
            f"sip:1001@{PHONE}",
            to=f"<sip:1001@{PHONE}>{tag}",
            extra=[("Event", "message-summary"), ("Content-Type", "application/simple-message-summary")],
        )
        request.body = SUMMARY
        on.far.send(request)
        await on.far.response(status, "NOTIFY")
        assert len(summaries(on.events)) == count

    play(story)


def test_the_voice_mail_number_is_subscribed_to() -> None:
    async def story(on: Play) -> None:
        subscribe = await subscribed(on)
        assert subscribe.uri == f"sip:*97@{SERVER}"
        assert subscribe.headers.get("To") == f"<sip:*97@{SERVER}>"
        assert str(subscribe.headers.get("From")).startswith(f'"Alice" <sip:1001@{SERVER}>;tag=')

    play(story, **MWI, account__1__subscribe_mwi_to_vm=1, voice_mail__number__1="*97")


def test_no_time_at_all_asks_once() -> None:
    async def story(on: Play) -> None:
        subscribe = await subscribed(on, 0, "terminated;reason=timeout", SUMMARY)
        assert subscribe.headers.get("Expires") == "0"
        await on.far.nothing(500)
        assert summaries(on.events) == [(True, 2, 8)]

    play(story, **MWI, account__1__subscribe_mwi_expires=0)


def test_a_registration_that_is_renewed_meanwhile_subscribes_to_nothing() -> None:
    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "200")])
        await registering
        await granted(on)
        await asyncio.sleep(139 - on.world.now())
        stopping = asyncio.create_task(on.phone.stop())
        assert (await on.far.heard("SUBSCRIBE")).headers.get("Expires") == "0"  # and draws no answer
        before = len(subscribes(on))
        while not stopping.done():
            with contextlib.suppress(TimeoutError):
                heard = await asyncio.wait_for(on.far.hear(), 5)
                if isinstance(heard, Request) and heard.method == "REGISTER":
                    on.far.answer(heard, 200, extra=[("Expires", "200")])
        assert {each.call_id for _, each in subscribes(on)[before:]} <= {subscribes(on)[0][1].call_id}
        assert subscribes(on)[-1][1].headers.get("Expires") == "0"

    play(story, **MWI)


def test_the_answer_to_a_refresh_moves_the_target() -> None:
    # RFC 5057 section 5.2: SUBSCRIBE is a target refresh request
    async def story(on: Play) -> None:
        await subscribed(on, expires=200)
        await asyncio.sleep(139)
        refresh = await on.far.heard("SUBSCRIBE")
        moved = ("Contact", f"<sip:moved@{SERVER}>")
        on.far.answer(refresh, 200, extra=[("Expires", "200"), moved])
        await asyncio.sleep(139)
        assert (await on.far.heard("SUBSCRIBE")).uri == f"sip:moved@{SERVER}"

    play(story, **MWI)
