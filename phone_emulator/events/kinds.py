"""Everything that can be told, one dataclass a kind.

``at`` is always seconds since the world began (:meth:`phone_emulator.world.World.now`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .ending import Ended
from .numbers import MediaNumbers, in_words
from .route import Address, Attempt, Target, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened."""

    at: float
    """Seconds since the world began."""


# -- routes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """A request is about to leave for a target (or the target was passed over: the attempt has ended)."""

    line: int
    call: str | None
    """The id of the call, or None for a registration."""
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgressed(Event):
    """The request left once more, or a provisional response came."""

    line: int
    call: str | None
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """The attempt has its outcome."""

    line: int
    call: str | None
    attempt: Attempt


# -- registrations ---------------------------------------------------------------------------------------


class RegistrationState(StrEnum):
    """The state of a line's registration at one of its servers."""

    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    UNREGISTERING = "unregistering"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChanged(Event):
    """A line's registration at server 1 or 2 changed its state, its target or its lease."""

    line: int
    server: int
    state: RegistrationState
    target: Target | None
    """Where it is registered; None unless registered."""
    expires_at: float | None
    """When the binding lapses unless refreshed."""
    next_at: float | None
    """When the next REGISTER is due: refresh, retry or probe."""
    reason: str
    """One sentence for people."""
    unreachable: str = ""
    """Why calls may not reach the line there, for people: its connection is lost (R14); empty if they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChanged(Event):
    """The phone's own IP address is another one, has gone, or is back: DHCP, a VPN, another network."""

    before: tuple[str, ...]
    """Its addresses until now, one of each IP version at most; empty for none."""
    now: tuple[str, ...]
    """Its addresses from now on; empty for none: nothing can be sent."""
    reason: str
    """One sentence for people."""


# -- calls -----------------------------------------------------------------------------------------------


class Direction(StrEnum):
    """Who called."""

    OUTGOING = "outgoing"
    INCOMING = "incoming"


