"""Voice mail subscriptions: where they go, and where they follow a registration (F6)."""

from __future__ import annotations

import asyncio

from phone_emulator.config import load_text
from phone_emulator.events import Address, Bus, Event, MessagesWaiting, Transport
from phone_emulator.lab import plans
from phone_emulator.lab.lab import Lab
from phone_emulator.phone import Phone
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.timers import Timers
from phone_emulator.world import SimulatedWorld
from tests.phone.stage import Answer, Stage, play, server_1

MWI = "account.1.subscribe_mwi = 1\naccount.1.sip_server.1.failback_mode = 3\n"
FOLLOW = MWI + "account.1.sip_server.1.failback_subscribe.enable = 1\n"


class Mailbox:
    """A server that grants every subscription, and every registration unless it is told to be silent."""

    def __init__(self, world: SimulatedWorld, host: str, log: list[tuple[float, str, str]]) -> None:
        self.host = host
        self.silent = False
        self.endpoint = Endpoint(
            world,
            Bus(),
            Timers(),
            host=host,
            on_request=self._answer,
            on_ack=lambda ack, flow: None,
            on_stray=lambda response, flow: None,
        )
        self._world = world
        self._log = log

    def _answer(self, server: ServerTransaction) -> None:
        if self.silent:
            return
        request = server.request
        self._log.append((self._world.now(), self.host, request.method))
        contact = f"<sip:mailbox@{self.host}:5060>" if request.method == "SUBSCRIBE" else ""
        extra = [("Expires", request.headers.get("Expires") or "0")]
        extra += [("Contact", contact)] if contact else []
        server.respond(response_to(request, 200, to_tag=f"box{self.host[-2:]}", extra=extra))
        if request.method == "SUBSCRIBE":
            self._notify(request)

    def _notify(self, subscribe: Request) -> None:
        notify = Request("NOTIFY", str(subscribe.contacts[0].uri))
        tagged = f"{subscribe.headers.get('To')};tag=box{self.host[-2:]}"
        for name, value in (
            ("From", tagged),
            ("To", subscribe.headers.get("From") or ""),
            ("Call-ID", subscribe.call_id),
            ("CSeq", "1 NOTIFY"),
            ("Event", "message-summary"),
            ("Subscription-State", "active;expires=3600"),
            ("Content-Type", "application/simple-message-summary"),
        ):
            notify.headers.add(name, value)
        notify.body = b"Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/1)\r\n"
        flow = self.endpoint.transports.flow

        async def send() -> None:
            self.endpoint.clients.request(notify, await flow(Transport.UDP, Address("192.168.1.21", 5060)))

        self._task = asyncio.get_running_loop().create_task(send())


def subscribed(extra: str) -> tuple[list[tuple[float, str]], list[MessagesWaiting]]:
    """Register, silence the primary, wait, mend it, wait again: the SUBSCRIBEs, and what was told."""
    world = SimulatedWorld(nameservers=[Address("192.0.2.53", 53)])
    log: list[tuple[float, str, str]] = []
    news: list[MessagesWaiting] = []

    def hear(event: Event) -> None:
        if isinstance(event, MessagesWaiting):
            news.append(event)

    config = load_text(plans.EXAMPLE_CFG + "account.1.sip_server.1.expires = 600\n" + extra).config
    bus = Bus()
    bus.subscribe(hear)

    async def main() -> None:
        stage = plans.simulated(config, (), plans.example_zone())
        lab = Lab(world, stage.plan, config, bus)
        await lab.start()
        boxes = [Mailbox(world, f"192.168.1.{number}", log) for number in (13, 14, 15)]
        for box in boxes:
            await box.endpoint.open()
        phone = Phone(config, world, bus, lab.phone_options(Phone(config, world).options))
        await phone.start()
        await phone.register()
        await asyncio.sleep(10)
        boxes[0].silent = True
        await asyncio.sleep(700)
        boxes[0].silent = False
        await asyncio.sleep(3700)
        await phone.stop(unregister=False)
        for box in boxes:
            await box.endpoint.close()
        await lab.stop()

    world.run(main())
    return [(at, host) for at, host, method in log if method == "SUBSCRIBE"], news


def test_a_mailbox_is_subscribed_to_at_server_1() -> None:
    subscribes, news = subscribed(MWI)
    assert subscribes[0] == (0.0, "192.168.1.13")
    assert all(host != "192.168.1.15" for _, host in subscribes)  # rule F6: server 1 only
    assert (news[0].line, news[0].waiting, news[0].new, news[0].old) == (1, True, 2, 8)


def test_without_the_key_a_subscription_stays_until_it_is_refreshed() -> None:
    subscribes, _ = subscribed(MWI)
    # rule F6: off by default; the registration moves at 540 s, the subscription only when it is due
    assert [round(at) for at, _ in subscribes][:2] == [0, 3540]


def test_a_subscription_follows_the_registration() -> None:
    subscribes, _ = subscribed(FOLLOW)
    # rule F6: at once on failover (540 s and 7.5 s of silence), and on return (3600 s after the switch)
    assert subscribes[:2] == [(0.0, "192.168.1.13"), (547.5, "192.168.1.14")]
    returned = [(at, host) for at, host in subscribes[2:] if host == "192.168.1.13"]
    assert len(returned) == 1
    assert 547.5 + 3600 <= returned[0][0] < 547.5 + 3600 + 600


def test_nothing_is_subscribed_to_unless_asked_for() -> None:
    subscribes, news = subscribed("account.1.sip_server.1.failback_subscribe.enable = 1\n")
    assert (subscribes, news) == ([], [])


def test_one_that_a_server_refused_for_good_is_tried_where_the_line_registers_next() -> None:
    # rule F6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(1)
        stage.actors["primary"].script.pop("REGISTER")
        await asyncio.sleep(600)
        assert stage.registered() == ["secondary", "fallback"]
        assert [line.where for line in stage.sent("SUBSCRIBE") if line.what == "SUBSCRIBE"] == [".13", ".14"]

    refused = {"REGISTER": [[Answer(0, 200, [("Expires", "600")])]], "SUBSCRIBE": [[Answer(0, 489)]]}
    settings = server_1(failback_mode=3, retry_counts=1, **{"failback_subscribe.enable": 1})
    settings["account.1.subscribe_mwi"] = "1"
    play(story, settings, actors={"primary": refused, "secondary": refused})
