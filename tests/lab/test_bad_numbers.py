"""Something else than a number in what a lab server is sent: an answer, and the server goes on."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.sip.message import Response, response_to
from tests.bad_numbers import NO_NUMBERS, bad_numbers, shown, with_value
from tests.lab.peers import DOMAIN, PHONE, SERVER, Lab, OpenPeer, Peer, ladder


async def goes_on(lab: Lab, peer: Peer) -> None:
    """The server answers."""
    peer.send(peer.make("OPTIONS", f"sip:{DOMAIN}", call_id="still-there"))
    while not (isinstance(heard := await peer.hear(), Response) and heard.call_id == "still-there"):
        pass
    assert heard.status == 200


@bad_numbers
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Expires", "{}"),
        ("Contact", "<sip:1001@192.168.1.21>;expires={};q={}"),
        ("Contact", "<sip:1001@192.168.1.21:{}>"),
    ],
)
def test_a_number_of_a_register(name: str, value: str, bad: str) -> None:
    """What is none counts as an hour (RFC 3261 sections 10.2.1.1 and 20.10), what is too much as a day."""

    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = phone.make("REGISTER", f"sip:{DOMAIN}", to=f"<sip:1001@{DOMAIN}>", call_id="reg-1")
        request.headers.set(name, value.replace("{}", bad))
        phone.send(await phone.authenticated(request))
        answer = await phone.hear()
        assert isinstance(answer, Response)
        if "{}>" in value:
            assert answer.status in (200, 400)
        else:
            assert answer.status == 200
            assert f"expires={86400 if bad[:1] == '9' else 3600}" in (answer.headers.get("Contact") or "")
        await goes_on(lab, phone)

    ladder(story, max_expires=86400)


@bad_numbers
@pytest.mark.parametrize(
    ("method", "name", "value", "status"),
    [
        ("INVITE", "Max-Forwards", "{}", 400),
        ("OPTIONS", "CSeq", "{} OPTIONS", 400),
        ("OPTIONS", "Content-Length", "{}", 400),
        ("SUBSCRIBE", "Expires", "{}", 400),
    ],
)
def test_a_number_that_matters(method: str, name: str, value: str, status: int, bad: str) -> None:
    if bad[:1] == "9":
        status = {"Content-Length": 413, "Expires": 200}.get(name, status)

    async def story(lab: Lab) -> None:
        phone = await OpenPeer(lab.world).bind(PHONE)
        uri = f"sip:1001@{DOMAIN}" if method == "SUBSCRIBE" else f"sip:1003@{DOMAIN}"
        request = phone.make(method, uri, user="1004", extra=[("Event", "message-summary")])
        phone.raw(with_value(request, name, value.replace("{}", bad)))
        await asyncio.sleep(0.1)
        assert phone.starts[0].startswith(f"SIP/2.0 {status} ")
        await goes_on(lab, phone)

    ladder(story)


@bad_numbers
@pytest.mark.parametrize("parameter", ["{};rport={}", "5060;rport={}", "5060;ttl={};received={}"])
def test_a_number_of_a_way_back(parameter: str, bad: str) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        request = callee.make("OPTIONS")
        response = response_to(request, 200)
        own = f"SIP/2.0/UDP {SERVER};branch=z9hG4bK1"
        response.headers.set("Via", f"{own}, SIP/2.0/UDP {PHONE.host}:{parameter.replace('{}', bad)}")
        callee.raw(response.to_bytes())
        await asyncio.sleep(1)
        await goes_on(lab, phone)

    ladder(story)


@pytest.mark.parametrize("setting", ["{status: 503, retry_after: %s}", "{loss: %s}", "503 retry-after %s"])
@pytest.mark.parametrize("bad", [bad for bad in NO_NUMBERS if bad != "1.5"], ids=shown)
def test_a_number_of_a_behaviour(setting: str, bad: str) -> None:
    with pytest.raises(ValueError, match=r"duration|year|share|no behaviour|needs a value"):
        Behaviour.parse(setting.replace("%s", bad))
