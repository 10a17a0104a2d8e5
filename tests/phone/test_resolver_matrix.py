"""From the zone to the route: NAPTR, SRV and address records, and failover, for REGISTER and for INVITE.

A case is a zone, what is broken, and the ladder that follows: one line an attempt, in order. The cases are
those by which SIP phones and servers are known to differ (RFC 3263): transport given, restricted or open;
order and preference; priority and weight; failover by answer, by silence, by a dead connection; in a dialog.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from phone_emulator.events import CallState, MessageSent, Transport
from phone_emulator.phone import CallError, CallResult
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.phone import stage
from tests.phone.sites import Site, ladder, play, short

HOSTS = "\n".join(f"{name} A 192.168.1.{number}" for number, name in enumerate("abcd", 11))
"""The hosts a, b, c and d at .11, .12, .13 and .14."""

UDP = '@ NAPTR 10 10 s SIP+D2U "" _sip._udp'
TCP = '@ NAPTR 20 10 s SIP+D2T "" _sip._tcp'
TLS = '@ NAPTR 30 10 s SIPS+D2T "" _sips._tcp'
AB_UDP = f"{UDP}\n_sip._udp SRV 1 10 5060 a\n_sip._udp SRV 2 10 5060 b\n{HOSTS}"
AB_TCP = f"{TCP}\n_sip._tcp SRV 1 10 5060 a\n_sip._tcp SRV 2 10 5060 b\n{HOSTS}"
AB_TLS = f"{TLS}\n_sips._tcp SRV 1 10 5061 a\n_sips._tcp SRV 2 10 5061 b\n{HOSTS}"
ALL_SRV = "_sip._udp SRV 1 1 5060 a\n_sip._tcp SRV 1 1 5060 b\n_sips._tcp SRV 1 1 5061 c"
SERVER = "account.1.sip_server.1."


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the matrix."""

    name: str
    zone: str
    ladder: str
    """For INVITE and for REGISTER alike."""
    down: dict[str, object] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    took: tuple[float, float] = (0.0, 0.0)
    """Seconds until the result, of INVITE and of REGISTER: a silent REGISTER is given up earlier (R2)."""
    version: int = 4
    ca_pem: str | None = None

    def __str__(self) -> str:
        return self.name


SILENT_FIRST = (32.0, 7.5)
"""64*T1 for INVITE, retry_counts = 3 for REGISTER."""


def case(name: str, zone: str, expected: str, **rest: object) -> Case:
    return Case(name=name, zone=zone, ladder=expected, **rest)  # type: ignore[arg-type]


ADDRESSES = [  # rule D1
    case("A alone, in answer order", "@ A 192.168.1.12\n@ A 192.168.1.11", "primary .12/udp answered"),
    case(
        "a port turns NAPTR and SRV off",
        f"{AB_UDP}\n@ A 192.168.1.13\n_x SRV 1 1 5070 c",
        "primary .13:5070/udp answered",
        settings={f"{SERVER}port": 5070},
    ),
    *(
        case(
            f"transport_type {number} turns NAPTR and SRV off",
            f"{AB_UDP}\n@ A 192.168.1.13",
            f"primary .13/{transport} answered",
            settings={f"{SERVER}transport_type": number},
        )
        for number, transport in enumerate(Transport)
    ),
    case("AAAA alone", "@ AAAA fd00::11", "primary ::11/udp answered", version=6),
    case(
        "AAAA of SRV targets",
        f"{TCP}\n_sip._tcp SRV 1 1 5060 a\n_sip._tcp SRV 2 1 5060 b\na AAAA fd00::11\nb AAAA fd00::12",
        "primary   ::11/tcp connect-failed\nsecondary ::12/tcp answered",
        down={"::11": "refuse"},
        version=6,
    ),
    case(
        "A and AAAA: an IPv6 phone asks only for what it can send to",
        "@ AAAA fd00::11\n@ A 192.168.1.11",
        "primary ::11/udp answered",
        version=6,
    ),
    case(
        "an IPv4 phone does not ask for AAAA",
        "@ AAAA fd00::11\n@ A 192.168.1.11",
        "primary .11/udp answered",
    ),
    case("AAAA is nothing to an IPv4 phone", "@ AAAA fd00::11", "primary unresolved"),
    case(
        "a literal IPv6 address cannot be sent to from an IPv4 phone",
        "@ AAAA fd00::11",
        "primary ::11/udp send-failed",
        settings={f"{SERVER}address": "fd00::11"},
    ),
    case("no such name", "other A 192.168.1.11", "primary unresolved"),
]

