"""Stories beside the phone: in the lab, in rehearsals, in the commands."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from phone_emulator.cli.desk import make_desk
from phone_emulator.cli.group import cli
from phone_emulator.cli.options import Common
from phone_emulator.cli.provision_again import kept_provisioned
from phone_emulator.cli.site import site_of
from phone_emulator.config import load
from phone_emulator.events import CheckSync, Event, InternalFault, ProvisioningStep
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.calling import call_in
from phone_emulator.lab.plans import EXAMPLE_CFG, example_config
from phone_emulator.live.device import Exchange
from phone_emulator.live.handset import Handset
from phone_emulator.media.sound import Sound
from phone_emulator.phone import IncomingCall
from phone_emulator.provisioning import Provisioner, handset_of
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.runner import run as run_scenario
from phone_emulator.scenario.session import RunOptions, prepare
from phone_emulator.whatif.changes import Change
from phone_emulator.whatif.timeline import CallOrder, Timeline, play
from phone_emulator.world import Deadlock, Faulted
from tests.faults.theatre import LabStory
from tests.integration.harness.net import reserved_net
from tests.lab.peers import PHONE, Peer
from tests.patience import until
from tests.phone.stage import CFG, SUCCESSIVE, ZONE, Stage, server_2

MAC = "001565aabbcc"
Told = list[str]
"""What was told of faults, in words."""


# -- in the lab ----------------------------------------------------------------------------------------------


async def calling_both_ways(on: Stage) -> None:
    """A registration, a call to somebody, and one from there."""
    on.lab.nameservers[0].delay = 0.1
    await on.phone.register()
    call = on.phone.dial("1002")
    await call.settled()
    await call.hang_up()
    taken = await call_in(on.lab, on.phone)
    assert isinstance(taken, IncomingCall)
    taken.answer()
    await taken.settled()
    await on.lab.callee.hang_up()


async def being_slow(on: Stage) -> None:
    """A server holds everything back, and somebody asks the DNS server nothing."""
    await Peer(on.world).connect(on.lab.nameservers[0].address)
    await on.behave(primary={"delay": "1s"})
    await on.phone.register()
    await asyncio.sleep(60)


async def counting(on: Stage) -> None:
    """A server refuses one request and goes back to what it was; a called user presses a key and hangs up."""
    await on.behave(primary="next 1 503")
    on.lab.callee.behaviour = CalleeBehaviour(hang_up_after=5.0, press="1")
    await on.phone.register()
    call = on.phone.dial("1002")
    await call.settled()
    await call.over()


async def closing(on: Stage) -> None:
    """A server closes each connection after a while."""
    await on.behave(primary="close-after 5s")
    await on.phone.register()
    await asyncio.sleep(20)


async def losing_its_connection(on: Stage) -> None:
    """A call to a phone that is registered over a connection that has ended since: the server dials."""
    await on.phone.register()
    for stream in on.world.network.host(PHONE.host).streams:
        stream.close()
    await asyncio.sleep(1)
    theirs = on.lab.call_phone(on.phone, server="primary")
    assert theirs is not None
    await theirs.settled()


async def falling_back(on: Stage) -> None:
    """A successive line moves to server 2, asks server 1 now and then, and moves back."""
    await on.behave(primary="silent", secondary="silent")
    await on.phone.register()
    await asyncio.sleep(300)
    await on.behave(primary="ok", secondary="ok")
    await asyncio.sleep(300)
    assert on.registered() == ["primary"]


async def going_back(on: Stage) -> None:
    """A call fails over, the next one starts there, a later one goes back to the primary."""
    await on.phone.register()
    await on.behave(primary="silent")
    for wait in (1, 400):
        call = on.phone.dial("1002")
        await call.settled()
        await call.hang_up()
        await asyncio.sleep(wait)
    await on.phone.dial("1002").settled()  # the primary is still silent
    await on.behave(primary="ok")
    await asyncio.sleep(4000)


OVER_TCP = {"account.1.sip_server.1.transport_type": "1", "account.1.sip_server.1.port": "5060"}


async def going_nowhere(on: Stage) -> None:
    """No name can be looked up."""
    await on.lab.dns_behave("servfail")
    await on.phone.register()
    await on.phone.dial("1002").settled()


async def skipping(on: Stage) -> None:
    """Server 2 is where server 1 is, and that is dead."""
    await on.behave(primary="silent", secondary="silent")
    await on.phone.dial("1002").settled()


async def moving(on: Stage) -> None:
    """The phone's address changes."""
    await on.phone.register()
    await on.phone.move("192.168.1.22")


class Silence:
    """A microphone that hears nothing, and a loudspeaker that nobody hears."""

    name = "nothing"

    def start(self, exchange: Exchange) -> None:
        """Nothing is exchanged."""

    def stop(self) -> None:
        """It does nothing anyway."""


async def at_once(work: Callable[..., Any], /, *args: Any) -> Any:
    return work(*args)


