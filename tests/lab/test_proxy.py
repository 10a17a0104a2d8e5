"""The stateless proxy on its own: a message in, a message and its next flow out (RFC 3261 section 16)."""

from __future__ import annotations

import pytest
from sipmessage import URI, Via

from phone_emulator.events import Address, Transport
from phone_emulator.lab.challenger import Challenger
from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.flow import Flow, Unroutable, flow_of_token, flow_of_uri, flow_of_via, stamped
from phone_emulator.lab.proxy import Proxy, ProxyError
from phone_emulator.lab.registrar import Registrar
from phone_emulator.lab.site import Site
from phone_emulator.sip.message import Headers, MessageError, Request, Response, response_to

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
DOMAIN = "yealink.pbx.com"
CALLEE = Address("192.168.1.30", 5060)
PHONE = Flow(UDP, Address("192.168.1.21", 5060))
CONNECTED = Flow(TCP, Address("192.168.1.21", 49152))
OWN = "<sip:192.168.1.13:5060;lr>"


def proxy(*connected: Flow, callee: Address | None = CALLEE) -> Proxy:
    site = Site("192.168.1.13", [DOMAIN, "10.13.13.13"])
    site.ports = {UDP: 5060, TCP: 5060}
    fingerprint = Fingerprint(b"0123456789abcdef")
    registrar = Registrar({"1001": "x"})
    challenger = Challenger(DOMAIN, {"1001": "x"}, fingerprint)
    return Proxy(site, registrar, challenger, fingerprint, callee, lambda flow: flow in connected)


def request(method: str = "INVITE", uri: str = f"sip:1002@{DOMAIN}", *extra: tuple[str, str]) -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK1"),
            ("From", f"<sip:1001@{DOMAIN}>;tag=1"),
            ("To", f"<sip:1002@{DOMAIN}>"),
            ("Call-ID", "c1"),
            ("CSeq", f"1 {method}"),
            *extra,
        ]
    )
    return Request(method, uri, headers)


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:1002@{DOMAIN}",
        "sip:1002@Yealink.PBX.com.:5070",
        "sip:1002@192.168.1.13",
        "sip:1002@192.168.1.13:5060;transport=tcp",
        "sips:1002@yealink.pbx.com",
        "sip:1002@10.13.13.13",
        "sip:1002@10.13.13.13:5060",
    ],
)
def test_its_own_names_and_addresses_lead_to_the_callee(uri: str) -> None:
    onward, flow = proxy().forward(request("INVITE", uri), PHONE, 0.0)
    assert (onward.uri, flow) == (uri, Flow(UDP, CALLEE))


@pytest.mark.parametrize(
    ("uri", "flow"),
    [
        ("sip:1002@192.168.1.13:5070", Flow(UDP, Address("192.168.1.13", 5070))),
        ("sip:1002@10.13.13.13:5080", Flow(UDP, Address("10.13.13.13", 5080))),
        ("sip:1002@10.0.0.1", Flow(UDP, Address("10.0.0.1", 5060))),
        ("sip:1002@10.0.0.1:7000;transport=TCP", Flow(TCP, Address("10.0.0.1", 7000))),
        ("sip:1002@[fd00:0::1]:5060", Flow(UDP, Address("fd00::1", 5060))),
    ],
)
def test_a_foreign_request_uri_is_followed(uri: str, flow: Flow) -> None:
    onward, went = proxy().forward(request("BYE", uri), PHONE, 0.0)
    assert (onward.uri, went) == (uri, flow)


def test_own_routes_are_taken_off_and_a_foreign_one_is_followed() -> None:
    routes = ("Route", f"{OWN}, <sip:192.168.1.13:5060;transport=tcp;lr>, <sip:10.0.0.9:5080;lr>")
    onward, flow = proxy().forward(request("BYE", "sip:1002@10.0.0.1", routes), PHONE, 0.0)
    assert flow == Flow(UDP, Address("10.0.0.9", 5080))
    assert onward.headers.values("Route") == ["<sip:10.0.0.9:5080;lr>"]


