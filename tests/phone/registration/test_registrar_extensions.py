"""Path, Service-Route and GRUU: what a REGISTER may ask for and its 200 may give."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import RegistrationChanged
from phone_emulator.phone.registration.lease import is_own
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE
from tests.phone.far_end import Play, play
from tests.phone.presence.watching import notify
from tests.phone.stage import Answer, Stage, server_2
from tests.phone.stage import play as play_stage

INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-001565aabbcc>"'
GRUU = "sip:1001@pbx.example;gr=urn:uuid:00000000-0000-1000-8000-001565aabbcc"
ROUTES = ["<sip:edge.example;lr>", '"Core" <sip:core.example:5080;transport=tcp;lr>']


async def registered(on: Play, *extra: tuple[str, str]) -> Request:
    """Register the phone; the 200 carries *extra*. Returns the REGISTER."""
    registering = asyncio.create_task(on.phone.register())
    register = await on.far.heard("REGISTER")
    on.far.answer(register, 200, extra=[("Expires", "100000"), *extra])
    await registering
    return register


async def invited(on: Play) -> Request:
    """The INVITE of a call that is refused."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 486)
    ack = await on.far.heard("ACK")
    assert ack.headers.get_all("Route") == invite.headers.get_all("Route")
    await call.over()
    return invite


@pytest.mark.parametrize(
    ("settings", "supported"),
    [
        ({}, None),
        ({"account__1__path__enable": 1}, "path"),
        ({"account__1__gruu__enable": 1}, "gruu"),
        ({"account__1__path__enable": 1, "account__1__gruu__enable": 1}, "path, gruu"),
    ],
)
def test_what_a_register_supports(settings: dict[str, Any], supported: str | None) -> None:
    async def story(on: Play) -> None:
        register = await registered(on)
        assert register.headers.get("Supported") == supported

    play(story, **settings)


def test_requests_go_through_the_service_route() -> None:
    """RFC 3608 section 6.1."""

    async def story(on: Play) -> None:
        register = await registered(on, ("Service-Route", ROUTES[0]), ("Service-Route", ROUTES[1]))
        assert "Route" not in register.headers
        subscribe = await on.far.heard("SUBSCRIBE")
        on.far.answer(subscribe, 489)
        for request in (subscribe, await invited(on)):
            assert request.headers.get_all("Route") == ROUTES
            assert [name for name, _ in request.headers][:3] == ["Via", "Route", "Route"]
        assert on.far.remote == PHONE

    play(story, account__1__subscribe_mwi=1)


def test_routes_are_those_of_the_last_200() -> None:
    async def story(on: Play) -> None:
        await registered(on, ("Service-Route", ", ".join(ROUTES)))
        assert (await invited(on)).headers.get_all("Route") == ROUTES
        await registered(on)
        assert (await invited(on)).headers.get_all("Route") == []

    play(story)


def test_a_binding_that_is_lost_takes_its_routes_along() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(541)
        assert stage.registered() == []
        await stage.phone.dial("1002").over()
        [invite] = stage.requests("INVITE")
        assert invite.headers.get_all("Route") == []

    granted = [Answer(0, 200, [("Expires", "600"), ("Service-Route", ROUTES[0])])]
    settings = server_2(address="")
    script = {"REGISTER": [granted, [Answer(0, 403)]], "INVITE": [[Answer(0, 486)]]}
    play_stage(story, settings, actors={"primary": script})


@pytest.mark.parametrize(
    ("contact", "own"),
    [
        ("<sip:1001@192.168.1.21>", 5060),
        ("<sip:1001@192.168.1.21:5060>", 5060),
        ("<sip:1001@192.168.1.21;transport=tcp>", 5060),
        ("<sip:1001@192.168.1.21;transport=TLS>", 5061),
        ("<sips:1001@192.168.1.21>", 5061),
        ("<sips:1001@192.168.1.21:5070>", 5070),
    ],
)
def test_which_contact_is_its_own(contact: str, own: int) -> None:
    """RFC 3261 section 19.1.4, a default port counting where none stands."""
    assert is_own(contact, f"<sip:1001@192.168.1.21:{own}>")
    assert not is_own(contact, f"<sip:1001@192.168.1.21:{own + 1}>")
    assert not is_own(contact, f"<sip:1001@192.168.1.22:{own}>")
    assert not is_own(contact, f"<sip:1002@192.168.1.21:{own}>")


@pytest.mark.parametrize(
    "route",
    [
        "<sip:strict.example>",
        "nonsense",
        "<tel:+49;lr>",
        "<mailto:a@b;lr>",
        f"<sip:{'a' * 500}@b;lr>",
        ", ".join(["<sip:a.example;lr>"] * 11),
        "<sip:good.example;lr>, <sip:strict.example>",
    ],
)
def test_routes_that_are_not_believed(route: str) -> None:
    async def story(on: Play) -> None:
        await registered(on, ("Service-Route", route))
        assert (await invited(on)).headers.get_all("Route") == []

    play(story)


def test_another_target_is_not_asked_to_route_back() -> None:
    # rule C7: only the next hop changes; the dead target's own route is part of it
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        call = stage.phone.dial("1002")
        await call.settled()
        first, second = stage.requests("INVITE", ".13")[0], stage.requests("INVITE", ".14")[0]
        assert first.headers.get_all("Route") == [ROUTES[0]]
        assert second.headers.get_all("Route") == []
        assert first.call_id == second.call_id

    granted = [Answer(0, 200, [("Expires", "600"), ("Service-Route", ROUTES[0])])]
    play_stage(story, actors={"primary": {"REGISTER": [granted], "INVITE": [[Answer(0, 503)]]}})


