"""The media of one call: its session descriptions (RFC 3264) and its RTP."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import Address
from phone_emulator.media import dtmf, sdp
from phone_emulator.media.codecs import told_of_none, unspoken_titles
from phone_emulator.phone.wire.context import Context
from phone_emulator.world.base import WorldError

from .audio import Audio, AudioError

PORTS_TRIED = 10
"""RTP ports that one call tries before it gives up; another program may hold some of the range."""


class VoiceError(Exception):
    """The call's media cannot do that; the text says why, for people."""


class Agreement(NamedTuple):
    """Two session descriptions that belong together."""

    remote: bytes
    """The far end's: where it listens."""
    answer: bytes
    """The answer of the two, whose first format is the codec."""
    own: bytes
    """This end's: sound goes the ways that both descriptions allow."""


class Voice:
    """What one call says and hears.

    Args:
        context: the phone.
        account: its codecs, its DTMF.
    """

    def __init__(self, context: Context, account: AccountConfig) -> None:
        self._context = context
        self._account = account
        self._session_id = self._version = context.take_session_id()
        self._port = context.take_rtp_port()
        self.host = context.host
        """This end's IP address."""
        self.described = b""
        """This end's description that is in force."""
        self.far_held = False
        """Whether the far end wants to hear nothing."""
        self.unspoken = ""
        """What people call the agreed codec, where it cannot be spoken here; empty where it can."""
        self.audio: Audio | None = None
        """The RTP session, while the call has one."""

    @property
    def speechless(self) -> str:
        """Why this end has no codec to offer or to take; empty where it has."""
        if self._context.codecs(self._account):
            return ""
        return told_of_none([codec.name for codec in self._account.codecs])

    @property
    def pretends(self) -> str:
        """What is offered without being spoken here, for people; empty for nothing."""
        unspoken = unspoken_titles(self._context.codecs(self._account))
        if not unspoken:
            return ""
        return f"offers {', '.join(unspoken)}, which it cannot speak: --offer declared"

    async def open(self) -> None:
        """Open an RTP port of the configured range; raises VoiceError."""
        if self.audio is not None:
            return
        world, config = self._context.world, self._context.config
        problem = ""
        for _ in range(PORTS_TRIED):
            audio = Audio(
                world,
                Address(self.host, self._port),
                # In virtual time nobody listens, and fifty packets a second would be most of the work.
                stream=not world.virtual,
                dtmf_duration=config.dtmf_duration,
                dscp=config.audio_dscp,
            )
            try:
                await audio.open()
            except WorldError as error:
                problem = str(error)
                self._port = self._context.take_rtp_port()
            except Exception:
                audio.close()
                raise
            else:
                self.audio = audio
                return
        raise VoiceError(f"no RTP port is free: {problem}")

    async def speak_to(self, remote: str) -> bool:
        """Take the phone's address of the IP version of *remote*; whether it is another than before.

        Raises VoiceError when no RTP port is free there.
        """
        host = self._context.host_for(remote)
        if host == self.host:
            return False
        self.host = host
        if self.audio is not None:
            self.close()
            await self.open()
        return True

    def close(self) -> None:
        """Close the RTP port."""
        if self.audio is not None:
            self.audio.close()
            self.audio = None

    @property
    def hold_direction(self) -> str:
        """How a hold is offered (``account.X.hold_use_inactive``, ``sip.rfc2543_hold``)."""
        inactive = self._account.hold_use_inactive and not self._context.config.rfc2543_hold
        return "inactive" if inactive else "sendonly"

    def offer(self, direction: str = "sendrecv", *, again: bool = False) -> bytes:
        """An offer; *again* in the same session, whose version then counts on."""
        if again:
            self._version += 1
        account = self._account
        offer = sdp.offer(
            self.host,
            self._port,
            self._context.codecs(account),
            self._session_id,
            self._version,
            account.ptime,
            account.dtmf_payload,
            direction,
            order=self._context.device.style.sdp_order,
        )
        if self._context.config.rfc2543_hold and direction == "sendonly":
            # The old way says "send me nothing" by an address where nobody is (RFC 2543 appendix B.5).
            offer = sdp.held_the_old_way(offer)
        return offer

    def answer(self, offer: bytes, *, again: bool = False, held: bool = False) -> bytes | None:
        """The answer to *offer*, or None without a common codec; raises SdpError.

        Args:
            offer: of the far end.
            again: in the same session, whose version then counts on.
            held: the far end stays on hold.
        """
        version = self._version + again
        theirs = sdp.parse(offer)
        if theirs.audio is not None and theirs.audio.connection is None:
            raise sdp.SdpError(f"SDP: its audio has {sdp.NOWHERE}")
        if self.audio is None and theirs.audio is not None and theirs.audio.connection:
            self.host = self._context.host_for(theirs.audio.connection)
        answer = sdp.answer(
            theirs,
            self.host,
            self._port,
            self._context.codecs(self._account),
            self._session_id,
            version,
            self._account.dtmf_payload,
            held=held,
            order=self._context.device.style.sdp_order,
        )
        if answer is None:
            return None
        self._version = version
        return (
            answer.replace(b"a=sendonly", b"a=inactive")
            if held and self._account.hold_use_inactive
            else answer
        )

    def unanswerable(self, offer: bytes) -> str:
        """Why *offer* cannot be answered, for people; empty where it can."""
        try:
            if self.answer(offer) is not None:
                return ""
            audio = sdp.parse(offer).audio
        except sdp.SdpError as error:
            return f"the offer cannot be used: {error}"
        enabled = [codec.name for codec in self._account.codecs]
        common = [] if audio is None else [audio.codec(payload, enabled) for payload in audio.formats]
        unspoken = unspoken_titles(codec.name for codec in common if codec is not None)
        why = f": {', '.join(unspoken)} cannot be spoken here" if unspoken else ""
        return f"no common codec{why}"

    def connect(self, agreement: Agreement) -> bool:
        """Talk to the far end as negotiated; a description that cannot be read leaves the call silent.

        Returns:
            Whether the descriptions could be read, and there is audio in them.
        """
        remote, answer, own = agreement
        self.described = own
        with contextlib.suppress(sdp.SdpError):
            described = [sdp.parse(body) for body in (remote, answer, own)]
            theirs, agreed, ours = (sdp.audio_of(described[1], each) for each in described)
            if theirs is None or theirs.connection is None or agreed is None or ours is None:
                return False
            if agreed.proto not in sdp.PROFILES:  # another one than was offered
                return False
            if answer is own or ours.direction != "inactive":  # else its answer could say nothing else
                self.far_held = theirs.held
            if self.audio is None:
                return True
            spoken = agreed.formats[0]
            codec = agreed.codec(spoken)
            title = f"payload type {spoken}" if codec is None else codec.title
            self.unspoken = title if codec is None or codec.coder is None else ""
            events = agreed.dtmf(self._account.dtmf_payload)
            self.audio.set_remote(
                Address(theirs.connection, theirs.port),
                payload_type=int(spoken),
                codec=codec.name if codec is not None else "",
                dtmf_payload=int(events) if events is not None else self._account.dtmf_payload,
                direction=_common_way(ours.direction, sdp.MIRRORED[theirs.direction]),
            )
            return True
        return False

    def silence(self) -> None:
        """Hear and say nothing until `connect`."""
        self.unspoken = ""
        if self.audio is not None:
            self.audio.set_remote(None, direction="inactive")

    async def send_digits(self, digits: str) -> None:
        """Send *digits* as RTP telephone events (RFC 4733); raises VoiceError."""
        if self.audio is None:
            raise VoiceError("the call has no audio")
        try:
            await self.audio.send_dtmf(digits)
        except (AudioError, dtmf.DtmfError) as error:
            raise VoiceError(str(error)) from None


def _common_way(one: str, other: str) -> str:
    """The direction that two directions have in common, both as this end says them."""
    sends = "send" in one and "send" in other
    hears = "recv" in one and "recv" in other
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, hears), "inactive"
    )