def test_max_forwards_is_counted_down_and_added_where_missing() -> None:
    for before, after in ((None, "70"), ("70", "69"), ("1", "0")):
        extra = [] if before is None else [("Max-Forwards", before)]
        onward, _ = proxy().forward(request("INVITE", f"sip:1002@{DOMAIN}", *extra), PHONE, 0.0)
        assert onward.headers.get_all("Max-Forwards") == [after]
    with pytest.raises(ProxyError) as refusal:
        proxy().forward(request("INVITE", f"sip:1002@{DOMAIN}", ("Max-Forwards", "0")), PHONE, 0.0)
    assert refusal.value.status == 483


def test_only_its_own_credentials_are_taken_off() -> None:
    own, foreign = f'Digest realm="{DOMAIN}"', 'Digest realm="elsewhere"'
    extra = [("Proxy-Authorization", own), ("Proxy-Authorization", foreign)]
    onward, _ = proxy().forward(request("INVITE", f"sip:1002@{DOMAIN}", *extra), PHONE, 0.0)
    assert onward.headers.get_all("Proxy-Authorization") == [foreign]


def test_the_request_that_came_is_left_as_it_was() -> None:
    came = request("INVITE", f"sip:1002@{DOMAIN}", ("Route", OWN))
    before = came.to_bytes()
    proxy().forward(came, PHONE, 0.0)
    assert came.to_bytes() == before


def test_record_route_is_for_requests_that_make_dialogs() -> None:
    def recorded(came: Request, source: Flow = PHONE) -> list[str]:
        return proxy().forward(came, source, 0.0)[0].headers.values("Record-Route")

    within = request()
    within.headers.set("To", f"<sip:1002@{DOMAIN}>;tag=2")
    assert recorded(request()) == [OWN]
    assert recorded(within) == []
    assert recorded(request("MESSAGE")) == []
    assert recorded(request(), CONNECTED) == [
        OWN,
        "<sip:tcp-192.168.1.21-49152@192.168.1.13:5060;transport=tcp;lr>",
    ]


def test_the_token_of_a_route_names_the_connection_of_the_other_side() -> None:
    token = "<sip:tcp-192.168.1.21-49152@192.168.1.13:5060;transport=tcp;lr>"
    contact = "sip:1001@192.168.1.21:5060;transport=tcp"
    bye = request("BYE", contact, ("Route", OWN), ("Route", token))
    at_contact = Flow(TCP, Address("192.168.1.21", 5060))
    assert proxy(CONNECTED).forward(bye, Flow(UDP, CALLEE), 0.0)[1] == CONNECTED
    assert proxy().forward(bye, Flow(UDP, CALLEE), 0.0)[1] == at_contact
    assert proxy(CONNECTED).forward(bye, CONNECTED, 0.0)[1] == at_contact


def test_branches_differ_by_transaction_and_by_server() -> None:
    def branch(came: Request, by: Proxy) -> str | None:
        return by.forward(came, PHONE, 0.0)[0].branch

    other = request()
    other.headers.set("Via", "SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK2")
    old = [request("MESSAGE", f"sip:{user}@{DOMAIN}") for user in ("1002", "1003")]
    for came in old:
        came.headers.set("Via", "SIP/2.0/UDP 192.168.1.21:5060")
    first = proxy()
    assert branch(request(), first) == branch(request(), first)
    assert branch(request("CANCEL"), first) == branch(request("ACK"), first) == branch(request(), first)
    assert branch(other, first) != branch(request(), first)
    assert branch(old[0], first) != branch(old[1], first)


def test_a_response_goes_back_where_the_next_via_says() -> None:
    onward, _ = proxy().forward(request(), PHONE, 0.0)
    back = proxy().back(response_to(onward, 200, to_tag="2"))
    assert back is not None
    response, flow = back
    assert flow == PHONE
    assert response.headers.values("Via") == ["SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK1"]
    assert proxy().back(response_to(onward, 100)) is None


