"""How a call reaches its far end: the requests in its dialog, and the way that they take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import sipmessage

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import TransportType
from phone_emulator.dns import Unresolved
from phone_emulator.events import Address, Outcome, Target, Transport
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.exchange import MAX_CHALLENGES
from phone_emulator.phone.wire.identity import Identity, cancel_of
from phone_emulator.phone.wire.known import Sources
from phone_emulator.redundancy import Hop
from phone_emulator.sip import values
from phone_emulator.sip.client import ClientTransaction, RequestFailed
from phone_emulator.sip.dialog import Dialog, dialog_of_response, dialog_to_end
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.tables import State
from phone_emulator.world.address import canonical, is_unicast

REFRESHING = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Requests whose 2xx may move the far end's remote target (RFC 3261 section 12.2.1.2, RFC 5057 5.2)."""


class Channel:
    """The sending side of one call's dialogs.

    Args:
        seat: of the line that the call is on.
        identity: how the line names itself in this call.
    """

    def __init__(self, seat: Seat, identity: Identity) -> None:
        self.seat = seat
        self.identity = identity
        self.flow: Flow | None = None
        """Where the dialog's first exchange went."""
        self.target: Target | None = None
        """The server that the dialog was set up through."""
        self.credentials = seat.exchange.new_credentials()
        """What its requests prove themselves with."""
        self.sources = Sources(seat.known, self._addresses_of)
        """Where its dialogs' messages may come from, and where its requests may go."""
        self._stays = False
        """Whether every request takes `flow`, wherever its dialog points."""

    def begin(self, server: ServerTransaction, dialog: Dialog) -> None:
        """The far end has begun *dialog* with the request of *server*: requests go back there."""
        self.flow = server.flow
        host = server.source.host
        self.sources.begin(host)
        self.sources.takes_connections = server.flow.transport.reliable
        self.sources.heard(host, dialog)
        self.credentials.withheld = not self.sources.founded

    def refresh(self, dialog: Dialog, message: Request | Response, host: str) -> None:
        """Take over the far end's Contact, if any, from *message*, which came from the IP address *host*."""
        named = dialog.refresh_target(message)
        self.sources.heard(host, dialog if named else None)

    async def converse(
        self,
        dialog: Dialog,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        extra: Iterable[tuple[str, str]] = (),
    ) -> Response | None:
        """The final response to a request in *dialog*, or None; see `ask`."""
        try:
            return await self.ask(dialog, method, body, content_type, extra=extra)
        except RequestFailed:
            return None

    async def ask(
        self,
        dialog: Dialog,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        extra: Iterable[tuple[str, str]] = (),
    ) -> Response:
        """The final response to a request in *dialog*, credentials given when asked for.

        *extra*: headers of this request, beside those that every one has. Raises RequestFailed where no
        response comes.
        """
        headers = list(extra)
        for _ in range(MAX_CHALLENGES + 1):
            flow = await self.way(dialog)
            if flow is None:
                raise RequestFailed(Outcome.SEND_FAILED, f"there is no way to {dialog.next_hop()}")
            contact = self.identity.contact(flow.local, flow.transport)
            request = self.identity.in_dialog(
                dialog, method, contact, body=body, content_type=content_type, extra=headers
            )
            shown = self.credentials.attach(request, flow.remote)
            response, source = await self._final(request, dialog, flow)
            if response.status < 300:
                self.credentials.accepted(response, shown)
            if response.status not in (401, 407):
                break
            if not self.credentials.learn(response, shown, flow.remote, source):
                break
        return response

    async def _final(self, request: Request, dialog: Dialog, flow: Flow) -> tuple[Response, Address]:
        """The final response to a request in the dialog, and where it came from.

        A 2xx to a re-INVITE is acknowledged.
        """
        context = self.seat.context
        self.sources.reached(flow.remote.host)
        client = context.endpoint.clients.request(
            request, flow, rport=self.seat.account.rport, admits=self.sources.admits
        )
        try:
            response = await self._final_of(client)
        except RequestFailed:
            if request.method == "INVITE":  # a 2xx that comes late is owed its ACK all the same
                late = partial(self._acknowledge_late, dialog)
                self.seat.dialogs.abandoned(client.request, late, self.sources.admits)
            raise
        if request.method in REFRESHING and response.status < 300:
            with contextlib.suppress(MessageError):
                self.refresh(dialog, response, client.source.host)
        if request.method == "INVITE" and response.status < 300:
            way = await self.way(dialog) or flow  # the 2xx may have moved the remote target, also to nowhere
            ack = self.acknowledge(dialog, way)
            client.on_late = lambda repeated: context.endpoint.clients.send_ack(
                ack, way, rport=self.seat.account.rport
            )
        return response, client.source

    async def _final_of(self, client: ClientTransaction) -> Response:
        """The final response that *client* gets; raises RequestFailed."""
        try:
            # After a 1xx an INVITE has no timer of its own any more.
            async with asyncio.timeout(self.seat.context.config.ringback_timeout):
                return await client.final()
        except TimeoutError:
            return await self._take_back(client)

    async def _take_back(self, client: ClientTransaction) -> Response:
        """The final response to a request that was promised one for too long; raises RequestFailed.

        An INVITE is cancelled: its 487 leaves the session as it was (RFC 3261 sections 9.1 and 14.1).
        """
        endpoint = self.seat.context.endpoint
        if self.cancel(client):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(64 * endpoint.timers.t1):
                    return await client.final()
        endpoint.clients.give_up(client, "no final response")
        raise RequestFailed(Outcome.NO_RESPONSE, "no final response")

    def cancel(self, client: ClientTransaction, way: Flow | None = None) -> bool:
        """Send a CANCEL for an INVITE, with its branch and to its target (C11), where one may be sent.

        *way*: to the target, where the connection of the INVITE has ended.

        Returns:
            Whether it was: not before a provisional response, and not after the final one (section 9.1).
        """
        if client.request.method != "INVITE" or client.machine.state is not State.PROCEEDING:
            return False
        self.seat.context.endpoint.clients.request(
            cancel_of(client.request, self.identity.user_agent),
            way or client.flow,
            rport=self.seat.account.rport,
            branch=client.request.branch,
            sent_by=client.flow,
            admits=self.sources.admits,
        )
        return True

    async def _acknowledge_late(self, dialog: Dialog, response: Response, flow: Flow) -> None:
        """ACK a 2xx to a re-INVITE that nobody waits for any more (RFC 3261 section 13.2.2.4)."""
        self.acknowledge(dialog, await self.way(dialog) or flow, response.cseq.number)

    def acknowledge(self, dialog: Dialog, flow: Flow, cseq: int | None = None) -> Request:
        """Send the ACK to a 2xx (RFC 3261 section 13.2.2.4); returns it, to be repeated.

        *cseq*: of its INVITE, where that is not the last one.
        """
        self.sources.reached(flow.remote.host)
        ack = self.identity.in_dialog(dialog, "ACK", self.identity.contact(flow.local, flow.transport))
        if cseq is not None:
            ack.headers.set("CSeq", f"{cseq} ACK")
        self.seat.context.endpoint.clients.send_ack(ack, flow, rport=self.seat.account.rport)
        return ack

    async def acknowledge_and_bye(self, dialog: Dialog) -> Response | None:
        """End a *dialog* that nobody wants, as soon as it is up (RFC 3261 section 13.2.2.4).

        Each 2xx that asks for it again draws an ACK again, and no further BYE.

        Returns:
            What the BYE was answered with; None where it was not, or none was sent.
        """
        flow = await self.way(dialog) or self.stay()
        if flow is None:
            return None
        self.acknowledge(dialog, flow)
        if not self.seat.dialogs.unwanted(dialog):
            return None
        return await self.converse(dialog, "BYE")

    def contact(self, flow: Flow) -> str:
        """The Contact of a response to what came over *flow*: the phone may have moved since."""
        local = self.seat.context.endpoint.transports.local(flow.transport, flow.remote.host)
        return self.identity.contact(local, flow.transport)

    def stay(self) -> Flow | None:
        """Let everything take the way of the first exchange: there is none to where its dialog points."""
        self._stays = True
        return self.flow

    async def way(self, dialog: Dialog) -> Flow | None:
        """The way to the next hop of *dialog* (RFC 3261 section 12.2.1.1); None when there is none.

        A ``maddr`` takes the place of the host (RFC 3263 section 4); to a group of hosts there is no way.
        """
        try:
            uri = values.uri(dialog.next_hop())
        except ValueError:
            return self.flow
        transport = _uri_transport(uri)
        maddr = uri.parameters.get("maddr")
        host = (maddr or uri.host).strip("[]")
        if maddr and is_ip(host) and not is_unicast(host) and not self._stays:
            return None
        exchange, wait = self.seat.exchange, 64 * self.seat.context.config.timers.t1
        known = self._stays or self._names_server(host, uri.port) or self._through_proxy()
        if uri.scheme not in ("sip", "sips") and not self._stays:
            return None
        if self.flow is not None and not known and not self._may_go(host, transport):
            return None if self.flow.lost else self.flow
        if self.flow is not None and (known or _same(self.flow, host, uri)):
            if not self.flow.lost:
                self.flow = self.seat.context.endpoint.transports.as_of_now(self.flow)
                return self.flow
            if self.target is not None:
                with contextlib.suppress(RequestFailed):
                    return await exchange.flow_to(self.target, wait, "")
                return None
        server = self.identity.server
        transport_type = TransportType[transport.name]
        hop = Hop(server.number, host, uri.port or 0, transport_type, server.failover, server)
        try:
            targets = await self.seat.locate(hop)
            target = targets[0]
            self.sources.resolved(host, (each.address for each in targets))
            if maddr:
                target = replace(target, host=uri.host)  # what a certificate is for (RFC 5922 section 7.1)
            return await exchange.flow_to(target, wait, "")
        except (Unresolved, RequestFailed):
            return None

    def _may_go(self, host: str, transport: Transport) -> bool:
        """Whether requests may go to *host*, where its dialog points: no stranger names a third one.

        Nor has one a connection made before it has shown to be there.
        """
        if self.flow is None:
            return True
        own = (canonical(host) if is_ip(host) else host) == self.flow.remote.host
        if self.sources.founded:
            return own or self.sources.vouches(host)
        return own and (self.sources.proven or not transport.reliable)

    async def _addresses_of(self, name: str) -> list[str]:
        """The IP addresses of *name*, a host that a dialog names; none where it has none."""
        server = self.identity.server
        hop = Hop(server.number, name, 0, TransportType.UDP, server.failover, server)
        try:
            return [target.address for target in await self.seat.locate(hop)]
        except Unresolved:
            return []

    def _through_proxy(self) -> bool:
        """Whether dialogs stay with the outbound proxy (``sip.use_out_bound_in_dialog``)."""
        account = self.seat.account
        proxied = account.outbound_proxy_enable and bool(account.proxies)
        return proxied and self.seat.context.config.outbound_in_dialog

    def _names_server(self, host: str, port: int | None) -> bool:
        """Whether a URI means the server by its name: that is the target in use, wherever DNS leads now.

        So does one that names the line's own domain, whose requests go to the servers (C7).
        """
        server, domain = self.identity.server, self.seat.account.domain
        named = host == server.address and port in (None, server.port)
        own = bool(domain) and domain in (host, f"{host}:{port}")
        return (named or own) and not is_ip(host)