def test_a_gruu_is_asked_for_and_used() -> None:
    """RFC 5627 sections 4.1 and 4.4.1."""

    async def story(on: Play) -> None:
        contact = f'<sip:1001@{PHONE}>;{INSTANCE};pub-gruu="{GRUU}";temp-gruu="sip:x@y;gr";expires=600'
        register = await registered(on, ("Contact", f"<sip:1001@192.0.2.9>, {contact}"))
        assert register.headers.get("Contact") == f"<sip:1001@{PHONE}>;{INSTANCE}"
        assert (await invited(on)).headers.get("Contact") == f"<{GRUU}>"
        await asyncio.sleep(500)
        again = await on.far.heard("REGISTER")
        assert again.headers.get("Contact") == f"<sip:1001@{PHONE}>;{INSTANCE}"
        on.far.answer(again, 200, extra=[("Contact", f"<sip:1001@{PHONE}>")])
        await on.rest()
        assert (await invited(on)).headers.get("Contact") == f"<sip:1001@{PHONE}>"

    play(story, account__1__gruu__enable=1)


def test_a_call_to_the_gruu_rings() -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite()
        invite.uri = GRUU
        on.far.send(invite)
        response = await on.far.response(180)
        assert [str(each.uri) for each in response.contacts] == [f"sip:1001@{PHONE}"]

    play(story, account__1__gruu__enable=1)


@pytest.mark.parametrize("gruu", ["sip:1001@pbx.example", "nonsense", "", f"sip:{'a' * 500}@b;gr"])
def test_a_gruu_that_is_not_believed(gruu: str) -> None:
    async def story(on: Play) -> None:
        await registered(on, ("Contact", f'<sip:1001@{PHONE}>;pub-gruu="{gruu}"'))
        assert (await invited(on)).headers.get("Contact") == f"<sip:1001@{PHONE}>"

    play(story, account__1__gruu__enable=1)


def test_the_registrar_removes_a_binding() -> None:
    """RFC 3680: the phone registers again at once, but not without end."""

    async def story(on: Play) -> None:
        await registered(on)
        subscribe = await on.far.heard("SUBSCRIBE")
        assert (subscribe.headers.get("Event"), subscribe.headers.get("Accept")) == (
            "reg",
            "application/reginfo+xml",
        )
        on.far.answer(subscribe, 200)
        await asyncio.sleep(10)
        for number, (event, state, contact, expected) in enumerate(
            [
                ("deactivated", "terminated", f"sip:1001@{PHONE}", True),
                ("expired", "terminated", f"sip:1001@{PHONE}", True),
                ("deactivated", "terminated", "sip:1001@192.0.2.9", False),
                ("deactivated", "terminated", f"sip:1001@{PHONE}0", False),
                ("deactivated", "terminated", "1001", False),
                ("refreshed", "active", f"sip:1001@{PHONE}", False),
                ("rejected", "terminated", f"sip:1001@{PHONE}", False),
            ]
        ):
            body = (
                f'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{number}" state="full">'
                f'<registration aor="sip:1001@pbx" id="a" state="active"><contact id="b" state="{state}" '
                f'event="{event}"><uri>{contact}</uri></contact></registration></reginfo>'
            )
            kind = "application/reginfo+xml"
            on.far.send(notify(on.far, subscribe, number + 1, body=body.encode(), content_type=kind))
            await on.far.response(200, "NOTIFY")
            if expected:
                on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "100000")])
                assert on.world.now() == pytest.approx(10.0 + number, abs=0.01)
                await on.rest()
            else:
                await on.far.nothing(5)
        why = "the registrar removed the binding: "
        reasons = [event.reason for event in on.events if isinstance(event, RegistrationChanged)]
        assert [reason for reason in reasons if reason.startswith(why)] == [
            f"{why}deactivated",
            f"{why}expired",
        ]

    play(story, account__1__subscribe_register=1)


@pytest.mark.parametrize(("length", "believed"), [(500, True), (501, False)])
def test_how_long_a_gruu_may_be(length: int, believed: bool) -> None:
    async def story(on: Play) -> None:
        gruu = f"sip:{'a' * (length - len('sip:@b;gr'))}@b;gr"
        await registered(on, ("Contact", f'<sip:1001@{PHONE}>;pub-gruu="{gruu}"'))
        contact = gruu if believed else f"sip:1001@{PHONE}"
        assert (await invited(on)).headers.get("Contact") == f"<{contact}>"

    play(story, account__1__gruu__enable=1)


@pytest.mark.parametrize("how", ["refused", "unregistered"])
def test_a_gruu_is_gone_with_its_binding(how: str) -> None:
    """RFC 5627 section 4.2: it is the registrar's, for as long as the binding lives."""

    async def story(on: Play) -> None:
        contact = f'<sip:1001@{PHONE}>;pub-gruu="{GRUU}";expires=600'
        await registered(on, ("Contact", contact))
        if how == "refused":
            await asyncio.sleep(540)
            on.far.answer(await on.far.heard("REGISTER"), 403)
            await on.rest()
        else:
            leaving = asyncio.create_task(on.phone.line(1).registrar.unregister())
            on.far.answer(await on.far.heard("REGISTER"), 200)
            await leaving
        assert (await invited(on)).headers.get("Contact") == f"<sip:1001@{PHONE}>"

    play(story, account__1__gruu__enable=1)
