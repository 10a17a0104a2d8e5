"""Registrations that live through the death and return of real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from phone_emulator.events import Attempt, RegistrationChanged, RegistrationState
from tests.integration.harness.capture import Capture, Hop, Place
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone, aside, outcomes
from tests.integration.harness.net import Net
from tests.integration.harness.phone import Phone
from tests.integration.harness.sipp import SippUas
from tests.patience import EARLY, until

pytestmark = pytest.mark.integration

LEASE = 10
"""Seconds that the short-lived servers grant: the least that the phone believes."""
REFRESH_AFTER_2_S = {"account.1.register_expires_overlap": str(LEASE - 2)}
SUCCESSIVE = {"account.1.fallback.redundancy_type": "1"}
PROBE = {"account.1.fallback.timeout": "10"}
RETRY_AFTER_2_S = {"account.1.reg_fail_retry_interval": "2"}
OVER_TCP = {
    "account.1.sip_server.1.port": "5060",
    "account.1.sip_server.1.transport_type": "1",
    "account.1.sip_server.2.transport_type": "1",
}


@pytest.fixture
def short_primary(make_kamailio: Callable[..., Kamailio], net: Net) -> Kamailio:
    return make_kamailio("primary", net.primary, max_expires=LEASE).start()


@pytest.fixture
def short_secondary(make_kamailio: Callable[..., Kamailio], net: Net) -> Kamailio:
    return make_kamailio("secondary", net.secondary, max_expires=LEASE).start()


@pytest.fixture
def short_fallback(make_kamailio: Callable[..., Kamailio], net: Net) -> Kamailio:
    return make_kamailio("fallback", net.fallback, max_expires=LEASE).start()


def users(server: Kamailio) -> list[str]:
    """Who is registered at *server*, as it says itself."""
    return [binding.user for binding in server.bindings()]


def refreshes(attempts: list[Attempt], role: str) -> list[Attempt]:
    """The attempts at *role* that were answered."""
    return [attempt for attempt in attempts if outcomes([attempt]) == [(role, "answered")]]


def test_concurrent_registration_keeps_two_bindings(
    primary: Kamailio, secondary: Kamailio, fallback: Kamailio, net: Net, live: LivePhone, capture: Capture
) -> None:
    bindings: dict[str, list[str]] = {}

    async def story() -> None:
        await live.phone.register()
        assert live.registered == ["primary", "fallback"]  # rule R3
        for server in (primary, secondary, fallback):
            bindings[server.name] = [binding.contact for binding in server.bindings()]

    live.play(story)
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    contact = f"sip:1001@{net.phone}:5060"
    assert bindings == {"primary": [contact], "secondary": [], "fallback": [contact]}
    # Each has its own Call-ID: two bindings, refreshed independently. rule R3
    first, second = (
        {register.call_id for register in wire.requests("REGISTER", destination=server)}
        for server in (net.primary, net.fallback)
    )
    assert len(first) == len(second) == 1
    assert first != second
    assert users(primary) == users(fallback) == []  # rule R12


@pytest.mark.parametrize("settings", [{}, OVER_TCP], ids=["udp", "tcp"])
def test_concurrent_registration_survives_the_primary(
    settings: dict[str, str],
    short_primary: Kamailio,
    short_secondary: Kamailio,
    short_fallback: Kamailio,
    net: Net,
    live: LivePhone,
    capture: Capture,
) -> None:
    async def story() -> None:
        await live.phone.register()
        await until(lambda: len(refreshes(live.registers, "primary")) >= 2, "a refresh")  # rule R8
        await aside(short_primary.stop)
        await live.until_registered("secondary", "fallback")  # rule R1
        assert users(short_secondary) == users(short_fallback) == ["1001"]
        await aside(short_primary.start)
        await live.until_registered("primary", "fallback")  # rule R1
        assert users(short_primary) == users(short_fallback) == ["1001"]

    live.play(story, REFRESH_AFTER_2_S | settings)
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    # At the end the secondary is asked to forget what it holds, if its lease has not run out. rule R12
    asked = [each for each in live.registers if not each.why.startswith("the line is stopped")]
    told = Counter((each.target.role, str(each.outcome)) for each in asked)
    died = ("primary", "connect-failed" if settings else "icmp")
    assert told[died] >= 1
    assert told[died] == told["secondary", "answered"], "every refresh asks the primary first"
    assert set(told) == {died, *((role, "answered") for role in ("primary", "secondary", "fallback"))}
    assert users(short_primary) == users(short_fallback) == []  # rule R12


def test_the_lease_that_is_granted_is_kept(
    short_primary: Kamailio, short_fallback: Kamailio, net: Net, live: LivePhone, capture: Capture
) -> None:
    async def story() -> None:
        await live.phone.register()
        await until(lambda: len(refreshes(live.registers, "primary")) >= 2, "a refresh")

    live.play(story)
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    granted = wire.responses(200, "REGISTER", source=net.primary)
    asked_again = wire.requests("REGISTER", destination=net.primary)[2]
    # rule R8: half of a lease of up to 120 s, which is still good then; the cfg asks for 3600 s.
    assert asked_again.time - granted[0].time > LEASE / 2 - EARLY


def test_successive_registration_moves_to_the_fallback_and_probes(
    short_secondary: Kamailio, short_fallback: Kamailio, net: Net, live: LivePhone, capture: Capture
) -> None:
    short_secondary.stop()

    async def story() -> None:
        await live.phone.register()
        assert live.registered == ["fallback"]  # rule R4
        assert users(short_fallback) == ["1001"]
        await aside(short_secondary.start)
        await live.until_registered("secondary")  # rule R4
        assert users(short_secondary) == ["1001"]

    live.play(story, SUCCESSIVE | PROBE | REFRESH_AFTER_2_S)
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    assert live.outcomes[:3] == [("primary", "icmp"), ("secondary", "icmp"), ("fallback", "answered")]
    moved = wire.requests("REGISTER", destination=net.fallback)[0]
    back = next(
        register
        for register in wire.requests("REGISTER", destination=net.primary)
        if register.time > moved.time
    )
    assert back.time - moved.time > 10 - EARLY  # rule R4
    # Server 2's binding was refreshed while it worked, and is left to expire when server 1 does. rule R4
    assert len(refreshes(live.registers, "fallback")) >= 2
    # Then it is removed at the end, if its lease has not run out. rule R12
    removals = [each for each in live.registers if each.why.startswith("the line is stopped")]
    gone = sum(each.sent for each in removals if each.target.role == "fallback")
    times = [register.time for register in wire.requests("REGISTER", destination=net.fallback)]
    assert times[len(times) - gone - 1] < wire.responses(200, "REGISTER", source=net.secondary)[0].time


def test_successive_registration_survives_the_working_server(
    short_primary: Kamailio, short_fallback: Kamailio, net: Net, live: LivePhone, capture: Capture
) -> None:
    async def story() -> None:
        await live.phone.register()
        assert live.registered == ["primary"]
        assert users(short_fallback) == [], "one registration at a time"  # rule R4
        await aside(short_primary.stop)
        await live.until_registered("fallback")
        await aside(short_fallback.stop)
        await until(lambda: live.registered == [], "to be registered nowhere")
        await aside(short_primary.start)
        await live.until_registered("primary")  # rule R7
        assert users(short_primary) == ["1001"]

    live.play(story, SUCCESSIVE | PROBE | REFRESH_AFTER_2_S | RETRY_AFTER_2_S)
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    states = [(change.server, change.state) for change in live.told(RegistrationChanged)]
    assert (2, RegistrationState.REGISTERED) in states
    assert (2, RegistrationState.FAILED) in states
    assert users(short_primary) == []


def test_a_wrong_password_is_an_answer(
    primary: Kamailio, secondary: Kamailio, fallback: Kamailio, net: Net, live: LivePhone, capture: Capture
) -> None:
    async def story() -> None:
        await live.phone.register()
        assert live.registered == []

    live.play(story, SUCCESSIVE | {"account.1.password": "not-the-one"})
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    # Nobody else is asked, and not more than twice. rule R10
    assert wire.route(net.phone, "REGISTER") == [Hop(Place(net.primary, 5060), "udp", 2)]
    (only,) = live.registers
    assert (outcomes([only]), only.status) == ([("primary", "rejected")], 401)
    failed = [change for change in live.told(RegistrationChanged) if change.server == 1][-1]
    assert failed.state is RegistrationState.FAILED
    assert "401" in failed.reason
    assert "not-the-one" not in repr(live.events)
    assert b"not-the-one" not in capture.file.read_bytes()


@pytest.mark.parametrize("follows", [False, True], ids=["0", "1"])
def test_redundancy_with_reg_fail(
    follows: bool,
    primary: Kamailio,
    secondary: Kamailio,
    fallback: Kamailio,
    net: Net,
    live: LivePhone,
    capture: Capture,
) -> None:
    primary.behave(403, "REGISTER")

    async def story() -> None:
        await live.phone.register()
        assert live.registered == (["fallback"] if follows else [])  # rule R6

    setting = {"account.1.redundancy_with_reg_fail.enable": "1" if follows else "0"}
    live.play(story, SUCCESSIVE | setting)
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    assert live.outcomes[0] == ("primary", "rejected")
    assert live.registers[0].status == 403
    asked = [hop.destination.host for hop in wire.route(net.phone, "REGISTER")]
    assert (net.fallback in asked) == follows
    assert net.secondary not in asked


def test_register_on_enable_registers_before_the_call(
    primary: Kamailio,
    secondary: Kamailio,
    callee: SippUas,
    net: Net,
    live: LivePhone,
    capture: Capture,
) -> None:
    primary.behave(503, "INVITE")

    async def story() -> None:
        await live.phone.register()
        call = await live.call()
        assert outcomes(call.route) == [("primary", "unavailable"), ("secondary", "answered")]
        assert "1001" in users(secondary)

    live.play(story, {"account.1.sip_server.1.register_on_enable": "1"})
    wire = capture.read()
    live.agrees(live.registers, wire, "REGISTER")
    live.agrees(live.phone.history[-1].route, wire, "INVITE")
    registered = wire.responses(200, "REGISTER", source=net.secondary)[0]
    invite = wire.requests("INVITE", source=net.phone, destination=net.secondary)[0]
    assert registered.time <= invite.time  # rule R9


def test_a_scenario_file_in_the_real_world(
    primary: Kamailio,
    secondary: Kamailio,
    fallback: Kamailio,
    callee: SippUas,
    net: Net,
    phone: Phone,
    capture: Capture,
) -> None:
    primary.behave(503, "INVITE")
    steps = """
  - register: {line: 1}
    expect: {registered: [primary, fallback], within: 120s}
  - call: {to: "1002", id: c1}
    expect: {result: answered, via: secondary, route: [{primary: 503}, {secondary: answered}]}
  - hangup: c1
  - expect: {call: c1, state: ended, within: 120s}
  - unregister: {line: 1}
    expect: {registered: []}
"""
    with phone.start_scenario(steps) as run:
        result = run.result()
    wire = capture.read()
    assert (result["verdict"], result["failures"], result["virtual"]) == ("passed", [], False)
    (call,) = result["calls"]
    for told, method in ((call["route"], "INVITE"), (result["registrations"], "REGISTER")):
        sends = Counter[tuple[str, int, str]]()
        for attempt in told:
            sends[attempt["address"], attempt["port"], attempt["transport"]] += attempt["sent"]
        seen = Counter(
            (request.destination.host, request.destination.port, str(request.transport))
            for request in wire.requests(method, source=net.phone)
        )
        assert sends == seen, wire.ladder()
