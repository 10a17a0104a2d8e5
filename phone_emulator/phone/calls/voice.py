"""The media of one call: its session descriptions (RFC 3264) and its RTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import Address, DigitWay
from phone_emulator.events.numbers import MediaNumbers
from phone_emulator.media import dtmf, opus, sdp
from phone_emulator.media.codecs import told_of_none, unspoken_titles
from phone_emulator.media.crypto import Crypto, Key, OptionalSrtp, Srtp, Suite, suites_called
from phone_emulator.media.negotiation import NO_ADDRESS, Agreed, Fault, Unusable, negotiated
from phone_emulator.media.playout import Buffer
from phone_emulator.media.recording import Recording
from phone_emulator.media.senders import Senders, Symmetric
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.context import Context
from phone_emulator.phone.wire.known import Sources
from phone_emulator.scarcity import is_scarce
from phone_emulator.sip.warning import warning
from phone_emulator.world.base import WorldError

from .audio import COMFORT, EVENTS, NO_EVENTS, NO_SOUND, Audio
from .company import Company
from .digits import AudioError, DigitStyle
from .reports import ReportStyle
from .summary import SoundSummary, summarized

KEPT = 600.0
"""Seconds of a call that are kept where somebody listens."""
PORTS_TRIED = 10
"""RTP ports that one call tries before it gives up; another program may hold some of the range."""
IN_BAND, EVENTS_ONLY, INFO_ONLY = 0, 1, 2
"""``account.X.dtmf.type``: how digits are sent; 3 is both of the latter."""


class VoiceError(Exception):
    """The call's media cannot do that; the text says why, for people."""


class Agreement(NamedTuple):
    """An offer and its answer."""

    offer: bytes
    answer: bytes
    answered_here: bool
    """Whether the offer is the far end's."""

    @property
    def own(self) -> bytes:
        """This end's description."""
        return self.answer if self.answered_here else self.offer


