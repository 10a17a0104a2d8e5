"""The digits that are pressed in a call: in which ways they leave (``account.X.dtmf.type``)."""

from __future__ import annotations

from typing import Protocol

from phone_emulator.events import CallState
from phone_emulator.media import dtmf
from phone_emulator.phone.wire.credentials import words_of
from phone_emulator.phone.wire.errors import CallError

from .session import Dialogue, Session
from .voice import EVENTS_ONLY, IN_BAND, INFO_ONLY, VoiceError


class Pressing(Dialogue, Protocol):
    """A call, as far as its keypad looks at it."""

    session: Session


def check(call: Pressing, so: str) -> None:
    """Raise CallError, which says *so*, where no digit may leave now."""
    if call.state is not CallState.TALKING:
        raise CallError(f"the call is {call.state}: {so}")
    if call.session.far_held:
        raise CallError(f"the far end holds the call: {so}")


async def press(call: Pressing, digits: str) -> None:
    """Send *digits* of *call* as sound, RTP events, INFO, or both of the latter; raises CallError.

    They leave only in a way that the far end has agreed to. With both, INFO alone goes where it has not
    agreed to telephone events, and a far end that refuses INFO has got the events.
    """
    kind, key = call.seat.account.dtmf_type, f"account.{call.seat.account.index}.dtmf.type"
    try:
        for digit in digits:
            dtmf.event_of(digit)
    except dtmf.DtmfError as error:
        raise CallError(str(error)) from None
    in_band = kind == IN_BAND
    voice = call.session.voice
    barred = voice.refused_as_sound() if in_band else voice.refused_as_events(digits)
    if kind in (IN_BAND, EVENTS_ONLY) and barred:
        raise CallError(f"{barred}: no digits can be sent ({key} = {kind})")
    if kind not in (IN_BAND, EVENTS_ONLY):
        await _send_infos(call, digits, required=kind == INFO_ONLY or bool(barred))
    if kind != INFO_ONLY and not barred:
        if voice.unproven:
            await call.session.confirmed()  # no sound leaves before the ACK of a stranger
        check(call, "not every digit was sent")
        try:
            await voice.send_digits(digits, in_band=in_band)
        except VoiceError as error:
            raise CallError(str(error)) from None


async def _send_infos(call: Pressing, digits: str, *, required: bool) -> None:
    """Send an INFO for each of *digits*; one that is refused is no fault where none is *required*."""
    account, config = call.seat.account, call.seat.context.config
    await call.session.confirmed()  # no INFO overtakes the ACK
    for digit in digits:
        check(call, "not every digit was sent")
        content_type, body = dtmf.info_body(
            digit, config.dtmf_duration, account.dtmf_info_type, -config.dtmf_volume
        )
        response = await call.request_in_dialog("INFO", body, content_type)
        if response is None or response.status >= 300:
            if not required:
                return
            said = "no response" if response is None else words_of(response)
            raise CallError(f"the far end refused the digit {digit}: {said}")