async def talking_live(on: Stage) -> None:
    """A person talks through the machine's sound device."""
    handset = Handset(on.phone, Silence, at_once)
    call = on.phone.dial("1002")
    await call.settled()
    await asyncio.sleep(1)
    await call.hang_up()
    await asyncio.sleep(10)
    await handset.stop()


FAILOVER = {
    "account.1.sip_server.1.failback_mode": "3",
    "account.1.sip_server.1.failback_timeout": "300",
    "account.1.sip_server.1.register_on_enable": "1",
}
IN_THE_LAB: tuple[tuple[LabStory, dict[str, str]], ...] = (
    (calling_both_ways, {}),
    (being_slow, {}),
    (counting, {}),
    (closing, OVER_TCP),
    (losing_its_connection, OVER_TCP),
    (going_back, FAILOVER),
    (going_back, FAILOVER | {"account.1.sip_server.1.failback_mode": "2"}),
    (going_nowhere, {}),
    (skipping, server_2(address="192.168.1.13") | {"sip.skip_redundant_failover_addr": "1"}),
    (moving, {}),
    (talking_live, {}),
    (falling_back, SUCCESSIVE | {"account.1.fallback.timeout": "100"}),
)


# -- rehearsals and commands --------------------------------------------------------------------------------


def rehearsing() -> Told:
    """A timeline with a change and calls."""
    timeline = Timeline(
        line=1,
        changes=(Change("primary", Behaviour.parse("silent"), 5.0),),
        calls=(CallOrder("1002", every=10.0), CallOrder("1003", at=3.0)),
        length=30.0,
    )
    try:
        play(site_of(load([CFG]).config, Common(zone=ZONE)), timeline)
    except Faulted as faulted:
        if isinstance(faulted.__context__, Deadlock):
            raise faulted.__context__ from None
        return [str(fault) for fault in faulted.told]
    return []


def ordering_a_call() -> Told:
    """``call``: registers, dials, hangs up."""
    result = CliRunner().invoke(cli, ["call", str(CFG), "1002", "--world", "simulated", "--zone", str(ZONE)])
    said = [line for line in result.stderr.splitlines() if line.startswith("internal fault")]
    assert result.exit_code == (4 if said else 0), result.output
    return [line.removesuffix("; please report it") for line in said]


def being_provisioned_again() -> Told:
    """A phone whose file has changed, in the lab on loopback."""
    with reserved_net() as net, tempfile.TemporaryDirectory() as folder:
        common = Common(world="lab", local_address=net.phone)
        desk = make_desk(example_config(), common, every_transport=True)
        file = Path(folder) / f"{MAC}.cfg"
        provisioner = Provisioner(
            f"file:{folder}",
            handset_of("SIP-T46S", "66.86.0.15", MAC),
            bus=desk.bus,
            now=desk.world.now,
            overrides=(),
        )
        told: Told = []
        over = asyncio.Event()

        def hear(event: Event) -> None:
            if isinstance(event, InternalFault):
                told.append(str(event))
            if isinstance(event, ProvisioningStep) and "nothing is fetched any more" in event.reason:
                over.set()

        async def story() -> None:
            assert desk.lab is not None
            await desk.lab.start()
            file.write_text(EXAMPLE_CFG)
            await provisioner.run()
            await desk.phone.start()
            desk.bus.subscribe(hear)
            try:
                async with kept_provisioned(desk, common, provisioner):
                    file.write_text(f"{EXAMPLE_CFG}account.1.display_name = After\n")
                    old = desk.phone.lines[1]
                    desk.bus.tell(CheckSync(at=0.0, remote=desk.lab.plan.phone, reboot=True))
                    await until(lambda: desk.phone.lines[1] is not old or over.is_set(), "a new start")
            finally:
                await desk.phone.stop()
                await desk.lab.stop()

        with contextlib.suppress(Faulted):
            desk.world.run(story())
        return told


def hearing() -> Told:
    """A scenario whose calls say something, to whom packets overtake each other, and are reported on."""
    set_keys = {
        "account.1.enable": "1",
        "account.1.user_name": "2001",
        "account.1.password": "secret-1",
        "account.1.sip_server.1.address": "192.168.1.13",
        "account.1.vq_rtcpxr.collector_server_host": "192.168.1.13",
        "phone_setting.vq_rtcpxr.session_report.enable": "1",
        "phone_setting.vq_rtcpxr.interval_report.enable": "1",
        "phone_setting.vq_rtcpxr_interval_period": "5",
    }
    text = "name: hearing\nservers: {primary: 192.168.1.13}\ncallee: {reorder: 0.02}\nsound: true\nset:\n"
    text += "".join(f"  {key}: {value}\n" for key, value in set_keys.items())
    text += "steps:\n- call: {to: '1002', id: c1}\n- wait: 12s\n- hangup: c1\n"
    options = RunOptions(play=Sound(8000, array("h", bytes(3200))))
    result = run_scenario(prepare(parse_scenario(text, "hearing.yaml"), options), options)
    return [str(fault) for fault in result.faults]


ELSEWHERE: tuple[Callable[[], Told], ...] = (rehearsing, ordering_a_call, being_provisioned_again, hearing)