class CallState(StrEnum):
    """The state of a call, as the phone's screen would show it."""

    CALLING = "calling"
    """INVITE sent, nothing but 100 heard."""
    RINGING = "ringing"
    """The far end rings (outgoing), or this phone rings (incoming)."""
    TALKING = "talking"
    HELD = "held"
    """Held by this phone."""
    ENDING = "ending"
    """CANCEL or BYE sent, or waiting for leave to send it."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanged(Event):
    """A call began, changed its state or ended."""

    line: int
    call: str
    direction: Direction
    state: CallState
    remote: str
    """The number or URI at the far end."""
    reason: str
    """Why it is in this state, in one sentence for people."""
    ended: Ended | None = None
    """How it ended, where it has; an answer that is still awaited then is filled in when it comes."""
    missed: bool = False
    """Whether it came in, and has ended without anybody taking it, here or elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChanged(Event):
    """The far end holds a call or takes it back, is heard early, or no longer, or cannot be heard; or its
    sound is encrypted from now on, or not any more.
    """

    line: int
    call: str
    far_held: bool
    """Whether the far end holds the call."""
    early: bool
    """Whether the far end is heard before it answers: early media."""
    unspoken: str = ""
    """The codec of the call, where it cannot be spoken here and there is no sound; empty where it can."""
    withheld: str = ""
    """Why no sound is sent to where the far end wants it, for people; empty where it is."""
    encrypted: str = ""
    """The cipher of its sound, ``AES_CM_128_HMAC_SHA1_80``; empty where it is not encrypted."""
    keys_in_clear: bool = False
    """Whether the keys of that went where others could read them: not over TLS."""
    reason: str
    """What has changed, in one sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaMeasured(Event):
    """How the sound of a call fares: told every few seconds while it flows, and when the call is over."""

    line: int
    call: str
    codec: str
    """The encoding name of what was agreed: ``PCMU``, ``G722``."""
    encrypted: str
    """The cipher that was agreed; empty for none."""
    numbers: MediaNumbers
    """Since the call began."""
    last: bool
    """Whether the call is over."""

    def __str__(self) -> str:
        return in_words(self.codec, self.numbers, encrypted=bool(self.encrypted))


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpIgnored(Event):
    """RTP is neither heard nor taken for digits: another address than the far end's sends it, or the far end
    does, and its key does not fit.

    Told once for each of the first hosts that send some to a call, and once for a key.
    """

    line: int
    call: str
    remote: Address
    reason: str
    """Why, for people: who is heard, which setting rejects it, or that it cannot be decrypted."""

    def __str__(self) -> str:
        return f"sound from {self.remote} is not heard: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecsNotSpoken(Event):
    """The cfg enables codecs that cannot be spoken here; told once, when the phone starts."""

    line: int
    """The first line of which that is true."""
    codecs: tuple[str, ...]
    """As people call them."""
    offered: bool
    """Whether they are offered all the same (``--offer declared``)."""
    reason: str
    """What becomes of them, in one sentence for people."""


class TransferRole(StrEnum):
    """What this phone is in a transfer (RFC 5589 section 2)."""

    TRANSFEROR = "transferor"
    """It sends the far end to somebody else."""
    TRANSFEREE = "transferee"
    """It is sent to somebody else by the far end."""


class TransferState(StrEnum):
    """How far a transfer is."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferChanged(Event):
    """A transfer began or ended (RFC 3515)."""

    line: int
    call: str | None
    """The call that is transferred; None where a REFER came outside of calls."""
    role: TransferRole
    state: TransferState
    to: str
    """The number or URI that it is transferred to."""
    reason: str
    """Why it is in this state, in one sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallForwarded(Event):
    """An incoming call was sent elsewhere with a 302 (``forward.*``)."""

    line: int
    remote: str
    """Who called."""
    to: str
    reason: str
    """Which forward it was, in one sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefused(Event):
    """An incoming call was refused before it rang: forwarded, not to be disturbed, busy, not trusted …"""

    line: int
    remote: str
    """Who called."""
    status: int
    """What the INVITE was answered with."""
    reason: str
    """Why, in one sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesWaiting(Event):
    """The voice mail server told how many messages wait (RFC 3842)."""

    line: int
    waiting: bool
    new: int
    old: int


# -- subscriptions ---------------------------------------------------------------------------------------


class SubscriptionState(StrEnum):
    """How a subscription of the phone's stands (RFC 6665)."""

    ACTIVE = "active"
    PENDING = "pending"
    """The server has not decided yet."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionChanged(Event):
    """A subscription of the phone's began, was decided upon, or ended."""

    line: int
    event: str
    """The event package: ``message-summary``, ``dialog``, ``reg``."""
    about: str
    """Whose state it is: a number, empty for the line's own."""
    state: SubscriptionState
    target: Target | None
    """Where it is subscribed; None when it ended."""
    reason: str
    """One sentence for people."""


class LampState(StrEnum):
    """What a BLF key knows of the number that it watches."""

    UNKNOWN = "unknown"
    IDLE = "idle"
    CALLING = "calling"
    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlfChanged(Event):
    """The number that a BLF key watches has begun or ended a call, or nothing is known of it any more."""

    line: int
    key: int
    """X of ``linekey.X``."""
    number: str
    state: LampState
    remote: str
    """With whom; empty where that is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived(Event):
    """A text message came in (RFC 3428)."""

    line: int
    sender: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceChanged(Event):
    """Calls of the phone talk together, or do so no more: each far end hears the others."""

    calls: tuple[str, ...]
    """Those that talk together now, in the order in which they joined; empty where the conference is over."""
    reason: str
    """One sentence for people."""


class DigitWay(StrEnum):
    """How a digit comes."""

    INFO = "info"
    RFC4733 = "rfc4733"
    """As a telephone event in RTP."""
    IN_BAND = "inband"
    """As two tones in the sound itself."""


_DIGIT_WAYS = {
    DigitWay.INFO: "by INFO",
    DigitWay.RFC4733: "as a telephone event",
    DigitWay.IN_BAND: "in the sound",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived(Event):
    """The far end sent a DTMF digit; in RTP that is told as it begins."""

    line: int
    call: str
    digit: str
    duration: int
    """Milliseconds; 0 where it did not say."""
    by: DigitWay = DigitWay.INFO

    def __str__(self) -> str:
        return f"the far end pressed {self.digit} ({_DIGIT_WAYS[self.by]})"


class ToneKind(StrEnum):
    """What the phone itself lets its user hear."""

    RINGBACK = "ringback"
    """The far end rings."""
    BUSY = "busy"
    CONGESTION = "congestion"
    """The call cannot be made."""
    CALL_WAITING = "call waiting"
    """Somebody else calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneHeard(Event):
    """The user hears a tone of the phone's own, because of a call, or does so no more."""

    line: int
    call: str
    tone: ToneKind | None
    """None: the tone is over."""
    sound: str
    """Its frequencies and cadence as ``voice.tone.*`` writes them: ``440+480/2000,0/4000``."""
    seconds: float = 0.0
    """How long it lasts; 0: until the call stands differently."""

    def __str__(self) -> str:
        return "no tone any more" if self.tone is None else f"{self.tone} tone ({self.sound})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSound(Event):
    """The machine's microphone and loudspeaker have become the phone's handset, or cannot."""

    on: bool
    reason: str
    """Which, or why not, in one sentence for people."""


