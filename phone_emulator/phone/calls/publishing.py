"""Reports on the quality of a line's calls, while they go on and as they end: a PUBLISH to the collector each
(RFC 6035, RFC 3903).

The collector is asked as a server is: its name is looked up, over the transport of the line's first server;
outbound proxies are passed by. What it answers, or that it does not, is told as any attempt, and changes
nothing: it is asked once, and credentials are for the line's servers only. A call without sound, as one in
virtual time where nobody looks on, is not reported.
"""

from __future__ import annotations

import asyncio
from functools import partial

from phone_emulator.config.model import FailoverConfig
from phone_emulator.events import DIRECT, Direction
from phone_emulator.phone.registration.servers import Servers
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.exchange import Draft
from phone_emulator.phone.wire.identity import Identity, new_call_id
from phone_emulator.phone.wire.quality_report import CONTENT_TYPE, EVENT, QualityReport
from phone_emulator.redundancy import Hop, Try, hops
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.headers import split
from phone_emulator.world import TimerHandle

from .call import Call
from .summary import SoundSummary


class QualityReports:
    """Sends the reports of one line.

    Args:
        seat: of the line.
        servers: walks to the collector.
    """

    def __init__(self, seat: Seat, servers: Servers) -> None:
        self._seat = seat
        self._servers = servers
        self._going: set[asyncio.Task[None]] = set()
        self._rings: dict[Call, TimerHandle] = {}
        """When the calls that are up are reported next."""
        self._closed = False

    def call_up(self, call: Call) -> None:
        """Both ends of *call* can talk: report it every now and then, where the cfg says so."""
        context = self._seat.context
        if context.config.interval_reports and context.sound_flows and self._collected:
            self._arm(call)

    def call_ended(self, call: Call) -> None:
        """*call* is over: report it, where the cfg says so."""
        ring = self._rings.pop(call, None)
        if ring is not None:
            ring.cancel()
        if self._seat.context.config.session_reports:
            self._tell(call, last=True)

    def _arm(self, call: Call) -> None:
        due = self._seat.now + self._seat.context.config.report_interval
        self._rings[call] = self._seat.tasks.call_at(due, partial(self._rang, call), "a report")

    def _rang(self, call: Call) -> None:
        self._arm(call)
        self._tell(call, last=False)

    @property
    def _collected(self) -> bool:
        """Whether there is anybody to report to."""
        return bool(self._seat.account.collector_host) and not self._closed

    def _tell(self, call: Call, *, last: bool) -> None:
        """Report *call*, where it had any sound, and there is a collector."""
        with self._seat.tasks.guarded(f"reporting the quality of {call.id}"):
            summary, dialog = call.voice.summary, call.dialog
            if summary is None or dialog is None or not self._collected:
                return
            report = _report(call, summary, dialog, last=last)
            task = self._seat.tasks.spawn(self._publish(report), f"the report on {call.id}")
            self._going.add(task)
            task.add_done_callback(self._going.discard)

    async def settled(self) -> None:
        """Wait until each report was answered, or nobody will."""
        if self._going:
            await asyncio.wait(self._going)

    def close(self) -> None:
        """Report no call that ends from now on."""
        self._closed = True

    async def _publish(self, report: QualityReport) -> None:
        seat = self._seat
        account, context = seat.account, seat.context
        first = hops(account)[0]
        identity = context.identity(account, first.identity)
        call_id = new_call_id(context.world.unguessable, account, context.host, identity.style)
        tag, body = context.endpoint.new_tag(), report.to_bytes()
        request = identity.publish(self._collector(identity), call_id, tag, EVENT, CONTENT_TYPE, body)
        draft = Draft(identity, request)

        async def send(step: Try) -> None:
            await seat.exchange.run(step.attempt, draft)

        there = Hop(
            DIRECT,
            account.collector_host,
            account.collector_port,
            first.transport_type,
            FailoverConfig(),
            first.identity,
        )
        await self._servers.follow(self._servers.walk("PUBLISH", (there,)), send)

    def _collector(self, identity: Identity) -> str:
        """The collector's URI, its port written as those of servers are."""
        account = self._seat.account
        host, port = account.collector_host, account.collector_port
        place = f"[{host}]" if ":" in host else host
        if identity.style.port_in_uri or port != 5060:
            place = f"{place}:{port}"
        return (
            identity.uri_of(f"{account.collector_name}@{place}") if account.collector_name else f"sip:{place}"
        )


def _report(call: Call, summary: SoundSummary, dialog: Dialog, *, last: bool) -> QualityReport:
    context = call.seat.context
    local, remote = _without_tag(dialog.local_address), _without_tag(dialog.remote_address)
    calls = call.direction is Direction.OUTGOING
    tags = (dialog.local_tag, dialog.remote_tag) if calls else (dialog.remote_tag, dialog.local_tag)
    began, up, over = context.world.began, call.answered_at, call.ended
    return QualityReport(
        last=last,
        call_id=dialog.call_id,
        from_tag=tags[0],
        to_tag=tags[1],
        local_id=local,
        remote_id=remote,
        caller_id=local if calls else remote,
        local=summary.local,
        remote=summary.remote,
        mac=context.device.mac,
        started=began + (call.started if up is None else up),
        stopped=began + (call.seat.now if over is None else over),
        heard=summary.heard,
        told=summary.told,
    )


def _without_tag(address: str) -> str:
    """What a From or a To says of who it is."""
    return split(address, ";")[0]