NAPTR = [  # rule D2
    case(
        "the lower order first",
        f'@ NAPTR 20 10 s SIP+D2U "" _sip._udp\n@ NAPTR 10 10 s SIP+D2T "" _sip._tcp\n{ALL_SRV}\n{HOSTS}',
        "primary .12/tcp answered",
    ),
    case(
        "then the lower preference",
        f'@ NAPTR 10 30 s SIP+D2U "" _sip._udp\n@ NAPTR 10 20 s SIPS+D2T "" _sips._tcp\n{ALL_SRV}\n{HOSTS}',
        "primary .13/tls answered",
    ),
    case(
        "order beats preference",
        f'@ NAPTR 10 90 s SIP+D2U "" _sip._udp\n@ NAPTR 20 10 s SIP+D2T "" _sip._tcp\n{ALL_SRV}\n{HOSTS}',
        "primary .11/udp answered",
    ),
    case("only TCP is offered", f"{TCP}\n{ALL_SRV}\n{HOSTS}", "primary .12/tcp answered"),
    case("only TLS is offered", f"{TLS}\n{ALL_SRV}\n{HOSTS}", "primary .13/tls answered"),
    case("TCP is better than TLS by order", f"{TLS}\n{TCP}\n{ALL_SRV}\n{HOSTS}", "primary .12/tcp answered"),
    *(
        case(
            f"{service} with flag {flag} is passed over",
            f'@ NAPTR 1 1 {flag} {service} "" _sip._ws\n{TCP}\n{ALL_SRV}\n{HOSTS}',
            "primary .12/tcp answered",
        )
        for flag, service in (("s", "SIP+D2W"), ("s", "SIP+D2S"), ("s", "SIPS+D2U"), ("p", "SIP+D2U"))
    ),
    case(
        "nothing but services of others: the SRV of UDP",
        f'@ NAPTR 1 1 s SIP+D2W "" _sip._ws\n{ALL_SRV}\n{HOSTS}',
        "primary .11/udp answered",
    ),
    case(
        "one transport is chosen: the next NAPTR is no failover",
        f"{AB_TCP}\n{TLS}\n_sips._tcp SRV 1 1 5061 c",
        "primary .11/tcp connect-failed\nsecondary .12/tcp connect-failed",
        down={".11": "refuse", ".12": "refuse"},
    ),
    case(
        "a service without SRV leaves the next NAPTR",
        f"{UDP}\n{TCP}\n_sip._tcp SRV 1 1 5060 b\n{HOSTS}",
        "primary .12/tcp answered",
    ),
    case(
        "a service that is not offered leaves the next NAPTR",
        f"{UDP}\n_sip._udp SRV 0 0 0 .\n{TCP}\n_sip._tcp SRV 1 1 5060 b\n{HOSTS}",
        "primary .12/tcp answered",
    ),
    case(
        "flag a: the address of the replacement",
        f'@ NAPTR 1 1 a SIP+D2T "" d\n{ALL_SRV}\n{HOSTS}',
        "primary .14/tcp answered",
    ),
    case(
        "no flag: the NAPTR of the replacement",
        f'@ NAPTR 1 1 "" "" "" site\nsite NAPTR 1 1 s SIP+D2T "" _sip._tcp\n{ALL_SRV}\n{HOSTS}',
        "primary .12/tcp answered",
    ),
]

WITHOUT_NAPTR = [  # rule D3
    case("the SRV of UDP", f"{ALL_SRV}\n{HOSTS}", "primary .11/udp answered"),
    case(
        "naptr_build = 0 asks for no other SRV",
        f"@ A 192.168.1.14\n_sip._tcp SRV 1 1 5060 b\n{HOSTS}",
        "primary .14/udp answered",
    ),
    case(
        "naptr_build = 1 asks for TCP too",
        f"@ A 192.168.1.14\n_sip._tcp SRV 1 1 5060 b\n{HOSTS}",
        "primary .12/tcp answered",
        settings={"account.1.naptr_build": 1},
    ),
    case(
        "naptr_build = 1 asks for TLS last",
        f"@ A 192.168.1.14\n_sips._tcp SRV 1 1 5061 c\n{HOSTS}",
        "primary .13/tls answered",
        settings={"account.1.naptr_build": 1},
    ),
]

