"""The phone's address changes, on real interfaces too: Kamailio holds one Contact, the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phone_emulator.events import AddressChanged
from phone_emulator.phone.registration.lease import contact_of
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.namespace import GUIDE_NET, Lan, guide_lan
from tests.integration.harness.net import Net
from tests.integration.harness.phone import Phone
from tests.integration.harness.stage import Stage
from tests.patience import wait_until

pytestmark = pytest.mark.integration

ALONE = {"account.1.sip_server.2.address": "", "account.1.subscribe_mwi": "0", "sip.timer_t1": "0.5"}
BY = {"udp": ("5060", "0"), "tcp": ("5060", "1"), "tls": ("5061", "2")}


def server_1(address: str, transport: str = "udp") -> dict[str, str]:
    """The only server of the line."""
    port, number = BY[transport]
    return ALONE | {
        "account.1.sip_server.1.address": address,
        "account.1.sip_server.1.port": port,
        "account.1.sip_server.1.transport_type": number,
    }


def hosts(server: Kamailio) -> list[str]:
    """The IP address of each Contact that *server* holds."""
    found = (contact_of(f"<{binding.contact}>") for binding in server.bindings())
    return [contact.host for contact in found if contact is not None]


# -- on loopback -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", BY)
def test_the_location_table_holds_one_contact_after_a_move(
    transport: str,
    make_kamailio: Callable[..., Kamailio],
    certificates: Certificates,
    net: Net,
    lone: LivePhone,
) -> None:
    # rules R12, R13
    certificate = certificates.issue(net.primary) if transport == "tls" else None
    server = make_kamailio("primary", net.primary, certificate).start()
    there = f"{net.prefix}.31"

    async def story() -> None:
        await lone.phone.register()
        assert hosts(server) == [net.phone]
        await lone.phone.move(there)
        assert lone.registered == ["primary"], [each.detail for each in lone.registers]
        assert hosts(server) == [there]

    lone.play(story, server_1(net.primary, transport))
    assert [(event.before, event.now) for event in lone.told(AddressChanged)] == [((net.phone,), (there,))]
    assert hosts(server) == []


# -- on interfaces that change -----------------------------------------------------------------------------

HERE, THERE = GUIDE_NET.phone, f"{GUIDE_NET.prefix}.31"


@pytest.fixture
def lan() -> Iterator[Lan]:
    """The phone's host and its server's."""
    with guide_lan([HERE, GUIDE_NET.primary]) as lan:
        yield lan


@pytest.fixture
def server(lan: Lan, stage: Stage) -> Kamailio:
    """Kamailio at 192.168.1.13."""
    address = lan.net.primary
    kamailio = Kamailio(
        "primary", address, stage.folder("primary"), callee=f"{HERE}:5070", namespace=lan.namespace(address)
    )
    stage.processes.append(kamailio)
    return kamailio.start()


@pytest.fixture
def phone(lan: Lan, stage: Stage) -> Phone:
    """The phone under test at 192.168.1.21."""
    return Phone(lan.net, stage.folder("phone"), namespace=lan.namespace(HERE))


def machine(lan: Lan, *words: str) -> None:
    """Say *words* to the ``ip`` of the phone's host."""
    lan.run(HERE, "ip", *words)


def until_held(server: Kamailio, *wanted: str) -> None:
    wait_until(lambda: hosts(server) == list(wanted), f"{server.name} to hold {wanted}")


def until_told(log: Path, word: str) -> None:
    wait_until(lambda: word in log.read_text(), f"the phone to say {word!r}")


def test_the_lease_of_dhcp_is_another(server: Kamailio, phone: Phone, lan: Lan) -> None:
    with phone.registered(server_1(lan.net.primary), pinned=False) as log:
        until_held(server, HERE)
        machine(lan, "address", "delete", f"{HERE}/24", "dev", "eth0")
        until_told(log, "the phone has no address: ")
        machine(lan, "address", "add", f"{THERE}/24", "dev", "eth0")
        until_held(server, THERE)
        until_told(log, f"the phone has an address again: {THERE}")
    assert hosts(server) == []


def test_a_route_leads_through_another_interface(server: Kamailio, phone: Phone, lan: Lan) -> None:
    """As where a VPN comes up: the old address is there as before, and is not that of the way any more."""
    with phone.registered(server_1(lan.net.primary, "tcp"), pinned=False) as log:
        until_held(server, HERE)
        machine(lan, "address", "add", f"{THERE}/24", "dev", "eth0")
        machine(lan, "route", "replace", f"{lan.net.prefix}.0/24", "dev", "eth0", "src", THERE)
        until_held(server, THERE)
        until_told(log, f"the phone's address has changed from {HERE} to {THERE}")
    assert hosts(server) == []


def test_a_cable_is_pulled_and_put_back(server: Kamailio, phone: Phone, lan: Lan) -> None:
    with phone.registered(server_1(lan.net.primary), pinned=False) as log:
        until_held(server, HERE)
        machine(lan, "link", "set", "eth0", "down")
        until_told(log, f"no way to {lan.net.primary}: network is unreachable")
        server.stop()
        server.start()
        assert hosts(server) == []
        machine(lan, "link", "set", "eth0", "up")
        until_held(server, HERE)
        until_told(log, f"the phone has an address again: {HERE}")