async def end_answered(
    seat: Seat,
    identity: Identity,
    invite: Request,
    response: Response,
    flow: Flow,
    *,
    withheld: bool = False,
) -> Response | None:
    """ACK and BYE a 2xx to *invite*: its target was given up before (C8), or it cannot be used.

    *withheld*: whether no challenge is answered.

    Every 2xx is acknowledged (RFC 3261 section 13.2.2.4): where it does not say whereto, over *flow*.

    Returns:
        What the BYE was answered with; None where it was not, or none was sent.
    """
    channel = Channel(seat, identity)
    channel.flow = flow
    channel.credentials.withheld = withheld
    try:
        dialog = dialog_of_response(invite, response)
        channel.sources.heard(flow.remote.host, dialog)
    except MessageError:
        dialog = dialog_to_end(invite, response)
        channel.stay()
    return await channel.acknowledge_and_bye(dialog)


def _uri_transport(uri: sipmessage.URI) -> Transport:
    """The transport that a SIP URI asks for (RFC 3263 section 4.1)."""
    if uri.scheme == "sips":
        return Transport.TLS
    named = (uri.parameters.get("transport") or "udp").lower()
    return Transport(named) if named in ("udp", "tcp", "tls") else Transport.UDP


def _same(flow: Flow, host: str, uri: sipmessage.URI) -> bool:
    """Whether *flow* leads to where *uri* points; one that names no transport may mean that of the flow."""
    named = uri.scheme == "sips" or "transport" in uri.parameters
    transport = _uri_transport(uri) if named else flow.transport
    return flow.transport is transport and flow.remote == Address(host, uri.port or transport.default_port)