@pytest.mark.parametrize(
    ("vias", "why"),
    [
        (["SIP/2.0/UDP 192.168.1.13:5070;branch=z9hG4bK1"], "top Via is not this server's"),
        (["SIP/2.0/SCTP 192.168.1.13:5060;branch=z9hG4bK1"], "top Via is not this server's"),
        (["SIP/2.0/TLS 192.168.1.13;branch=z9hG4bK1"], "top Via is not this server's"),
        (["SIP/2.0/UDP 192.168.1.13;branch=z9hG4bK1"], "never sent"),
        (["SIP/2.0/UDP 192.168.1.13;branch=z9hG4bK1", "SIP/2.0/UDP elsewhere.example"], "leads nowhere"),
        (["SIP/2.0/UDP 192.168.1.13;branch=z9hG4bK1", "nonsense"], "Via"),
    ],
)
def test_a_response_that_leads_nowhere_says_why(vias: list[str], why: str) -> None:
    headers = request().headers
    headers.remove("Via")
    for via in reversed(vias):
        headers.prepend("Via", via)
    with pytest.raises(MessageError, match=why):
        proxy().back(Response(200, "OK", headers))


# -- hops ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [CONNECTED, Flow(TLS, Address("fd00::21", 5061))])
def test_a_token_names_its_hop(flow: Flow) -> None:
    assert flow_of_token(flow.token) == flow
    assert URI.parse(f"sip:{flow.token}@192.168.1.13").user == flow.token


@pytest.mark.parametrize("token", [None, "", "1001", "udp-192.168.1.21-5060", "tcp-192.168.1.21"])
def test_other_users_are_no_tokens(token: str | None) -> None:
    assert flow_of_token(token) is None


@pytest.mark.parametrize(
    ("uri", "flow"),
    [
        ("sips:10.0.0.1", Flow(TLS, Address("10.0.0.1", 5061))),
        ("sip:10.0.0.1;transport=tls", Flow(TLS, Address("10.0.0.1", 5061))),
    ],
)
def test_where_a_uri_leads(uri: str, flow: Flow) -> None:
    assert flow_of_uri(URI.parse(uri)) == flow


@pytest.mark.parametrize("uri", ["sip:a.example", "sip:10.0.0.1;transport=ws", "sip:10.0.0.1:65536", "tel:1"])
def test_where_a_uri_leads_nowhere(uri: str) -> None:
    with pytest.raises(Unroutable):
        flow_of_uri(URI.parse(uri))


@pytest.mark.parametrize(
    ("value", "source", "kept", "back"),
    [
        (
            "SIP/2.0/UDP 10.0.0.1;branch=b",
            ("10.0.0.1", 7000),
            "SIP/2.0/UDP 10.0.0.1;branch=b",
            ("10.0.0.1", 5060),
        ),
        (
            "SIP/2.0/UDP a.example:5070;branch=b",
            ("10.0.0.1", 7000),
            "SIP/2.0/UDP a.example:5070;branch=b;received=10.0.0.1",
            ("10.0.0.1", 5070),
        ),
        (
            "SIP/2.0/UDP 10.0.0.9;rport;branch=b",
            ("10.0.0.1", 7000),
            "SIP/2.0/UDP 10.0.0.9;branch=b;received=10.0.0.1;rport=7000",
            ("10.0.0.1", 7000),
        ),
        (
            "SIP/2.0/UDP [fd00::9]:5070;branch=b;rport",
            ("fd00::1", 7000),
            "SIP/2.0/UDP [fd00::9]:5070;branch=b;received=[fd00::1];rport=7000",
            ("fd00::1", 7000),
        ),
    ],
)
def test_what_a_via_becomes_and_where_it_leads(
    value: str, source: tuple[str, int], kept: str, back: tuple[str, int]
) -> None:
    stamp = stamped(value, Via.parse(value), Flow(UDP, Address(*source)))
    assert stamp == kept
    assert flow_of_via(Via.parse(stamp)) == Flow(UDP, Address(*back))
