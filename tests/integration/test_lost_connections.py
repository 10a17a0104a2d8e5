"""Registrations over connections that real servers close: made anew, and told until then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from phone_emulator.events import RegistrationChanged
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone, aside
from tests.integration.harness.net import Net
from tests.patience import until

pytestmark = pytest.mark.integration

SETTINGS = {
    "account.1.sip_server.2.address": "",
    "account.1.subscribe_mwi": "0",
    "account.1.reg_fail_retry_interval": "1",
}
BY = {"tcp": ("5060", "1"), "tls": ("5061", "2")}


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_registrar_that_restarts_gets_its_registration_again(
    transport: Literal["tcp", "tls"],
    make_kamailio: Callable[..., Kamailio],
    certificates: Certificates,
    net: Net,
    lone: LivePhone,
) -> None:
    """Kamailio keeps registrations in memory: until the next REGISTER it knows nobody."""
    # rule R14
    certificate = certificates.issue(net.primary) if transport == "tls" else None
    server = make_kamailio("primary", net.primary, certificate).start()
    port, number = BY[transport]
    settings = SETTINGS | {
        "account.1.sip_server.1.address": net.primary,
        "account.1.sip_server.1.port": port,
        "account.1.sip_server.1.transport_type": number,
    }

    async def story() -> None:
        await lone.phone.register()
        assert lone.registered == ["primary"], [each.detail for each in lone.registers]
        await aside(server.stop)
        await until(lambda: unreachable() != [], "the phone to notice")
        await aside(server.start)
        await until(lambda: lone.registered == ["primary"] and not unreachable_now(), "to be registered")
        assert [binding.user for binding in server.bindings()] == ["1001"]

    def unreachable() -> list[str]:
        return [event.unreachable for event in lone.told(RegistrationChanged) if event.unreachable]

    def unreachable_now() -> str:
        return lone.phone.line().health().unreachable

    lone.play(story, settings)
    where = f"the connection with primary {net.primary}:{port}/{transport}"
    assert unreachable()[0] == f"may be unreachable: {where} is lost (closed by the far end)"