class Voice:
    """What one call says and hears.

    Args:
        context: the phone.
        account: its codecs, its DTMF.
        sources: of its call's dialogs.
        on_stranger: called with the address of each of the first hosts whose RTP does not count, and why.
        on_digit: called with each digit that the far end sends in RTP, and in which way.
    """

    def __init__(
        self,
        context: Context,
        account: AccountConfig,
        sources: Sources,
        on_stranger: Callable[[Address, str], None] = lambda source, why: None,
        on_digit: Callable[[str, DigitWay], None] = lambda digit, by: None,
    ) -> None:
        self._context = context
        self._account = account
        self._sources = sources
        self._on_stranger = on_stranger
        self._on_digit = on_digit
        self._session_id = self._version = context.take_session_id()
        self._port = context.take_rtp_port()
        self.host = context.host
        """This end's IP address."""
        self.described = b""
        """This end's description that is in force."""
        self.far_held = False
        """Whether the far end wants to hear nothing."""
        self.agreed: Agreed | None = None
        """What both ends have agreed on last; None before that, and while nothing is to be said."""
        self.audio: Audio | None = None
        """The RTP session, while the call has one."""
        self._numbers: MediaNumbers | None = None
        """How the last one fared."""
        self._summary: SoundSummary | None = None
        """The sum of it, kept where a call is reported when it is over."""
        self.heard: Recording | None = None
        """What was heard, since anything was agreed; None where nobody listens (`PhoneOptions.listens`)."""
        self.said: Recording | None = None
        """What was said, as the far end hears it where nothing is lost; likewise."""
        self.withheld = ""
        """Why no sound is sent to where the far end wants it, for people; empty where it is."""
        self._company: Company | None = None
        """The others of a conference; None outside of one."""
        self._keys: dict[Suite, Key] = {}
        """What this end's sound is encrypted with, by cipher: the same as long as its address is the same."""
        self._two_lines = False
        """Whether this end has offered two lines."""
        self._profile = ""
        """The transport of the audio line that was agreed on last."""
        self.script: bytes | None = None
        """What goes out in place of this end's own description: a called user of the lab says anything."""
        unspoken = ", ".join(unspoken_titles(context.codecs(account)))
        self.pretends = f"offers {unspoken}, which it cannot speak: --offer declared" if unspoken else ""
        """What is offered without being spoken here, for people; empty for nothing."""

    @property
    def speechless(self) -> str:
        """Why this end has no codec to offer or to take; empty where it has."""
        if not self._context.codecs(self._account):
            return told_of_none([codec.name for codec in self._account.codecs])
        return told_of_no_cipher(self._account) if self.insists and not self._suites else ""

    @property
    def insists(self) -> str:
        """That nothing is said in the clear, for people; empty where it may be."""
        if self._srtp is not Srtp.COMPULSORY:
            return ""
        key = f"account.{self._account.index}.srtp_encryption = {self._account.srtp_encryption}"
        return f"encryption is compulsory ({key})"

    @property
    def encrypted(self) -> str:
        """The cipher that was agreed; empty for none."""
        security = None if self.agreed is None else self.agreed.security
        return "" if security is None else security.suite.name

    @property
    def _srtp(self) -> Srtp:
        return self._context.device.style.srtp[self._account.srtp_encryption]

    @property
    def _suites(self) -> list[Suite]:
        """The ciphers that this end takes, the preferred first."""
        return [] if self._srtp is Srtp.OFF else suites_called(self._account.srtp_ciphers)[0]

    def _own_keys(self) -> dict[Suite, Key]:
        """What this end's sound is encrypted with, by cipher, the preferred first."""
        chance = self._context.world.unguessable
        for suite in self._suites:
            if suite not in self._keys:
                self._keys[suite] = Key(chance.randbytes(suite.octets))
        return {suite: self._keys[suite] for suite in self._suites}

    def _profiles(self, *, again: bool) -> tuple[str, ...]:
        """The transports that are offered; *again*: in a session that goes on as it was agreed."""
        if self._srtp is Srtp.COMPULSORY:
            return ("RTP/SAVP",)
        if self._srtp is Srtp.OFF or not self._suites:
            return ("RTP/AVP",)
        if (
            again and self._profile and not self._two_lines
        ):  # no line may be missing that was there (RFC 3264)
            return (self._profile,)
        self._two_lines = self._context.optional_srtp is OptionalSrtp.TWO_LINES
        return ("RTP/SAVP", "RTP/AVP") if self._two_lines else ("RTP/AVP",)

    @property
    def unspoken(self) -> str:
        """What people call the agreed codec, where it cannot be spoken here; empty where it can."""
        return "" if self.agreed is None else self.agreed.unspoken

    async def open(self) -> None:
        """Open an RTP port of the configured range; raises VoiceError."""
        if self.audio is not None:
            return
        world, config = self._context.world, self._context.config
        audio = Audio(
            world,
            Address(self.host, self._port),
            stream=self._context.sound_flows,
            digit_style=DigitStyle(
                config.dtmf_duration, config.dtmf_interval, config.dtmf_repetition, -config.dtmf_volume
            ),
            vad=config.vad,
            cng=config.cng,
            dscp=config.audio_dscp,
            senders=Senders(Symmetric(config.rtp_symmetric), negotiated_only=config.trust_ctrl),
            buffer=Buffer(
                config.jitter_adaptive,
                config.jitter_min / 1000,
                config.jitter_normal / 1000,
                config.jitter_max / 1000,
            ),
            reports=self.report_style if self._context.sound_flows else None,
            on_stranger=self._on_stranger,
            on_digit=self._on_digit,
            tap=self._context.bus.tap,
        )
        await self._bind(audio, audio.open)
        audio.join(self._company)
        self.audio = audio

    @property
    def report_style(self) -> ReportStyle | None:
        """What RTCP is like; None where the cfg has none."""
        config = self._context.config
        if not config.rtcp:
            return None
        name = config.rtcp_cname or f"{self._account.user_name}@{self.host}"
        return ReportStyle(name, extended=config.rtcp_xr)

    async def move(self, remote: str) -> None:
        """Go on at the phone's present address, that of the IP version of *remote*; raises VoiceError."""
        self.host = self._context.host_for(remote)
        self._keys.clear()  # another address has other keys (RFC 4568 section 7.1.4)
        if self.audio is not None:
            await self._bind(self.audio, self.audio.move)

    async def _bind(self, audio: Audio, bind: Callable[[Address], Awaitable[None]]) -> None:
        """Have *audio* at a port of the configured range, by *bind*; raises VoiceError."""
        if self._context.absent:
            raise VoiceError(self._context.absent)
        problem = ""
        for _ in range(PORTS_TRIED):
            try:
                await bind(Address(self.host, self._port))
            except WorldError as error:
                problem = str(error)
                if is_scarce(error):
                    break
                self._port = self._context.take_rtp_port()
            except Exception:
                audio.close()
                raise
            else:
                return
        problem = f"no RTP port is free: {problem}"
        self._context.world.faults.tell_shortage(problem, "the sound", f"a call at {self.host}")
        raise VoiceError(problem)

    async def speak_to(self, remote: str) -> bool:
        """Take the phone's address of the IP version of *remote*; whether it is another than before.

        Raises VoiceError when no RTP port is free there.
        """
        host = self._context.host_for(remote)
        if host == self.host:
            return False
        self.host = host
        self._keys.clear()  # see `move`
        if self.audio is not None:
            self.close()
            await self.open()
        return True

    def leave(self) -> None:
        """Say and hear nothing until `move`: there is no address."""
        if self.audio is not None:
            self.audio.leave()

    def close(self) -> None:
        """Close the RTP port."""
        audio, config = self.audio, self._context.config
        if audio is None:
            return
        try:
            self._numbers = audio.numbers
            if config.session_reports:
                self._summary = summarized(audio, self.agreed, vad=config.vad)
        finally:
            audio.close()
            self.audio = None

    @property
    def numbers(self) -> MediaNumbers | None:
        """How its sound has fared so far, in the end, too; None before there is an RTP session."""
        return self._numbers if self.audio is None else self.audio.numbers

    @property
    def summary(self) -> SoundSummary | None:
        """The sum of its sound so far, in the end, too, where that is reported; None where there was none."""
        if self.audio is None:
            return self._summary
        return summarized(self.audio, self.agreed, vad=self._context.config.vad)

    def as_told(self, body: bytes) -> bytes:
        """A description of this end, as it goes out in an answer."""
        return self.script if body and self.script is not None else body

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
            fmtps={"opus": opus.fmtp(self._account.opus_para)},
            cryptos=[Crypto(tag, *each) for tag, each in enumerate(self._own_keys().items(), 1)],
            profiles=self._profiles(again=again),
        )
        if self._context.config.rfc2543_hold and direction == "sendonly":
            # The old way says "send me nothing" by an address where nobody is (RFC 2543 appendix B.5).
            offer = sdp.held_the_old_way(offer)
        return offer

    def answer(self, offer: bytes, *, again: bool = False, held: bool = False) -> bytes:
        """The answer to *offer*; raises Unusable where there is none.

        Args:
            offer: of the far end.
            again: in the same session, whose version then counts on.
            held: the far end stays on hold.
        """
        version = self._version + again
        try:
            theirs = sdp.parse(offer)
        except sdp.SdpError as error:
            raise Unusable(f"the offer cannot be used: {error}") from None
        if theirs.audio is not None and theirs.audio.connection is None:
            raise Unusable(f"the offer cannot be used: SDP: its audio has {NO_ADDRESS}")
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
            ptime=self._account.ptime,
            order=self._context.device.style.sdp_order,
            fmtps={"opus": opus.fmtp(self._account.opus_para)},
            srtp=self._srtp,
            keys=self._own_keys(),
            rtcp_mux=self._context.config.rtcp,
        )
        if answer is None:
            raise self._nothing_common(theirs)
        try:
            negotiated(offer, answer, answered_here=True)
        except Unusable as error:
            raise Unusable(f"the offer cannot be used: it is {error}", error.fault) from None
        self._version = version
        return (
            answer.replace(b"a=sendonly", b"a=inactive")
            if held and self._account.hold_use_inactive
            else answer
        )

    def _nothing_common(self, theirs: sdp.Sdp) -> Unusable:
        """What there is to say of an offer that no codec of this end answers."""
        audio = theirs.audio
        if audio is None:
            return Unusable("no common codec: the offer has no audio", Fault.MEDIA_TYPE)
        lines = [media for media in theirs.media if media.spoken and media.proto in sdp.PROFILES]
        plain = [media for media in lines if not media.secure]
        if not plain and (not lines or self._srtp is Srtp.OFF):
            return Unusable("no common codec: the audio is not plain RTP (RTP/AVP)", Fault.TRANSPORT)
        codecs = self._context.codecs(self._account)
        if any(media.codec(payload, codecs) for media in lines for payload in media.formats):
            return Unusable(self._no_common_key(lines), Fault.TRANSPORT)
        enabled = [codec.name for codec in self._account.codecs]
        common = [audio.codec(payload, enabled) for payload in audio.formats]
        unspoken = unspoken_titles(codec.name for codec in common if codec is not None)
        why = f": {', '.join(unspoken)} cannot be spoken here" if unspoken else ""
        return Unusable(f"no common codec{why}", Fault.MEDIA_FORMAT)

    def _no_common_key(self, lines: list[sdp.Media]) -> str:
        """Why none of the audio *lines* of an offer, which has a common codec, can be encrypted as wanted."""
        if not self._suites:
            return told_of_no_cipher(self._account)
        cryptos = [crypto.suite.name for media in lines for crypto in media.cryptos]
        if cryptos:
            taken = ", ".join(suite.name for suite in self._suites)
            why = (
                f"no common cipher: the offer has {', '.join(dict.fromkeys(cryptos))}; this phone has {taken}"
            )
        else:
            wrong = next((media.crypto_fault for media in lines if media.crypto_fault), "")
            why = (
                f"the offer's key (a=crypto) cannot be used: {wrong}"
                if wrong
                else "the offer has no key (a=crypto)"
            )
        return f"{why}: {self.insists}" if self.insists else why

    def refusal(self, offer: bytes) -> Answer | None:
        """The 488 to a request with *offer* that cannot be answered (RFC 3261 section 13.3.1.3), else None.

        An empty *offer* asks this end for one.
        """
        try:
            if offer:
                self.answer(offer)
            elif self.speechless:
                raise Unusable(self.speechless, Fault.MEDIA_FORMAT)
        except Unusable as error:
            return self.not_acceptable(error)
        return None

    def not_acceptable(self, error: Unusable) -> Answer:
        """The 488 for *error*; its Warning says why."""
        return Answer(488, (warning(str(error), self.host, error.fault),), why=str(error))

    def connect(self, agreement: Agreement) -> None:
        """Talk to the far end as negotiated; raises Unusable where nothing can be: it goes on as before."""
        self.described = agreement.own
        agreed = negotiated(agreement.offer, agreement.answer, answered_here=agreement.answered_here)
        if agreed.far_held is not None:
            self.far_held = agreed.far_held
        if self.audio is None:
            return
        self.agreed, self._profile = agreed, agreed.profile
        heard = {payload: codec.name for payload, codec in agreed.heard.items()}
        if agreed.events_heard is not None:
            heard[agreed.events_heard] = EVENTS
        heard |= dict.fromkeys(agreed.comfort, COMFORT)
        self.withheld = ""
        if agreed.host not in sdp.UNSPECIFIED and not self._sources.may_have_sound(agreed.host):
            self.withheld = f"no sound is sent to {agreed.host}, which only a stranger names"
        self.audio.set_remote(
            Address(agreed.host, agreed.port),
            payload_type=agreed.payload,
            codec=agreed.codec.name,
            dtmf_payload=agreed.events_sent,
            heard=heard,
            direction=agreed.direction,
            terms=agreed.terms,
            ptime=agreed.ptime,
            mute=bool(self.withheld) or self.unproven,
            in_band=self._account.dtmf_type == IN_BAND or agreed.events_heard is None,
            security=agreed.security,
            rtcp=self._place_of_rtcp(agreed),
            rtcp_mux=agreed.rtcp_mux,
        )
        self._listen(self.audio)

    def _listen(self, audio: Audio) -> None:
        """Keep what is said and heard, where somebody listens; it goes on with the next RTP session."""
        if not self._context.listens:
            return
        if self.heard is None or self.said is None:
            now = self._context.world.now()
            self.heard, self.said = (Recording(audio.rate, now, KEPT) for _ in range(2))
        audio.keep(self.heard, self.said)

    def _place_of_rtcp(self, agreed: Agreed) -> Address | None:
        """Where reports go: no other host than one that may be sent sound."""
        if agreed.rtcp is None or not self._sources.may_have_sound(agreed.rtcp[0]):
            return None
        return Address(*agreed.rtcp)

    def expect(self) -> None:
        """The call is up: from now on silence of the far end counts."""
        if self.audio is not None:
            self.audio.expect()

    def cease(self) -> None:
        """Somebody has hung up: silence of the far end counts no more."""
        if self.audio is not None:
            self.audio.cease()

    @property
    def unproven(self) -> bool:
        """Whether the far end has not shown yet to be there: anybody can call in a server's name."""
        return not self._sources.proven

    def prove(self) -> None:
        """The far end may have sent back what only this end could tell it."""
        if self._sources.proven and self.audio is not None and not self.withheld:
            self.audio.unmute()

    def silence(self) -> None:
        """Hear and say nothing until `connect`."""
        self.agreed, self.withheld = None, ""
        if self.audio is not None:
            self.audio.set_remote(None, direction="inactive")

    def hush(self, *, hushed: bool) -> None:
        """Say nothing, though something may go out: this end holds the far end, or does so no more."""
        if self.audio is not None:
            self.audio.hush(hushed=hushed)

    def join(self, company: Company | None) -> None:
        """Let the far end hear *company* too, and be heard by it; None: it is alone with this phone again."""
        self._company = company
        if self.audio is not None:
            self.audio.join(company)

    def refused_as_events(self, digits: str) -> str:
        """Why *digits* cannot go out as telephone events, for people; empty where they can (RFC 4733)."""
        if self.withheld:
            return self.withheld
        if self.agreed is None or self.agreed.events_sent is None:
            return NO_EVENTS
        odd = [digit for digit in digits.upper() if digit not in self.agreed.digits]
        return f"the far end takes no {odd[0]} as a telephone event" if odd else ""

    def refused_as_sound(self) -> str:
        """Why no digits can go out in the sound itself, for people; empty where they can."""
        if self.withheld:
            return self.withheld
        return NO_SOUND if self.agreed is None or self.unspoken else ""

    async def send_digits(self, digits: str, *, in_band: bool = False) -> None:
        """Send *digits* as RTP telephone events (RFC 4733), or *in_band* as sounds; raises VoiceError."""
        if self.audio is None:
            raise VoiceError("the call has no audio")
        try:
            await self.audio.send_dtmf(digits, in_band=in_band)
        except (AudioError, dtmf.DtmfError) as error:
            raise VoiceError(str(error)) from None


def told_of_no_cipher(account: AccountConfig) -> str:
    """Why a line that wants encryption has nothing to encrypt with."""
    named = ", ".join(suites_called(account.srtp_ciphers)[1]) or "none"
    return f"nothing can be encrypted: account.{account.index}.srtp.cipher_list names {named}"
