"""What each kind of step does: one function a kind, and the table of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from phone_emulator.lab.calling import Refused, call_in
from phone_emulator.phone import Call, CallError, IncomingCall
from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to

from . import schema
from .model import Step
from .session import RefusedCall, Session

Action = Callable[[Session, Step, Any], Awaitable[None]]
"""Raises CallError when the phone cannot do it now."""


class NeverMade(CallError):
    """A step is about a call that there is not, since the step that was to make it failed."""


async def register(session: Session, step: Step, args: schema.RegisterStep) -> None:
    """Wait until the first cycle has ended, well or badly."""
    await session.phone.register(args.line)


async def unregister(session: Session, step: Step, args: schema.UnregisterStep) -> None:
    """Remove every live binding of the line, or of all lines."""
    phone = session.phone
    lines = phone.lines.values() if args.line is None else [phone.line(args.line)]
    for line in lines:
        await line.registrar.unregister()


async def call(session: Session, step: Step, args: schema.CallStep) -> None:
    """Place a call and wait for its result, unless in the background."""
    assert args.id is not None
    placed = session.phone.dial(args.to, args.line)
    session.calls[args.id] = placed
    if not args.background:
        await placed.settled()


async def hangup(session: Session, step: Step, args: schema.HangupStep) -> None:
    """End the call as its state asks for: BYE, CANCEL or a refusal."""
    await _call(session, args).hang_up()


async def answer(session: Session, step: Step, args: schema.AnswerStep) -> None:
    """Pick up an incoming call; wait for the result."""
    call = _incoming(session, args)
    call.answer()
    await call.settled()


async def reject(session: Session, step: Step, args: schema.RejectStep) -> None:
    """Refuse an incoming call."""
    _incoming(session, args).reject()


async def hold(session: Session, step: Step, args: schema.HoldStep) -> None:
    """Put the far end on hold."""
    await _call(session, args).hold()


async def resume(session: Session, step: Step, args: schema.ResumeStep) -> None:
    """Take the far end back."""
    await _call(session, args).resume()


async def transfer(session: Session, step: Step, args: schema.TransferStep) -> None:
    """Send the far end to a number, or join it with that of another call; wait for how it ends."""
    found = _call(session, args)
    if args.to is not None:
        await transfer_blind(found, args.to)
    else:
        await transfer_to(found, _named(session, args.other))


async def dtmf(session: Session, step: Step, args: schema.DtmfStep) -> None:
    """Press keys during a call."""
    await _call(session, args).send_dtmf(args.digits)


async def wait(session: Session, step: Step, args: schema.WaitStep) -> None:
    """Let time pass."""

    await asyncio.sleep(args.time)


async def incoming(session: Session, step: Step, args: schema.IncomingStep) -> None:
    """Somebody calls the phone; wait until it rings, or until the caller has been refused."""
    assert session.lab is not None
    assert args.id is not None
    try:
        call = await call_in(session.lab, session.phone, args.line, args.server, args.caller)
    except Refused as error:
        if isinstance(error.refused, Call):
            session.calls[args.id] = error.refused
        else:
            session.refused[args.id] = RefusedCall(error.refused)
        raise
    session.calls[args.id] = call


async def dns(session: Session, step: Step, args: schema.DnsStep) -> None:
    """Serve another zone, or none at all, from now on."""
    assert session.lab is not None
    if step.number in session.zones:
        session.lab.change_zone(session.zones[step.number])
    if args.behaviour is not None:
        await session.lab.dns_behave(args.behaviour)


async def server(session: Session, step: Step, args: schema.ServerStep) -> None:
    """Let a server behave differently from now on."""
    assert session.lab is not None
    await session.lab.behave(args.name, args.behaviour)


async def reboot(session: Session, step: Step, args: schema.RebootStep) -> None:
    """Restart the phone."""
    await session.reboot()


async def callee(session: Session, step: Step, args: schema.CalleeStep) -> None:
    """Let called users behave differently from now on."""
    assert session.lab is not None
    session.lab.callee.behaviour = args.behaviour


async def expect(session: Session, step: Step, args: schema.ExpectStep) -> None:
    """Do nothing: the expectation is judged."""


ACTIONS: dict[str, Action] = {
    "register": register,
    "unregister": unregister,
    "call": call,
    "hangup": hangup,
    "answer": answer,
    "reject": reject,
    "hold": hold,
    "resume": resume,
    "transfer": transfer,
    "dtmf": dtmf,
    "wait": wait,
    "incoming": incoming,
    "dns": dns,
    "server": server,
    "reboot": reboot,
    "callee": callee,
    "expect": expect,
}


def _call(session: Session, args: schema.OnCall) -> Call:
    return _named(session, args.call)


def _named(session: Session, name: str | None) -> Call:
    found = session.calls.get(name or "")
    if found is not None:
        return found
    refused = session.refused.get(name or "")
    if refused is not None:
        raise CallError(f"the call {name!r} was refused: {refused.reason}")
    raise NeverMade(f"the call {name!r} was never made")


def _incoming(session: Session, args: schema.OnCall) -> IncomingCall:
    found = _call(session, args)
    if not isinstance(found, IncomingCall):
        raise CallError(f"the call {args.call!r} is none that rings here")
    return found