def test_an_address_that_the_user_has_given_is_waited_for(server: Kamailio, phone: Phone, lan: Lan) -> None:
    with phone.registered(server_1(lan.net.primary), pinned=True) as log:
        until_held(server, HERE)
        machine(lan, "address", "delete", f"{HERE}/24", "dev", "eth0")
        machine(lan, "address", "add", f"{THERE}/24", "dev", "eth0")
        until_told(log, f"the phone has no address: no such local address {HERE} (--local-address)")
        assert hosts(server) == [HERE]
        machine(lan, "address", "add", f"{HERE}/24", "dev", "eth0")
        until_told(log, f"the phone has an address again: {HERE}")
    assert hosts(server) == []


# -- IPv6 --------------------------------------------------------------------------------------------------

SERVER_6, HERE_6, THERE_6 = "fd00:5060::13", "fd00:5060::21", "fd00:5060::31"
ONLY_IPV6, BOTH_VERSIONS = ({"static.network.ip_address_mode": mode} for mode in ("1", "2"))
every_transport = pytest.mark.parametrize("transport", BY)


@pytest.fixture
def server_6(lan: Lan, stage: Stage, certificates: Certificates) -> Kamailio:
    """Kamailio at `SERVER_6`, at the host of 192.168.1.13."""
    host = lan.net.primary
    lan.run(host, "ip", "address", "add", f"{SERVER_6}/64", "dev", "eth0", "nodad")
    kamailio = Kamailio(
        "primary",
        f"[{SERVER_6}]",
        stage.folder("primary"),
        callee=f"[{HERE_6}]:5070",
        certificate=certificates.issue(SERVER_6),
        namespace=lan.namespace(host),
    )
    stage.processes.append(kamailio)
    return kamailio.start()


@pytest.fixture
def phone_6(lan: Lan, stage: Stage, certificates: Certificates) -> Phone:
    """The phone under test at `HERE_6`, at the host of 192.168.1.21."""
    machine(lan, "address", "add", f"{HERE_6}/64", "dev", "eth0", "nodad")
    folder = stage.folder("phone")
    return Phone(lan.net, folder, certificates.ca_file, namespace=lan.namespace(HERE))


@every_transport
def test_the_ipv6_prefix_is_another(transport: str, server_6: Kamailio, phone_6: Phone, lan: Lan) -> None:
    """The new address is tentative at first (RFC 4862 section 5.4): it is none until nobody else has it."""

    # rules R12, R13
    with phone_6.registered(server_1(SERVER_6, transport) | ONLY_IPV6, pinned=False) as log:
        until_held(server_6, HERE_6)
        machine(lan, "address", "delete", f"{HERE_6}/64", "dev", "eth0")
        until_told(log, "the phone has no address: ")
        machine(lan, "address", "add", f"{THERE_6}/64", "dev", "eth0")
        until_held(server_6, THERE_6)
        until_told(log, f"the phone has an address again: {THERE_6}")
    assert hosts(server_6) == []


@every_transport
def test_a_newer_ipv6_address_is_preferred(
    transport: str, server_6: Kamailio, phone_6: Phone, lan: Lan
) -> None:
    """As temporary addresses take turns (RFC 8981): the old one is there as before, and deprecated."""

    # rules R12, R13
    with phone_6.registered(server_1(SERVER_6, transport) | ONLY_IPV6, pinned=False) as log:
        until_held(server_6, HERE_6)
        machine(lan, "address", "add", f"{THERE_6}/64", "dev", "eth0", "nodad")
        machine(lan, "address", "change", f"{HERE_6}/64", "dev", "eth0", "preferred_lft", "0")
        until_held(server_6, THERE_6)
        until_told(log, f"the phone's address has changed from {HERE_6} to {THERE_6}")
    assert hosts(server_6) == []


def test_the_ipv4_address_goes_from_a_line_that_is_registered_over_ipv6(
    server_6: Kamailio, phone_6: Phone, lan: Lan
) -> None:
    with phone_6.registered(server_1(SERVER_6) | BOTH_VERSIONS, pinned=False) as log:
        until_held(server_6, HERE_6)
        before = server_6.bindings()[0].expires
        machine(lan, "address", "delete", f"{HERE}/24", "dev", "eth0")
        until_told(log, f"the phone's address has changed from {HERE} and {HERE_6} to {HERE_6}")
        assert hosts(server_6) == [HERE_6]
        assert server_6.bindings()[0].expires <= before  # not renewed for that
    assert hosts(server_6) == []


def test_the_ipv6_address_goes_and_another_comes_beside_an_ipv4_one(
    server_6: Kamailio, phone_6: Phone, lan: Lan
) -> None:
    # rule R12
    with phone_6.registered(server_1(SERVER_6) | BOTH_VERSIONS, pinned=False) as log:
        until_held(server_6, HERE_6)
        machine(lan, "address", "delete", f"{HERE_6}/64", "dev", "eth0")
        until_told(log, f"the phone's address has changed from {HERE} and {HERE_6} to {HERE}")
        assert hosts(server_6) == [HERE_6]
        machine(lan, "address", "add", f"{THERE_6}/64", "dev", "eth0")
        until_held(server_6, THERE_6)
        until_told(log, f"the phone's address has changed from {HERE} to {HERE} and {THERE_6}")
    assert hosts(server_6) == []