SRV = [  # rule D4
    case(
        "the lower priority first",
        f"{UDP}\n_sip._udp SRV 9 1 5060 a\n_sip._udp SRV 3 1 5060 b\n{HOSTS}",
        "primary .12/udp answered",
    ),
    case(
        "then the higher weight, without a lottery",
        f"{UDP}\n_sip._udp SRV 1 10 5060 a\n_sip._udp SRV 1 20 5060 b\n_sip._udp SRV 1 0 5060 c\n{HOSTS}",
        "primary .12/udp unavailable\nsecondary .11/udp unavailable\ntarget-3 .13/udp answered",
        down={".11": 503, ".12": 503},
    ),
    case(
        "priority beats weight",
        f"{UDP}\n_sip._udp SRV 2 65535 5060 a\n_sip._udp SRV 1 0 5060 b\n{HOSTS}",
        "primary .12/udp answered",
    ),
    case(
        "the port of the record",
        f"{TCP}\n_sip._tcp SRV 1 1 5070 a\n{HOSTS}",
        "primary .11:5070/tcp answered",
    ),
    case(
        "several addresses behind one target stay together",
        f"{UDP}\n_sip._udp SRV 1 1 5060 m\n_sip._udp SRV 2 1 5060 c\n"
        f"m A 192.168.1.12\nm A 192.168.1.11\n{HOSTS}",
        "primary .12/udp unavailable\nsecondary .11/udp unavailable\ntarget-3 .13/udp answered",
        down={".11": 503, ".12": 503},
    ),
    case(
        "a target without address is left out",
        f"{UDP}\n_sip._udp SRV 1 1 5060 gone\n_sip._udp SRV 2 1 5060 b\n{HOSTS}",
        "primary .12/udp answered",
    ),
    case(
        "the service is not offered", f"{UDP}\n_sip._udp SRV 0 0 0 .\n@ A 192.168.1.14", "primary unresolved"
    ),
]

TWINS = f"{UDP}\n_sip._udp SRV 1 1 5060 a\n_sip._udp SRV 2 1 5070 a\n_sip._udp SRV 3 1 5060 b\n{HOSTS}"
SHARED = [  # rule D5
    case(
        "a machine that failed is passed over",
        TWINS,
        "primary .11/udp no-response\nsecondary .11:5070/udp skipped\ntarget-3 .12/udp answered",
        down={".11": "silent"},
        took=SILENT_FIRST,
    ),
    case(
        "unless the key says no",
        TWINS,
        "primary .11/udp no-response\nsecondary .11:5070/udp answered",
        down={".11": "silent"},
        settings={"sip.skip_redundant_failover_addr": 0},
        took=SILENT_FIRST,
    ),
    case(
        "names of one machine count once",
        f"{UDP}\n_sip._udp SRV 1 1 5060 a\n_sip._udp SRV 2 1 5060 twin\ntwin A 192.168.1.11\n{HOSTS}",
        "primary .11/udp unavailable",
        down={".11": 503},
    ),
]

