"""The phone and baresip at one Kamailio: who is called for what, and what a test does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

from phone_emulator.events import MessageSent
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call, IncomingCall
from phone_emulator.phone.transfer.transfer import transfer_blind
from tests.integration.harness.baresip import Account, Control
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import Transport
from tests.integration.harness.kamailio import USERS, Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.stage import Stage
from tests.media.listening import loudest
from tests.patience import until

TONE = 440
MANUAL: Mapping[Transport, str] = {"udp": "1002", "tcp": "1003", "tls": "1004"}
"""Who waits to be told what to do with a call."""
EARLY: Mapping[Transport, str] = {"udp": "1012", "tcp": "1013", "tls": "1014"}
"""Who sounds its tone before it answers."""
FORKED: Mapping[Transport, str] = {"udp": "1022", "tcp": "1023", "tls": "1024"}
"""Who has two phones, that wait to be told."""
EAGER = "1032"
"""Who has two phones that both answer at once; over UDP."""
Answer = Literal["auto", "manual", "early"]
CAST = {
    **USERS,
    **{user: f"secret{user}" for cast in (MANUAL, EARLY, FORKED) for user in cast.values()},
    EAGER: "e",
}


def kamailio(stage: Stage, certificates: Certificates, *, record_routes: bool = True) -> Kamailio:
    """Kamailio at the primary's address, over all three transports; it knows the whole cast. Not started."""
    server = Kamailio(
        "primary",
        stage.net.primary,
        stage.folder("primary"),
        callee=f"{stage.net.callee}:9",
        certificate=certificates.issue(stage.net.primary),
        users=CAST,
        record_routes=record_routes,
    )
    stage.processes.append(server)
    return server


def account(net: Net, user: str, transport: Transport, answer: Answer) -> Account:
    """An account of the cast at `kamailio`."""
    port = {"udp": "5060", "tcp": "5060;transport=tcp", "tls": "5061;transport=tls"}[transport]
    return Account(user, CAST[user], f"{net.primary}:{port}", answer)


class Scene:
    """The phone, registered over one transport, and the remote control of baresip."""

    def __init__(self, live: LivePhone, transport: Transport, control: Control) -> None:
        self.live = live
        self.transport = transport
        self.baresip = control

    async def place(self, user: str) -> Call:
        """The phone calls *user*; returns when baresip has heard of it."""
        call = self.live.phone.dial(user)
        await self.baresip.told("CALL_INCOMING")
        return call

    async def talking(self, user: str) -> Call:
        """The phone calls *user*, who answers."""
        call = await self.place(user)
        await self.baresip.do("accept")
        assert await call.settled() == "answered"
        return call

    async def ringing(self, user: str) -> IncomingCall:
        """baresip calls the phone as *user*; the call as soon as it rings."""
        await self.be(user)
        await self.baresip.do("dial", "1001")
        return await self.live.called()

    async def called(self, user: str) -> IncomingCall:
        """baresip calls the phone as *user*, and the phone answers."""
        call = await self.ringing(user)
        call.answer()
        await self.baresip.told("CALL_ESTABLISHED")
        return call

    async def hang_up(self, call: Call) -> None:
        """The phone hangs up, and baresip is told."""
        await call.hang_up()
        await self.baresip.told("CALL_CLOSED")
        answered(call)

    async def be(self, user: str) -> None:
        """What baresip is told from now on is for *user*."""
        server = self.live.phone.line().account.servers[0]
        await self.baresip.do("uafind", f"sip:{user}@{server.address}:{server.port}")

    async def is_heard(self, call: Call) -> None:
        """Wait for RTP both ways: baresip tells when it hears, the phone must hear the tone."""
        await self.tone(call)
        await self.baresip.told("CALL_RTPESTAB")

    async def tone(self, call: Call) -> None:
        """Wait for baresip's tone."""
        audio = call.voice.audio
        assert audio is not None
        audio.record(2.0)
        await until(lambda: audio.recording.seconds >= 0.1, "sound from baresip")
        heard = audio.recording
        assert loudest(Sound(heard.rate, heard.samples[-heard.rate // 10 :])) == TONE

    async def is_held_and_resumed(self) -> None:
        """baresip holds and resumes the call of the phone, which answers with the direction of each."""
        for order, direction in (("hold", b"a=recvonly"), ("resume", b"a=sendrecv")):
            self.live.events.clear()
            await self.baresip.do(order)
            await until(lambda: bool(answers(self.live)), f"baresip to {order}")
            assert direction in answers(self.live)[0]

    async def transfers(self, call: Call, user: str) -> None:
        """The phone sends baresip to *user*, who answers: the phone's *call* is over."""
        transfer = asyncio.create_task(transfer_blind(call, user))
        await self.baresip.told("CALL_INCOMING")
        await self.baresip.do("accept")
        await transfer
        await call.over()
        answered(call)
        await self.baresip.told("CALL_CLOSED")
        await self.baresip.do("hangup")

    async def is_transferred(self, first: Call, user: str) -> Call:
        """baresip sends the phone to *user*, who answers; the call that this makes, over like *first*."""
        await self.baresip.do("transfer", user)
        await self.baresip.told("CALL_INCOMING")
        second = self.live.phone.calls[1]
        await self.baresip.do("accept")
        assert await second.settled() == "answered"
        await first.over()
        await second.hang_up()
        answered(first)
        answered(second)
        return second


def answered(call: Call) -> None:
    """The call was answered and is over."""
    assert (call.result, call.state) == ("answered", "ended"), call.reason


def answers(live: LivePhone) -> list[bytes]:
    """The 200s to INVITEs that the phone has sent."""
    sent = [event.data for event in live.told(MessageSent)]
    return [data for data in sent if data.startswith(b"SIP/2.0 200") and b" INVITE\r\n" in data]
