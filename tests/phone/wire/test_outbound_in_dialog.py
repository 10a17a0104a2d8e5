"""Where requests go in a dialog that came about through an outbound proxy (sip.use_out_bound_in_dialog)."""

from __future__ import annotations

from typing import Any

import pytest

from phone_emulator.events import MessageSent
from phone_emulator.sip.parser import parse
from tests.phone.far_end import Play, offer, play


@pytest.mark.parametrize(("always", "next_hop"), [(0, "192.168.1.30"), (1, "192.168.1.13")])
@pytest.mark.parametrize("routed", [False, True])
def test_a_dialog_stays_with_the_proxy_where_it_is_told_to(always: int, next_hop: str, routed: bool) -> None:
    async def story(on: Play) -> None:
        extra = [("Contact", "<sip:1002@192.168.1.30>")]
        if routed:  # the next hop is that of the route set then
            extra += [("Record-Route", "<sip:192.168.1.30;lr>")]
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(), extra=extra)
        await call.settled()
        await on.rest()
        sent = [event for event in on.events if isinstance(event, MessageSent)]
        assert [(parse(event.data).cseq.method, event.remote.host) for event in sent] == [
            ("INVITE", "192.168.1.13"),
            ("ACK", next_hop),
        ]
        assert b"ACK sip:1002@192.168.1.30 SIP/2.0" in sent[-1].data

    settings: dict[str, Any] = {
        "account__1__sip_server__1__address": "pbx.example.com",
        "account__1__outbound_proxy_enable": 1,
        "account__1__outbound_proxy__1__address": "192.168.1.13",
        "sip__use_out_bound_in_dialog": always,
    }
    play(story, **settings)