FAILOVER = [  # rule C1, rule C2, rule C3
    *(
        case(
            f"{why} over {transport}",
            zone,
            f"primary .11/{transport} {outcome}\nsecondary .12/{transport} answered",
            down={".11": behaviour},
            took=took,
        )
        for transport, zone, why, behaviour, outcome, took in (
            ("udp", AB_UDP, "503", 503, "unavailable", (0.0, 0.0)),
            ("tcp", AB_TCP, "503", 503, "unavailable", (0.0, 0.0)),
            ("tls", AB_TLS, "503", 503, "unavailable", (0.0, 0.0)),
            ("udp", AB_UDP, "Retry-After", {"status": 503, "retry_after": 99}, "unavailable", (0.0, 0.0)),
            ("udp", AB_UDP, "silence", "silent", "no-response", SILENT_FIRST),
            ("tcp", AB_TCP, "silence", "silent", "no-response", (32.0, 32.0)),  # rule C6
            ("tls", AB_TLS, "silence", "silent", "no-response", (32.0, 32.0)),
            ("udp", AB_UDP, "a closed port", "refuse", "icmp", (0.0, 0.0)),
            ("tcp", AB_TCP, "a closed port", "refuse", "connect-failed", (0.0, 0.0)),
            ("tls", AB_TLS, "a closed port", "refuse", "connect-failed", (0.0, 0.0)),
            ("udp", AB_UDP, "a machine that is gone", "absent", "no-response", SILENT_FIRST),
            ("tcp", AB_TCP, "a machine that is gone", "absent", "connect-failed", SILENT_FIRST),
            ("tls", AB_TLS, "a machine that is gone", "absent", "connect-failed", SILENT_FIRST),
        )
    ),
    case(
        "a certificate that nobody signed",
        AB_TLS,
        "primary .11/tls tls-failed\nsecondary .12/tls tls-failed",
        ca_pem="somebody else",
    ),
    *(
        case(
            f"{status} is an answer",
            AB_UDP,
            f"primary .11/udp rejected {status}",
            down={".11": status},
        )
        for status in (403, 404, 408, 500, 603)
    ),
    case(
        "the list ends: the last one is waited for in full",
        AB_UDP,
        "primary .11/udp no-response\nsecondary .12/udp no-response",
        down={".11": "silent", ".12": "silent"},
        took=(64.0, 39.5),
    ),
    case(
        "one record: no failover",
        f"{UDP}\n_sip._udp SRV 1 1 5060 a\n{HOSTS}",
        "primary .11/udp no-response",
        down={".11": "silent"},
        took=(32.0, 32.0),
    ),
]

MATRIX = [*ADDRESSES, *NAPTR, *WITHOUT_NAPTR, *SRV, *SHARED, *FAILOVER]


@pytest.mark.parametrize("row", MATRIX, ids=str)
@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_matrix(method: str, row: Case) -> None:
    async def story(site: Site) -> None:
        route = await (site.dial() if method == "INVITE" else site.register())
        assert route == ladder(row.ladder)
        assert site.world.now() == row.took[method == "REGISTER"]

    play(story, row.zone, row.settings, down=row.down, version=row.version, ca_pem=row.ca_pem)


def test_the_names_of_the_rows_are_their_own() -> None:
    assert len({row.name for row in MATRIX}) == len(MATRIX)


SERVER_2 = {"account.1.sip_server.2.address": "192.168.1.11"}


@pytest.mark.parametrize(
    ("skip", "expected"),
    [
        (1, "primary .11/udp unavailable\nsecondary .12/udp unavailable\nfallback .11/udp skipped"),
        (0, "primary .11/udp unavailable\nsecondary .12/udp unavailable\nfallback .11/udp unavailable"),
    ],
)
def test_server_2_at_the_address_of_a_failed_target(skip: int, expected: str) -> None:
    # rule D5
    async def story(site: Site) -> None:
        assert await site.dial() == ladder(expected)

    settings = {**SERVER_2, "sip.skip_redundant_failover_addr": skip}
    play(story, AB_UDP, settings, down={".11": 503, ".12": 503})


# -- in a dialog: rule C11 --------------------------------------------------------------------------------


def requests(site: Site, *methods: str) -> list[str]:
    """``BYE .11``: which requests of *methods* the phone sent, and where, each once."""
    found = []
    for event in site.events:
        if isinstance(event, MessageSent):
            message = parse(event.data)
            if isinstance(message, Request) and message.method in methods:
                found.append(f"{message.method} {short(event.remote.host, event.remote.port)}")
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Outage:
    """What happens to the primary while a call goes through it."""

    behaviour: object
    bye: float
    """Seconds until a BYE is given up."""
    hold: float
    """Seconds until a re-INVITE is given up."""
    ends: bool
    """Whether the re-INVITE ends the call (RFC 3261 section 12.2.1.2)."""


OUTAGES = {
    "503": Outage(503, 0.0, 0.0, ends=False),
    "481": Outage(481, 0.0, 0.0, ends=True),
    "408": Outage(408, 0.0, 0.0, ends=True),
    "timeout": Outage("silent", 32.0, 32.0, ends=True),
    "closed": Outage("refuse", 0.0, 0.0, ends=True),
}
ZONES = {"udp": AB_UDP, "tcp": AB_TCP, "tls": AB_TLS}


