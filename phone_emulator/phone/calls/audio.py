"""The audio of one call: RTP out and in over the world, RTCP beside it.

Theory of operation: while there is something to send, a timer of the world ticks every 20 ms, or as often as
the far end wants it, and sends one packet: of a digit if digits wait, as a telephone event or as a sound,
else of what is played, else silence. RTP timestamps are the ticks' own due times, so they stay exact when the
machine is late. With nothing to send there is no tick: in virtual time an idle call costs nothing. There are
no tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from phone_emulator.events import Address, DigitWay, Tap
from phone_emulator.events.numbers import MediaNumbers, SentNumbers
from phone_emulator.media import comfort, dtmf, rtp
from phone_emulator.media.codecs import CODECS, LONGEST
from phone_emulator.media.coder import UNSAID, Terms
from phone_emulator.media.crypto import Security
from phone_emulator.media.inband import DigitTones
from phone_emulator.media.mixer import mixed
from phone_emulator.media.numbers import all_losses, measured, voip_metrics
from phone_emulator.media.playout import Buffer
from phone_emulator.media.recording import Recording
from phone_emulator.media.resample import Resampler
from phone_emulator.media.rtcp import is_rtcp
from phone_emulator.media.senders import Senders
from phone_emulator.media.sound import Sound
from phone_emulator.media.source import Source
from phone_emulator.media.speech import Speech
from phone_emulator.media.srtp import Protection, SrtpError
from phone_emulator.media.xr import VoipMetrics
from phone_emulator.world import DatagramSocket, SendFailed, Tasks, TimerHandle, World, WorldError, as_reason

from .company import Company
from .digits import AudioError, Digits, DigitStyle
from .hearing import Hearing
from .reports import ENDED, NEW_SSRC, Reports, ReportStyle
from .tapped import Tapped

COMFORT = comfort.ENCODING
"""What stands for comfort noise where codecs have their names."""
EVENTS = "telephone-event"
"""What stands for telephone events where codecs have their names."""
NO_EVENTS = "the far end has not agreed to telephone events (RFC 4733)"
NO_SOUND = "no codec is agreed that can be spoken here"
NOWHERE = "nothing may be sent to where the far end wants it"
FIRST_ENCRYPTED = 0x7FFF
"""The highest sequence number that encrypted sound begins with: no wrap is among the first packets, which may
be lost and leave the far end with another roll-over counter (RFC 4568 section 6.4)."""
_LATE = 0.2
"""Seconds behind its time after which a stream leaves out what it missed, instead of hurrying."""
_SILENCE = Sound(dtmf.CLOCK)


@dataclass(frozen=True, slots=True)
class AudioCounts:
    """What went and came; octets are of payload, as in RTCP's reports."""

    sent: int
    sent_octets: int
    received: int
    received_octets: int
    lost: int
    jitter: float
    """Seconds (RFC 3550 section 6.4.1)."""
    ignored: int
    """Datagrams that were no RTP, and telephone events that were none."""
    strangers: int
    """Packets of others than the far end (`Senders`)."""
    problem: str
    """The last thing that went wrong, in words; empty for none."""
    undecrypted: int = 0
    """Packets of the far end that its key did not fit."""
    reports_ignored: int = 0
    """Datagrams at the port of RTCP that were none, or that the far end's key did not fit."""


@dataclass(frozen=True, slots=True)
class _Remote:
    """Where to, and how, as negotiated."""

    address: Address
    payload_type: int
    speech: Speech | None
    """None: a codec that cannot be spoken here; telephone events still go both ways."""
    dtmf_payload: int | None
    """None: no telephone events are agreed."""
    ptime: int
    """Milliseconds from packet to packet."""

    @property
    def clock(self) -> int:
        """Ticks of timestamps a second; telephone events are part of the stream (RFC 4733 section 2.1)."""
        return dtmf.CLOCK if self.speech is None else self.speech.codec.clock


