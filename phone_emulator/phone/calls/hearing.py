"""What comes in the RTP of a call: whose packets count, digits in them, and what is recorded."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Set

from phone_emulator.events import Address, DigitWay
from phone_emulator.media import dtmf, rtp
from phone_emulator.media.comfort import Noise
from phone_emulator.media.inband import InBandReceiver
from phone_emulator.media.playout import Buffer, Playout
from phone_emulator.media.reception import ReceptionStatistics
from phone_emulator.media.recording import Recording
from phone_emulator.media.resample import Resampler
from phone_emulator.media.senders import Senders
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech
from phone_emulator.media.srtp import Failure, Protection, SrtpError
from phone_emulator.media.tones import RATE

from .company import Company, PassingOn
from .tapped import Tapped

MOST_TOLD = 10
"""Hosts of whose packets is told that they do not count."""
UNDECRYPTED = "packets cannot be decrypted: the far end's key does not fit"
_STRAY = 10
"""Packets in a row that cannot be decrypted until that is told: a few may be strays, or a stranger's."""
LONGEST_NOISE = 10
"""Seconds of noise that one packet is good for."""
_DIGITS_KEPT = 1024


class Hearing:
    """One end's ear.

    Args:
        protection: what decrypts.
        senders: whose packets count.
        buffer: the jitter buffer.
        on_digit: called with each digit that the far end sends, as it begins, and in which way.
        on_stranger: called with the address of each of the first hosts whose packets do not count, and why;
            and once for a key that does not fit what the far end sends.
        on_problem: called with what went wrong, in words.
        on_own_ssrc: called with each packet of the far end that has this end's SSRC.
        cng: whether comfort noise is heard as noise, else as silence (``voice.cng``).
    """

    def __init__(
        self,
        protection: Protection,
        senders: Senders,
        buffer: Buffer | None,
        on_digit: Callable[[str, DigitWay], None],
        on_stranger: Callable[[Address, str], None],
        on_problem: Callable[[str], None],
        on_own_ssrc: Callable[[rtp.Packet], None],
        *,
        cng: bool = True,
    ) -> None:
        self._protection = protection
        self.senders = senders
        self._on_digit = on_digit
        self._on_stranger = on_stranger
        self._on_problem = on_problem
        self._on_own_ssrc = on_own_ssrc
        self.own_ssrc = -1
        """The SSRC of what this end sends."""
        self._cng = cng
        self.tapped: Tapped | None = None
        """Who is shown what comes."""
        self.at: float | None = None
        """When the far end's last RTP packet came in, once anything was agreed; None before the first."""
        self.reception = ReceptionStatistics()
        self.playout = Playout(buffer)
        self.codec = ""
        """The configuration name of what came last; empty before anything has."""
        self._up = False
        self.ignored = 0
        """Datagrams that were no RTP, and telephone events that were none."""
        self.strangers = 0
        """Packets of others than the far end."""
        self.undecrypted = 0
        """Packets of the far end that its key did not fit."""
        self._stray = 0
        """Packets in a row that could not be decrypted."""
        self._told: set[str] = set()
        """Hosts of whose packets was told that they do not count."""
        self.receives = False
        """Whether sound may come, as negotiated."""
        self._expected = False
        self._speeches: Mapping[int, Speech] = {}
        """By payload type, what may come."""
        self._events: Set[int] = frozenset()
        """The payload types of telephone events that may come."""
        self._comfort: Set[int] = frozenset()
        """The payload types of comfort noise that may come."""
        self._noise: tuple[Noise, rtp.Packet, float] | None = None
        """What is heard since that packet, which came then; None where the far end speaks."""
        self._in_band: InBandReceiver | None = None
        """What finds digits in what is heard; None where nobody listens for them."""
        self._to_8_khz = Resampler(RATE, RATE)
        self._passing_on: PassingOn | None = None
        """What lets the others of a conference hear it, too; None outside of one."""
        self._digit_receiver = dtmf.DigitReceiver()
        self._digits: deque[str] = deque(maxlen=_DIGITS_KEPT)
        self.recording: Recording | None = None
        """What is heard, since `record`."""
        self._record_until = 0.0

    @property
    def digits(self) -> str:
        """The digits that the far end sent, the last 1024 of them."""
        return "".join(self._digits)

    def agree(
        self,
        speeches: Mapping[int, Speech],
        events: Set[int],
        comfort: Set[int],
        *,
        receives: bool,
        expected: bool,
        in_band: bool,
        now: float,
    ) -> None:
        """Take over what was negotiated.

        Args:
            speeches: by payload type, what may come.
            events: the payload types of telephone events that may come.
            comfort: those of comfort noise.
            receives: whether sound may come.
            expected: whether the far end may be heard of, even with no sound.
            in_band: whether digits in the sound count, until a telephone event comes.
            now: seconds of the world.
        """
        self._speeches, self._events, self._comfort = speeches, events, comfort
        self.receives, self._expected = receives, expected
        self._in_band = (self._in_band or InBandReceiver()) if in_band else None
        self._follow(now)

    def expect(self, now: float) -> None:
        """The call is up: what is not heard from *now* on is silence."""
        self._up = True
        self._follow(now)

    def cease(self, now: float) -> None:
        """Somebody has hung up: what is not heard from *now* on is no silence."""
        self._up = False
        self._follow(now)

    def _follow(self, now: float) -> None:
        if self._up and self.receives:
            self.playout.expect(now)
        else:
            self.playout.cease(now)

    def new_key(self) -> None:
        """The far end has another key from now on, or none."""
        self._stray = 0

    def record(self, recording: Recording, until: float) -> None:
        """Keep what comes before *until* in *recording*."""
        if recording is not self.recording:
            self._noise = None
        self.recording, self._record_until = recording, until

    def records(self, now: float) -> Recording | None:
        """What keeps what comes at *now*; None for nothing."""
        return self.recording if now < self._record_until else None

    def join(self, company: Company | None) -> None:
        """What is heard from now on *company* hears too; None: nobody else does."""
        self._passing_on = None if company is None else PassingOn(company)

    def receive(self, data: bytes, remote: Address, now: float) -> None:
        """*data* came from *remote* at *now*: RTP, or something else that is counted and ignored."""
        wire, clear = data, None
        try:
            if self._protection.active:
                # Before the sender is looked at: whoever has no key never takes the far end's place.
                rtp.refuse_others(data)
                data = clear = self._protection.unprotect(data)
                self._stray = 0
            packet = rtp.parse(data)
            if not self.senders.admits(remote, now):
                self.passed_over(remote)
                return
            if self._expected:
                self.at = now
            if packet.ssrc == self.own_ssrc:
                self._on_own_ssrc(packet)
            fresh = self.reception.receive(packet, now, self._clock(packet.payload_type))
            if self.receives and fresh:
                self._hear(packet, now)
        except (rtp.RtpError, dtmf.DtmfError, SrtpError) as error:
            if isinstance(error, SrtpError) and error.failure is Failure.KEY:
                self._not_decrypted(remote, now)
            else:
                self.ignored += 1
            self._on_problem(f"ignored a datagram from {remote}: {error}")
        finally:
            if self.tapped is not None:
                self.tapped.received(remote, wire, clear)

    def _not_decrypted(self, remote: Address, now: float) -> None:
        """A packet of *remote* came under another key than that of the far end."""
        if not self.senders.would_admit(remote, now):
            self.passed_over(remote)
            return
        self.undecrypted += 1
        self._stray += 1
        if self._stray == _STRAY:
            self._on_stranger(remote, UNDECRYPTED)

    def passed_over(self, remote: Address) -> None:
        """A packet, of sound or of reports, came from *remote*, which is not the far end."""
        self.strangers += 1
        if remote.host not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(remote.host)
            self._on_stranger(remote, self.senders.why_not(remote))

    def _hear(self, packet: rtp.Packet, now: float) -> None:
        if packet.payload_type in self._events:
            self.playout.event(now)
            digit = self._digit_receiver.receive(packet)
            if digit is not None:
                self._in_band = None  # who sends events may leave some of the tone in the sound
                self._pressed(digit, DigitWay.RFC4733)
            return
        speech = self._speeches.get(packet.payload_type)
        recording = self.records(now)
        if speech is None:
            if packet.payload_type in self._comfort:
                self.playout.rest(now)
                self._fall_silent(packet, recording, now)
            return
        self.codec = speech.codec.name
        if not self.playout.takes(packet, now, speech.codec.clock):
            self.reception.discard(packet)
            return
        passing_on = self._passing_on
        if recording is None and self._in_band is None and passing_on is None:
            return
        clock = speech.codec.clock
        rate = recording.rate if recording else RATE if passing_on is None else passing_on.rate
        samples = speech.hear(packet.payload, packet.ssrc, rate)
        if passing_on is not None:
            passing_on.hear(packet, Sound(rate, samples), clock, now)
        if recording is not None:
            self._write_noise(packet, recording, clock)
            recording.hear(packet, samples, now, clock)
        if self._in_band is not None:
            if self._to_8_khz.rate != rate:
                self._to_8_khz = Resampler(rate, RATE)
            for digit in self._in_band.receive(packet, self._to_8_khz.feed(samples), clock):
                self._pressed(digit, DigitWay.IN_BAND)

    def _fall_silent(self, packet: rtp.Packet, recording: Recording | None, now: float) -> None:
        """The far end sends no sound from *packet* on, which says how loud the noise is instead of it."""
        if recording is not None:
            self._write_noise(packet, recording, self.reception.clock)
        self._noise = Noise(packet.payload if self._cng else b""), packet, now
        if self._in_band is not None:
            self._in_band.receive(packet, array("h"), self.reception.clock)

    def _write_noise(self, packet: rtp.Packet, recording: Recording, clock: int) -> None:
        """Record what was heard in place of sound until *packet* came."""
        if self._noise is None:
            return
        (noise, since, at), self._noise = self._noise, None
        gap = rtp.elapsed(packet.timestamp, since.timestamp)
        if packet.ssrc == since.ssrc and 0 < gap <= LONGEST_NOISE * clock:
            recording.hear(since, noise.samples(gap * recording.rate // clock), at, clock)

    def _clock(self, payload_type: int) -> int | None:
        """Ticks of timestamps a second of what comes as *payload_type*; None: as what came before."""
        speech = self._speeches.get(payload_type)
        return None if speech is None else speech.codec.clock

    def _pressed(self, digit: str, by: DigitWay) -> None:
        self._digits.append(digit)
        self._on_digit(digit, by)