@pytest.mark.parametrize("transport", ZONES)
@pytest.mark.parametrize("outage", OUTAGES)
def test_a_bye_does_not_fail_over(transport: str, outage: str) -> None:
    # rule C11
    async def story(site: Site) -> None:
        call = site.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        await site.behave(".11", OUTAGES[outage].behaviour)
        began = site.world.now()
        await call.hang_up()
        assert call.state is CallState.ENDED
        assert site.world.now() - began == OUTAGES[outage].bye
        assert requests(site, "BYE") in (["BYE .11"], [])
        assert not any(end.endswith(" .12") for end in requests(site, "INVITE", "BYE", "ACK"))

    play(story, ZONES[transport])


@pytest.mark.parametrize("transport", ZONES)
@pytest.mark.parametrize("outage", OUTAGES)
def test_a_reinvite_does_not_fail_over(transport: str, outage: str) -> None:
    # rule C11
    async def story(site: Site) -> None:
        call = site.phone.dial("1002")
        await call.settled()
        await site.behave(".11", OUTAGES[outage].behaviour)
        began = site.world.now()
        with pytest.raises(CallError, match=r"the far end (refused|did not respond)"):
            await call.hold()
        assert site.world.now() - began == OUTAGES[outage].hold
        assert requests(site, "INVITE") == ["INVITE .11"]
        await site.behave(".11", "ok")
        if OUTAGES[outage].ends:
            await call.over()
        else:
            assert call.state is CallState.TALKING
            await call.hang_up()
        assert requests(site, "INVITE", "BYE") == ["INVITE .11", "BYE .11"]

    play(story, ZONES[transport])


@pytest.mark.parametrize("transport", ZONES)
def test_the_next_call_does(transport: str) -> None:
    """The dialog stays with its server; a new request goes its own way (F0)."""

    # rule C11
    # rule F0
    async def story(site: Site) -> None:
        first = site.phone.dial("1002")
        await first.settled()
        await first.hold()  # for the next call it would be, at a server that refuses
        await site.behave(".11", "refuse")
        failed = "icmp" if transport == "udp" else "connect-failed"
        expected = f"primary .11/{transport} {failed}\nsecondary .12/{transport} answered"
        assert await site.dial() == ladder(expected)
        await site.behave(".11", "ok")
        await first.hang_up()
        assert requests(site, "BYE") == ["BYE .12", "BYE .11"]

    play(story, ZONES[transport])


@pytest.mark.parametrize("broken", [503, "refuse", "absent"])
def test_a_dialog_set_up_at_the_secondary_stays_there(broken: object) -> None:
    # rule C11
    async def story(site: Site) -> None:
        call = site.phone.dial("1002")
        await call.settled()
        assert call.via == "secondary"
        if broken != "absent":
            await site.behave(".11", "ok")
        await call.hold()
        await call.resume()
        await call.hang_up()
        assert requests(site, "BYE") == ["BYE .12"]
        assert requests(site, "ACK")[-1] == "ACK .12"

    play(story, AB_TCP, down={".11": broken})


NAMED = """\
yealink.pbx.com. 60 IN A 192.168.1.13
proxy.test. 60 IN A 192.168.1.14
proxy.test. 60 IN A 192.168.1.15
"""


@pytest.mark.parametrize(("behaviour", "took"), [("silent", 32.0), (503, 0.0), ("refuse", 0.0)])
def test_a_route_set_that_names_two_machines_means_the_first(behaviour: object, took: float) -> None:
    # rule C11
    async def story(on: stage.Stage) -> None:
        call = on.phone.dial("1002")
        await call.settled()
        on.mark()
        await call.hang_up()
        assert call.state is CallState.ENDED
        assert on.world.now() - on.zero == took
        assert {line.where for line in on.sent("BYE")} == {".14"}

    answered = {"INVITE": [[stage.Answer(0, 200, [("Record-Route", "<sip:proxy.test;lr>")])]]}
    stage.play(story, zone=NAMED, actors={"primary": answered}, secondary=behaviour)
