"""Phones register at a lab server."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, Transport
from phone_emulator.lab.server import SipServer
from phone_emulator.sip.digest import challenges
from tests.lab.peers import (
    DOMAIN,
    PHONE,
    TCP,
    TLS,
    UDP,
    Lab,
    Peer,
    answer_to,
    ladder,
)

each_transport = pytest.mark.parametrize("transport", [UDP, TCP, TLS])


@each_transport
def test_registers_with_digest(transport: Transport) -> None:
    # rule R10
    async def story(lab: Lab) -> None:
        phone = await lab.phone(transport)
        ok = await phone.register(expires=600)
        assert ok.headers.values("Contact")[0].endswith(";expires=600")
        [binding] = lab.server.bindings["1001"]
        assert binding.source.remote == phone.local
        assert binding.expires_at == 600.0
        assert lab.server.received == {"REGISTER": 2}

    ladder(story, transports=(UDP, TCP, TLS))


def test_a_wrong_password_is_403_and_an_unknown_user_too() -> None:
    # rule R10
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = phone.make("REGISTER", f"sip:{DOMAIN}", to=f"<sip:1001@{DOMAIN}>")
        phone.send(await phone.authenticated(request, "wrong"))
        await phone.response(403)
        phone.send(request)
        challenged = await phone.response(401)
        phone.send(answer_to(request, challenged, user="1009"))
        await phone.response(403)
        assert lab.server.bindings == {}

    ladder(story)


def test_a_nonce_is_stale_after_300_seconds_and_at_another_server() -> None:
    # rule R10
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = phone.make("REGISTER", f"sip:{DOMAIN}", to=f"<sip:1001@{DOMAIN}>")
        answer = await phone.authenticated(request)
        await asyncio.sleep(299)
        phone.send(answer)
        await phone.response(200)
        await asyncio.sleep(2)
        answer.headers.set("CSeq", "3 REGISTER")
        phone.send(answer)
        [challenge] = challenges(await phone.response(401))
        assert challenge.stale

        other = Address("192.168.1.14", 5060)
        secondary = SipServer(
            lab.world, "secondary", other, domain=DOMAIN, accounts={"1001": "secret"}, realm=DOMAIN
        )
        await secondary.start()
        elsewhere = await Peer(lab.world).bind(Address(PHONE.host, 5070), other)
        elsewhere.send(answer)
        [challenge] = challenges(await phone.response(401))  # the Via says where to: the first socket
        assert challenge.stale
        await secondary.stop()

    ladder(story)


def test_each_challenge_has_its_own_nonce() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        nonces = set()
        for n in range(5):
            phone.send(phone.make("REGISTER", f"sip:{DOMAIN}", cseq=n + 1))
            [challenge] = challenges(await phone.response(401))
            nonces.add(challenge.nonce)
            assert challenge.realm == DOMAIN
        assert len(nonces) == 5

    ladder(story)
