"""The stateless proxy: where a message goes next, and how it looks then (RFC 3261 section 16)."""

from __future__ import annotations

from collections.abc import Callable

from sipmessage import URI
from sipmessage import Address as NameAddress

from phone_emulator.events import Address, Transport
from phone_emulator.lab.challenger import Challenger
from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.flow import Flow, Unroutable, flow_of_token, flow_of_uri, flow_of_via
from phone_emulator.lab.registrar import Registrar
from phone_emulator.lab.site import Site
from phone_emulator.numbers import number
from phone_emulator.sip import values
from phone_emulator.sip.message import MessageError, Request, Response

FORMS_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
"""The methods that the proxy stays in the path of (Record-Route)."""


class ProxyError(Exception):
    """A request cannot be forwarded; the proxy answers it with *status* instead."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Proxy:
    """Forwards requests and responses without remembering any.

    *callee*: who answers every user that is not registered, over UDP; None for nobody.
    *connected*: whether a TCP or TLS connection is open.
    """

    def __init__(
        self,
        site: Site,
        registrar: Registrar,
        challenger: Challenger,
        fingerprint: Fingerprint,
        callee: Address | None,
        connected: Callable[[Flow], bool],
    ) -> None:
        self._site = site
        self._registrar = registrar
        self._challenger = challenger
        self._fingerprint = fingerprint
        self._callee = callee
        self._connected = connected

    def forward(self, request: Request, source: Flow, now: float) -> tuple[Request, Flow]:
        """The request as it goes on, and where to; *source* is where it came from. Raises ProxyError."""
        headers = request.headers.copy()
        onward = Request(request.method, request.uri, headers, request.body)
        headers.set("Max-Forwards", str(_hops_left(request)))
        route, flow = self._pop_own_routes(onward, source)
        try:
            if route is not None:
                onto = flow_of_uri(route)
            else:
                onward.uri, onto = self._target(request, flow, source, now)
        except Unroutable as error:
            raise ProxyError(404, str(error)) from None
        if onto.transport not in self._site.ports:
            raise ProxyError(404, f"{onto.transport} is not spoken here")
        credentials = headers.get_all("Proxy-Authorization")
        if credentials:
            headers.remove("Proxy-Authorization")
            for value in credentials:
                if not self._challenger.concerns(value):
                    headers.add("Proxy-Authorization", value)
        if request.method in FORMS_DIALOG and request.to_tag is None:
            # Each side gets its own, where they differ (RFC 5658); that of the next hop goes on top.
            for value in dict.fromkeys((self._site.record_route(source), self._site.record_route(onto))):
                headers.prepend("Record-Route", value)
        headers.prepend("Via", self._site.via(onto.transport, self._fingerprint.branch(request)))
        return onward, onto

    def back(self, response: Response) -> tuple[Response, Flow] | None:
        """The response as it goes back, and where to; None for 100, which ends here.

        Raises MessageError when its top Via is not this server's, or when the next one leads nowhere.
        """
        via = response.top_via
        try:
            ours = self._site.is_at(via.host, via.port, Transport(via.transport.lower()))
        except ValueError:
            ours = False
        if not ours:
            raise MessageError(f"a {response.status} for somebody else: the top Via is not this server's")
        if response.status == 100:
            return None
        headers = response.headers.copy()
        headers.remove_first("Via")
        onward = Response(response.status, response.reason, headers, response.body)
        if "Via" not in headers:
            raise MessageError(f"a {response.status} to a request that this server never sent")
        try:
            return onward, flow_of_via(onward.top_via)
        except Unroutable as error:
            raise MessageError(f"the response leads nowhere: {error}") from None

    def _pop_own_routes(self, onward: Request, source: Flow) -> tuple[URI | None, Flow | None]:
        """Take the own Routes off; the Route that is then on top, and the connection that they named."""
        flow: Flow | None = None
        for value in onward.headers.values("Route"):
            try:
                uri = NameAddress.parse(value).uri
            except (ValueError, TypeError):
                raise ProxyError(400, "Route does not follow the grammar of RFC 3261") from None
            if not self._site.owns(uri):
                return uri, None
            onward.headers.remove_first("Route")
            named = flow_of_token(uri.user)
            # The token of the side that it came from is in the same route set: it is not the way on.
            if named is not None and named != source and self._connected(named):
                flow = named
        return None, flow

    def _target(self, request: Request, flow: Flow | None, source: Flow, now: float) -> tuple[str, Flow]:
        """Request-URI and next hop of a request without foreign Routes (RFC 3261 section 16.5)."""
        try:
            uri = request.request_uri
        except MessageError as error:
            raise ProxyError(400, str(error)) from None
        if uri.scheme != "tel" and not self._site.owns(uri):
            return request.uri, flow or flow_of_uri(uri)
        user = uri.user
        if not user:
            raise ProxyError(404, "the Request-URI names nobody")
        binding = self._registrar.lookup(user, now)
        if binding is not None:
            return binding.uri, self._way_to(binding.uri, binding.source)
        if self._callee is None:
            raise ProxyError(404, f"{user} is not registered, and nobody else is here")
        if source.remote == self._callee and self._registrar.knows(user):
            raise ProxyError(480, f"{user} is not registered")
        return request.uri, Flow(Transport.UDP, self._callee)

    def _way_to(self, contact: str, registered_from: Flow) -> Flow:
        """How a registered user is reached: over the connection it registered by, else as Contact says."""
        if registered_from.transport.reliable and self._connected(registered_from):
            return registered_from
        try:
            return flow_of_uri(values.uri(contact))
        except Unroutable:
            return registered_from


def _hops_left(request: Request) -> int:
    """Max-Forwards of the request as it goes on (RFC 3261 section 16.6 step 3)."""
    text = request.headers.get("Max-Forwards")
    if text is None:
        return 70
    left = number(text, 255)
    if left is None:
        raise ProxyError(400, "Max-Forwards is no number from 0 to 255")
    if left == 0:
        raise ProxyError(483, "Max-Forwards is used up")
    return left - 1