# -- provisioning ----------------------------------------------------------------------------------------


class ProvisioningState(StrEnum):
    """How far the phone is with a file, or with all of them."""

    STARTED = "started"
    FETCHED = "fetched"
    UNCHANGED = "unchanged"
    """The file is the one that the phone has already."""
    MISSING = "missing"
    """The server has no such file; the phone goes on with the next."""
    RETRYING = "retrying"
    FAILED = "failed"
    """Nothing was provisioned; the phone keeps what it has."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningStep(Event):
    """The phone went a step on its way to its own configuration."""

    state: ProvisioningState
    location: str
    """URL of the file, or of the server; without credentials."""
    reason: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSync(Event):
    """A NOTIFY told the phone to provision again (``sip.notify_reboot_enable``)."""

    remote: Address
    reboot: bool
    """Whether its Event header says ``reboot=true``."""


# -- wire ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(Event):
    """A SIP message left, byte for byte as on the wire."""

    local: Address
    remote: Address
    transport: Transport
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(Event):
    """A SIP message came in, byte for byte as on the wire."""

    local: Address
    remote: Address
    transport: Transport
    data: bytes
    remark: str = ""
    """What is unusual about its line ends, where they are taken; or why it was refused or ignored, which is
    filled in by who keeps messages, as `MessageIgnored` tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIgnored(Event):
    """Something that came in was refused or ignored, and why; or what should leave could not."""

    remote: Address
    transport: Transport
    reason: str
    data: bytes
    local: Address | None = None
    status: int | None = None
    """What a request was refused with; None for what is ignored."""
    outwards: bool = False
    """Whether it is one of this end's own messages, which could not be sent."""
    unread: bool = False
    """Whether it is no message, so that no `MessageReceived` told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswered(Event):
    """A name was looked up."""

    name: str
    rdtype: str
    """``A``, ``AAAA``, ``SRV``, ``NAPTR``."""
    source: str
    """``192.168.1.53:53/udp``, ``cache``, ``static``."""
    answer: str
    """What came, for people: ``2 records``, ``no such name``, ``no answer after 9.0 s``."""


# -- this program -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalFault(Event):
    """Something in this program raised what it should not. It goes on; what the work was for has failed."""

    work: str
    """What was being done: ``dialling``, ``the registration at server 1``."""
    owner: str
    """Whose work it was: ``call-1``, ``line 1``."""
    error: str
    """The exception in one line, without control characters."""
    traceback: str
    """Where, for whoever mends it."""

    def __str__(self) -> str:
        return f"internal fault in {self.work} of {self.owner}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage(Event):
    """The machine would not give what some work needed: a descriptor, memory, a port, room on a disk.

    The program goes on; what the work was for has failed, or waits until there is enough again.
    """

    work: str
    """As of an internal fault."""
    owner: str
    reason: str
    """What was not to be had, for people: ``too many open files``."""

    def __str__(self) -> str:
        return f"the machine would not: {self.reason} ({self.work} of {self.owner})"


# -- lab -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChanged(Event):
    """A server of the lab or of the simulated world behaves differently from now on."""

    server: str
    behaviour: str