class Audio:
    """An RTP session; nothing is sent before `open` and `set_remote`.

    Args:
        world: where it lives.
        local: the address and RTP port; port 0 takes a free one.
        stream: whether silence is sent when there is nothing else, as a real phone does. Costs 50 packets
            a second, or what the far end asks for, in virtual time too.
        digit_style: what the digits are like that it sends.
        vad: whether silence is not sent (``voice.vad``).
        cng: whether comfort noise of the far end is heard as noise, else as silence (``voice.cng``).
        dscp: 0..63, how RTP packets are marked (``static.network.qos.audiotos``).
        on_digit: called with each digit that the far end sends, as it begins, and in which way.
        senders: whose packets count.
        buffer: the jitter buffer (``voice.jib``).
        reports: what its RTCP is like, on the port above; None: there is none.
        on_stranger: called with the address of each of the first hosts whose packets do not, and why; and
            once for a key that does not fit what the far end sends.
        tap: is shown each datagram.
    """

    def __init__(
        self,
        world: World,
        local: Address,
        *,
        stream: bool = False,
        digit_style: DigitStyle | None = None,
        vad: bool = False,
        cng: bool = True,
        dscp: int = 0,
        on_digit: Callable[[str, DigitWay], None] = lambda digit, by: None,
        senders: Senders | None = None,
        buffer: Buffer | None = None,
        reports: ReportStyle | None = None,
        on_stranger: Callable[[Address, str], None] = lambda source, why: None,
        tap: Tap | None = None,
    ) -> None:
        self._world = world
        self._local = local
        self._stream = stream
        self._dscp = dscp
        self._activity = comfort.Activity() if vad else None
        self._socket: DatagramSocket | None = None
        self._closed = False
        self._problem = ""
        self._sends = self._muted = False
        self._remote: _Remote | None = None
        self._rtcp: Address | None = None
        """Where the far end listens for RTCP."""
        self._rtcp_mux = False
        self._hushed = False
        self._speech: Speech | None = None
        """What is said; None in a codec that cannot be spoken here."""
        self._speeches: dict[str, Speech] = {}
        """By the codec's name, what was agreed last of what can be spoken."""
        self._protection = Protection()
        self._security: Security | None = None
        self.source = Source(0, 0, 0)
        """What it sends."""
        self._tasks = Tasks(world, f"the sound at {local}", self._fault)
        self._tick: TimerHandle | None = None
        self._due = 0.0
        self._pausing = True
        """Whether the next audio packet is the first after a pause, which has the marker."""
        self._playing = _SILENCE
        self._played = 0
        self._company: Company | None = None
        """The others of a conference, whom the far end hears; None outside of one."""
        self._into_company = Resampler(_SILENCE.rate, _SILENCE.rate)
        self._repeat = 0
        """After how many samples what is played begins again; 0: it does not."""
        self._said: Recording | None = None
        """What keeps what is said."""
        self._own_ear: Speech | None = None
        """What hears that, as the far end does."""
        self.passages: Callable[[], Sequence[float]] | None = None
        """How late each copy of the next packet leaves, in seconds; none: it gets lost. None: no harm."""
        self._digits = Digits(digit_style or DigitStyle())
        self._sent = self._sent_octets = 0
        self._senders = senders or Senders()
        self.hearing = Hearing(
            self._protection,
            self._senders,
            buffer,
            on_digit,
            on_stranger,
            self.tell_problem,
            self._own_ssrc_came,
            cng=cng,
        )
        """What comes in."""
        self._tapped = None if tap is None else Tapped(tap, world, local)
        self.hearing.tapped = self._tapped
        self._reports = (
            None if reports is None else Reports(world, self._tasks, reports, self._protection, self, tap)
        )
        self._renew_source()

    # -- what people see -----------------------------------------------------------------------------------

    @property
    def local(self) -> Address:
        """Where it listens, with the real port once it is open."""
        return self._socket.local if self._socket else self._local

    @property
    def counts(self) -> AudioCounts:
        """What went and came so far."""
        hearing = self.hearing
        return AudioCounts(
            self._sent,
            self._sent_octets,
            hearing.reception.packets,
            hearing.reception.octets,
            hearing.reception.lost,
            hearing.reception.jitter,
            hearing.ignored,
            hearing.strangers,
            self._problem,
            hearing.undecrypted,
            0 if self._reports is None else self._reports.ignored,
        )

    @property
    def numbers(self) -> MediaNumbers:
        """How its sound has fared so far, both ways."""
        hearing, reports = self.hearing, self._reports
        told = None if reports is None else reports.told
        sent = SentNumbers(
            packets=self._sent,
            octets=self._sent_octets,
            lost=None if told is None else told.lost,
            jitter=None if told is None else told.jitter / self.clock,
        )
        round_trip = None if reports is None else reports.round_trip
        return measured(
            hearing.codec, hearing.reception, hearing.playout, self._world.now(), sent, round_trip
        )

    @property
    def metrics_told(self) -> VoipMetrics | None:
        """What the far end has told of this end's sound in an extended report (RFC 3611), if anything."""
        return None if self._reports is None else self._reports.metrics_told

    @property
    def heard_at(self) -> float | None:
        """When the far end's last RTP packet came in, once anything was agreed; None before the first."""
        return self.hearing.at

    @property
    def digits(self) -> str:
        """The digits that the far end sent, the last 1024 of them."""
        return self.hearing.digits

    @property
    def recording(self) -> Sound:
        """What was heard since `record`, from the first packet on; gaps are silence."""
        recording = self.hearing.recording
        return _SILENCE if recording is None else recording.sound

    @property
    def playing(self) -> bool:
        """Whether something that was given to `play` is not sent yet."""
        return self._played < len(self._playing.samples)

    @property
    def rate(self) -> int:
        """Samples a second of the sound that is said now."""
        return _SILENCE.rate if self._speech is None else self._speech.codec.rate

    @property
    def can_send(self) -> bool:
        """Whether there is a far end, and the negotiated direction lets this phone send."""
        return self._socket is not None and self._remote is not None and self._sends and not self._muted

    @property
    def directions(self) -> tuple[bool, bool]:
        """Whether sound may go out, and whether it may come, as negotiated."""
        return self._sends, self.hearing.receives

    # -- orders --------------------------------------------------------------------------------------------

    async def open(self, local: Address | None = None) -> None:
        """Bind the RTP port, at *local* instead of what was said before; raises WorldError."""
        if self._socket is not None:
            raise WorldError(f"the audio at {self.local} is open already")
        self._local = local or self._local
        socket = await self._world.open_udp(self._local, self, dscp=self._dscp)
        try:
            if self._reports is not None:
                await self._reports.open(socket, self._dscp)
        except WorldError:
            socket.close()
            raise
        if self._closed:
            socket.close()
            if self._reports is not None:
                self._reports.close()
            raise WorldError(f"the audio at {self._local} was closed before it was open")
        self._socket = socket
        if self._tapped is not None:
            self._tapped.local = socket.local
        self._wake()

    def set_remote(
        self,
        address: Address | None,
        payload_type: int = 0,
        codec: str = "pcmu",
        dtmf_payload: int | None = 101,
        heard: Mapping[int, str] | None = None,
        direction: str = "sendrecv",
        *,
        terms: Terms = UNSAID,
        ptime: int = 20,
        mute: bool = False,
        in_band: bool = False,
        security: Security | None = None,
        rtcp: Address | None = None,
        rtcp_mux: bool = False,
    ) -> None:
        """Take over what was negotiated; may be called again at any time (hold, another far end).

        Digits that can no longer be sent fail, as the phone sends none while held.

        Args:
            address: where the far end listens; None or the address 0.0.0.0 (RFC 2543 hold): nothing is sent.
            payload_type: of the codec, as the far end counts.
            codec: the configuration name of what is sent; nothing where it cannot be spoken here, but for
                telephone events.
            dtmf_payload: of telephone events, as the far end counts; None: it has not agreed to any.
            heard: by payload type, as this end counts, the codecs (and EVENTS, and COMFORT) that may come;
                None: what is sent, under the same numbers.
            direction: this side's: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``.
            terms: what both ends have said of the codec.
            ptime: milliseconds in each packet that is sent.
            mute: whether nothing may be sent until `unmute`.
            in_band: whether digits in what is heard count, until a telephone event comes.
            security: how what is sent is encrypted, and what comes; None: in the clear.
            rtcp: where the far end listens for RTCP, if it is not to be muted; None: nowhere.
            rtcp_mux: whether RTCP goes the way of RTP (RFC 5761).
        """
        if heard is None:
            heard = {payload_type: codec} | ({} if dtmf_payload is None else {dtmf_payload: EVENTS})
        self._speak({codec: terms, **{name: UNSAID for name in heard.values() if name != codec}})
        self._speech = speech = self._speeches.get(codec)
        nowhere = address is None or address.port == 0 or address.host in ("0.0.0.0", "::")
        self._remote = (
            None
            if address is None or nowhere
            else _Remote(address, payload_type, speech, dtmf_payload, ptime)
        )
        if self._remote is not None:
            self._senders.negotiated(self._remote.address)
        self._protect(security)
        if self._tapped is not None and self._remote is not None:
            sent = {payload_type: codec} | ({} if dtmf_payload is None else {dtmf_payload: EVENTS})
            self._tapped.agreed(self._remote.address, security, sent, heard)
        self._muted = mute
        self._sends = direction in ("sendrecv", "sendonly")
        receives = direction in ("sendrecv", "recvonly")
        self.hearing.agree(
            {each: self._speeches[name] for each, name in heard.items() if name in self._speeches},
            {each for each, name in heard.items() if name == EVENTS},
            {each for each, name in heard.items() if name == COMFORT},
            receives=receives,
            expected=receives or self._remote is not None,
            in_band=in_band,
            now=self._world.now(),
        )
        self._rtcp, self._rtcp_mux = rtcp, rtcp_mux
        self._agree_on_reports()
        if not self.can_send:
            self._digits.refuse(NOWHERE if mute else "the far end is on hold, or its audio is not negotiated")
        if dtmf_payload is None:
            self._digits.refuse_events(NO_EVENTS)
        else:
            self._digits.renumber(dtmf_payload)
        if speech is None:
            self._digits.refuse_sounds(NO_SOUND)
        self._wake()

    def unmute(self) -> None:
        """What is negotiated may be sent."""
        self._muted = False
        self._agree_on_reports()
        self._wake()

    def expect(self) -> None:
        """The call is up: where the far end may send, what is not heard from now on is silence."""
        self.hearing.expect(self._world.now())

    def cease(self) -> None:
        """Somebody has hung up: what is not heard from now on is no silence."""
        self.hearing.cease(self._world.now())

    def hush(self, *, hushed: bool) -> None:
        """Send silence for what is played, and no digits, while this phone holds the far end."""
        self._hushed = hushed
        if hushed:
            self._digits.refuse("this phone holds the call")
        self._wake()

    def play(self, sound: Sound, *, repeat: bool = False) -> None:
        """Send *sound* instead of whatever is played; goes on after a hold. With *repeat*: over and over."""
        self._playing = Sound(sound.rate, sound.samples[:])
        self._played, self._repeat = 0, len(sound.samples) if repeat else 0
        if repeat and sound.samples:
            # Where its end is within a packet, its beginning follows in the same.
            ahead = sound.rate * LONGEST // 1000
            while len(self._playing.samples) < self._repeat + ahead:
                self._playing.samples.extend(sound.samples[:ahead])
        self._wake()

    def join(self, company: Company | None) -> None:
        """Let the far end hear *company* too, and be heard by it; None: it is alone with this phone again."""
        self._company = company
        self.hearing.join(company)
        self._wake()

    @property
    def company(self) -> Company | None:
        """Who hears the far end besides this phone; None for nobody."""
        return self._company

    def hear_company(self) -> None:
        """The others of the conference say something: send it, also where nothing else is."""
        self._wake()

    def record(self, seconds: float) -> None:
        """Begin a new recording of what is heard in the next *seconds*; silence is sent meanwhile.

        Its rate is that of the codec of the moment, and stays so.
        """
        now = self._world.now()
        self.keep(Recording(self.rate, now, seconds), until=now + seconds)

    def keep(self, heard: Recording, said: Recording | None = None, *, until: float = math.inf) -> None:
        """Keep what is heard until then in *heard*, and what is said in *said*; silence is sent meanwhile."""
        self.hearing.record(heard, until)
        self._said = said
        self._wake()

    async def send_dtmf(self, digits: str, *, in_band: bool = False) -> None:
        """Send *digits* as telephone events, after those that wait; returns when the last has been sent.

        With *in_band* they are sounds, and nothing else is said from the first to the last.
        Raises DtmfError for what is no digit, AudioError if nothing may be sent, now or before the last.
        When the wait is cancelled, a digit that has begun is still ended.
        """
        for digit in digits:
            dtmf.event_of(digit)
        if not digits:
            return
        if not self.can_send or self._hushed:
            why = NOWHERE if self._muted else "the call is held or has no audio"
            raise AudioError(f"DTMF cannot be sent: {why}")
        remote = self._remote
        if remote is None or (remote.speech if in_band else remote.dtmf_payload) is None:
            raise AudioError(f"DTMF cannot be sent: {NO_SOUND if in_band else NO_EVENTS}")
        done = self._digits.order(digits, in_band=in_band)
        self._wake()
        await done

    async def move(self, local: Address) -> None:
        """Go on at another *local* address, as a new source (RFC 3550 section 8); raises WorldError."""
        self.leave()
        self._renew_source()
        await self.open(local)

    def leave(self) -> None:
        """Send and hear nothing until `move`: there is no local address."""
        self._shut("the phone's address has changed")

    def close(self) -> None:
        """End it at once; may be called more than once."""
        if self._reports is not None and not self._closed:
            self._reports.say_goodbye(ENDED)
        self._closed = True
        self._shut(ENDED)

    def _shut(self, why: str) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self._reports is not None:
            self._reports.close()
        self._digits.refuse(why)

    # -- RTCP ----------------------------------------------------------------------------------------------

    def _agree_on_reports(self) -> None:
        if self._reports is None:
            return
        remote = None if self._remote is None else self._remote.address if self._rtcp_mux else self._rtcp
        self._reports.agree(None if self._muted else remote, muxed=self._rtcp_mux)

    def metrics(self, ssrc: int) -> VoipMetrics:
        """How the stream *ssrc* of the far end is heard."""
        hearing = self.hearing
        return voip_metrics(ssrc, self.numbers, all_losses(hearing.reception), hearing.playout)

    def collided(self) -> None:
        """Another source has this end's SSRC: go on under another one (RFC 3550 section 8.2)."""
        if self._reports is not None:
            self._reports.say_goodbye(NEW_SSRC)
        self._renew_source()

    # -- out -----------------------------------------------------------------------------------------------

    def _renew_source(self) -> None:
        bits = self._world.unguessable.getrandbits
        ssrc, sequence, offset = bits(32), bits(16), bits(32)
        first = sequence & FIRST_ENCRYPTED if self._protection.active else sequence
        self.source = Source(ssrc, first, offset)
        self.hearing.own_ssrc = ssrc

    @property
    def clock(self) -> int:
        """Of this end's timestamps, in Hz."""
        return self.source.clock

    def _protect(self, security: Security | None) -> None:
        if security is not None and not self._sent:
            self.source.sequence &= FIRST_ENCRYPTED
        self._protection.agree(security)
        if security != self._security:
            self._security = security
            self.hearing.new_key()

    def _speak(self, terms: Mapping[str, Terms]) -> None:
        """Have what speaks each codec, on these terms: that of before where it was on the same ones."""
        before, self._speeches = self._speeches, {}
        for name in sorted(terms):
            codec = CODECS.get(name)
            if codec is None or codec.coder is None:
                continue
            speech = before.get(name)
            if speech is None or speech.terms != terms[name]:
                speech = Speech(codec, codec.coder, terms[name])
            self._speeches[name] = speech

    def _wake(self) -> None:
        """Begin to tick if there is something to send."""
        if self._tick is None and self.can_send and self._has_work():
            # Not before the last stream's next tick: two packets never share a timestamp by accident.
            self._due = max(self._world.now(), self._due)
            self._pausing = True
            self._tick = self._tasks.call_at(self._due, self._send_next, "sending")

    def _has_work(self) -> bool:
        return self._digits.waiting or self._has_audio()

    def _has_audio(self) -> bool:
        speaks = self._remote is not None and self._remote.speech is not None
        now = self._world.now()
        return speaks and (
            self._stream
            or self.hearing.records(now) is not None
            or (not self._hushed and (self.playing or self._hears_company(now)))
        )

    def _hears_company(self, now: float) -> bool:
        """Whether the others of a conference say something that is still to be sent."""
        return self._company is not None and self._company.sounds(max(self._due, now))

    def _send_next(self) -> None:
        self._tick = None
        if self._remote is None or not (self.can_send and self._has_work()):
            return
        packet = self._digit_packet(self._remote) or self._audio_packet(self._remote)
        if packet is not None:
            self._send(packet, self._remote.address)
        self._due += self._remote.ptime / 1000
        behind = self._world.now() - self._due
        if behind > _LATE:
            self._due += behind
        self._tick = self._tasks.call_at(self._due, self._send_next, "sending")

    def _send(self, packet: rtp.Packet, remote: Address) -> None:
        assert self._socket is not None
        self.source.sent(packet)
        clear = data = packet.pack()
        try:
            if self._protection.active:
                data = self._protection.protect(clear)
            if self.passages is None:
                self._socket.send(data, remote)
            else:
                self._send_disturbed(data, remote, self.passages())
        except (SendFailed, SrtpError) as error:
            self.tell_problem(f"cannot send to {remote}: {error}")
            return
        if self._tapped is not None:
            self._tapped.sent(remote, data, clear)
        self._sent += 1
        self._sent_octets += len(packet.payload)

    def _send_disturbed(self, data: bytes, remote: Address, passages: Sequence[float]) -> None:
        """Send a copy of *data* after each of the seconds *passages*; raises SendFailed."""
        socket = self._socket
        assert socket is not None
        for late in passages:
            if not late:
                socket.send(data, remote)
                continue
            due = self._world.now() + late
            self._tasks.call_at(due, lambda: self._send_late(socket, data, remote), "sending late")

    def _send_late(self, socket: DatagramSocket, data: bytes, remote: Address) -> None:
        if socket is not self._socket:
            return
        try:
            socket.send(data, remote)
        except SendFailed as error:
            self.tell_problem(f"cannot send to {remote}: {error}")

    def _digit_packet(self, remote: _Remote) -> rtp.Packet | None:
        """The next packet of a digit; None if no digit is under way or due."""
        tones = self._digits.due(self._due)
        if tones is not None and remote.speech is not None:
            return self._tone_packet(tones, remote, remote.speech)
        timestamp = self.source.timestamp(self._due, remote.clock)
        packet = self._digits.next_event(self._due, remote.dtmf_payload, self.source, timestamp, remote.ptime)
        if packet is not None:
            self._pausing = True
        return packet

    def _tone_packet(self, tones: DigitTones, remote: _Remote, speech: Speech) -> rtp.Packet:
        """The next packet of digits as sounds."""
        rate = speech.codec.rate
        sound = Sound(rate, tones.take(remote.ptime, rate))
        self._digits.sounded(tones, self._due + remote.ptime / 1000)
        return self._sound_packet(remote, speech.say(sound, 0, remote.ptime))

    def _audio_packet(self, remote: _Remote) -> rtp.Packet | None:
        """The next packet of what is played, or of silence; None where nothing is sent for that."""
        if remote.speech is None or not self._has_audio():
            self._pausing = True
            return None
        if self._hushed:
            sound, place = _SILENCE, 0
        else:
            sound, place = self._playing, self._played
            if self._company is not None:
                sound, place = self._with(self._company, remote.ptime), 0
            self._played += self._playing.rate * remote.ptime // 1000
            if self._repeat:
                self._played %= self._repeat
        count = sound.rate * remote.ptime // 1000
        if self._activity and not self._activity.speaks(sound.samples[place : place + count], remote.ptime):
            self._pausing = True
            return None
        return self._sound_packet(remote, remote.speech.say(sound, place, remote.ptime))

    def _with(self, company: Company, milliseconds: int) -> Sound:
        """The next packet's share of what *company* says and of what is played, which it hears too."""
        seconds = milliseconds / 1000
        heard = company.others(self._due, seconds)
        if self.playing:
            if (self._into_company.rate, self._into_company.wanted) != (self._playing.rate, company.rate):
                self._into_company = Resampler(self._playing.rate, company.rate)
            played = self._into_company.feed(self._playing.piece(self._played, seconds))
            company.say(played, self._due)
            heard = mixed([played, heard], len(heard))
        return Sound(company.rate, heard)

    def _sound_packet(self, remote: _Remote, payload: bytes) -> rtp.Packet:
        marker, self._pausing = self._pausing, False
        source, timestamp = self.source, self.source.timestamp(self._due, remote.clock)
        packet = rtp.Packet(remote.payload_type, source.sequence, timestamp, source.ssrc, payload, marker)
        if self._said is not None and remote.speech is not None:
            self._keep_said(packet, remote.speech, self._said)
        return packet

    def _keep_said(self, packet: rtp.Packet, speech: Speech, said: Recording) -> None:
        ear = self._own_ear
        if ear is None or (ear.codec, ear.terms) != (speech.codec, speech.terms):
            ear = self._own_ear = speech.new()
        samples = ear.hear(packet.payload, packet.ssrc, said.rate)
        said.hear(packet, samples, self._world.now(), speech.codec.clock)

    def _fault(self, error: Exception) -> None:
        self._digits.refuse(as_reason(error))

    # -- in ------------------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """Called by the world: RTP, or something else that is counted and ignored."""
        if self._reports is not None and self._reports.muxed and is_rtcp(data):
            self._reports.receive(data, remote)
            return
        self.hearing.receive(data, remote, self._world.now())

    def _own_ssrc_came(self, packet: rtp.Packet) -> None:
        if not self.source.loops(packet, self._world.now(), self.clock):
            self.collided()

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """Called by the world: nobody listens there; the call goes on, signalling decides about it."""
        self.tell_problem(f"{remote}: {reason}")

    def tell_problem(self, problem: str) -> None:
        """*problem* went wrong, in words."""
        self._problem = problem
