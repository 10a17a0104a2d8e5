"""Voice mail at a lab server: who subscribes to it hears that there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import MessagesWaiting, SubscriptionChanged, Transport
from phone_emulator.lab import mailbox
from phone_emulator.sip.message import Request, Response, response_to
from tests.lab.peers import DOMAIN, TCP, TLS, UDP, Lab, Peer, ladder
from tests.phone.stage import Stage, play


def subscribe(phone: Peer, expires: str = "600", **how: Any) -> Request:
    """A SUBSCRIBE to voice mail, not sent yet."""
    extra = [("Event", "message-summary"), ("Expires", expires)]
    return phone.make("SUBSCRIBE", f"sip:1001@{DOMAIN}", extra=extra, **how)


async def subscribed(phone: Peer, request: Request) -> tuple[Response, Request]:
    """The answer to *request*, and the NOTIFY after it, answered."""
    phone.send(request)
    response = await phone.response(200, "SUBSCRIBE")
    notify = await phone.request()
    phone.send(response_to(notify, 200))
    return response, notify


@pytest.mark.parametrize("transport", [UDP, TCP, TLS])
def test_there_is_none(transport: Transport) -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone(transport)
        response, notify = await subscribed(phone, subscribe(phone))
        assert response.headers.get("Expires") == "600"
        assert (notify.method, notify.body) == ("NOTIFY", b"Messages-Waiting: no\r\n")
        assert notify.headers.get("Subscription-State") == "active;expires=600"
        assert (notify.from_tag, notify.to_tag) == (response.to_tag, "from-1")
        again = subscribe(phone, cseq=2, to=response.headers.get("To") or "")
        again.uri = str(response.contacts[0].uri)
        _, second = await subscribed(phone, again)
        assert second.cseq.number > notify.cseq.number
        assert second.from_tag == notify.from_tag
        assert lab.ignored == []

    ladder(story, transports=(UDP, TCP, TLS))


def test_a_repeated_subscribe_draws_the_same_again() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = subscribe(phone)
        first, second = [await subscribed(phone, request) for _ in range(2)]
        assert [each.to_bytes() for each in first] == [each.to_bytes() for each in second]

    ladder(story)


def test_a_subscription_ends() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        response, _ = await subscribed(phone, subscribe(phone, "99999"))
        assert response.headers.get("Expires") == "3600"
        await asyncio.sleep(3601)
        phone.send(subscribe(phone, cseq=2, to=response.headers.get("To") or ""))
        await phone.response(481)

    ladder(story)


def test_a_subscriber_leaves() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        response, _ = await subscribed(phone, subscribe(phone))
        to = response.headers.get("To") or ""
        for _ in range(2):  # the second is repeated because the answer was lost
            _, notify = await subscribed(phone, subscribe(phone, "0", cseq=2, to=to))
            assert notify.headers.get("Subscription-State") == "terminated;reason=timeout"
        await asyncio.sleep(33)
        phone.send(subscribe(phone, cseq=3, to=to))
        await phone.response(481)

    ladder(story)


def test_a_subscriber_that_knows_nothing_of_it() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(subscribe(phone))
        response = await phone.response(200, "SUBSCRIBE")
        phone.send(response_to(await phone.request(), 481))
        phone.send(subscribe(phone, cseq=2, to=response.headers.get("To") or ""))
        await phone.response(481, "SUBSCRIBE")

    ladder(story)


def test_what_cannot_be_told() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = subscribe(phone)
        request.headers.remove("Contact")
        phone.send(request)
        await phone.response(400)
        nowhere = subscribe(phone, call_id="c2")
        nowhere.headers.set("Contact", "<sip:1001@somewhere.invalid>")
        _, notify = await subscribed(phone, nowhere)  # to where the SUBSCRIBE came from
        assert notify.uri == "sip:1001@somewhere.invalid"

    ladder(story)


def test_a_subscriber_whose_port_is_closed() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = subscribe(phone)
        request.headers.set("Contact", "<sip:1001@192.168.1.99:5060;transport=tcp>")
        phone.send(request)
        await phone.response(200)
        await asyncio.sleep(60)
        assert [reason.partition(":")[0] for reason in lab.ignored] == ["server primary"]

    ladder(story)


def test_subscriptions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MAX_SUBSCRIPTIONS", 3)

    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        response, _ = await subscribed(phone, subscribe(phone))
        for number in range(3):
            await subscribed(phone, subscribe(phone, call_id=f"more-{number}"))
        phone.send(subscribe(phone, cseq=2, to=response.headers.get("To") or ""))
        await phone.response(481)

    ladder(story)


def test_another_event_goes_to_the_callee() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        request = subscribe(phone)
        request.headers.set("Event", "dialog")
        phone.send(request)
        assert (await callee.request()).uri == f"sip:1001@{DOMAIN}"

    ladder(story)


@pytest.mark.parametrize("settings", [{}, {"subscribe_mwi_to_vm": "1"}])
def test_a_phone_of_the_lab_hears_it(settings: dict[str, str]) -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(4000)  # a refresh as well
        [line] = stage.phone.lines.values()
        assert line.mailbox.told is not None
        assert not line.mailbox.told.waiting
        told = [str(each.state) for each in stage.events if isinstance(each, SubscriptionChanged)]
        assert told == ["active"]
        await stage.phone.stop()
        assert any(isinstance(each, MessagesWaiting) for each in stage.events)

    keys = {f"account.1.{name}": value for name, value in settings.items()}
    play(story, {"account.1.subscribe_mwi": "1", "voice_mail.number.1": "*97", **keys})
