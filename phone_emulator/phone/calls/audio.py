"""The audio of one call: RTP out and in over the world, DTMF digits both ways.

Theory of operation: while there is something to send, a timer of the world ticks every 20 ms and sends one
packet: of a digit if digits wait, as a telephone event or as a sound, else of what is played, else silence.
RTP timestamps are the ticks' own due times, so they stay exact when the machine is late. With nothing to send
there is no tick: in virtual time an idle call costs nothing. There are no tasks.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from phone_emulator.events import Address, DigitWay
from phone_emulator.media import dtmf, rtp
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.crypto import Security
from phone_emulator.media.inband import DigitTones, InBandReceiver
from phone_emulator.media.resample import Resampler
from phone_emulator.media.senders import Senders
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import PTIME, Speech
from phone_emulator.media.srtp import Failure, Protection, SrtpError
from phone_emulator.world import DatagramSocket, SendFailed, Tasks, TimerHandle, World, WorldError, as_reason

CLOCK = 8000
"""Ticks of RTP timestamps a second, in each codec that is spoken: G.722's too (RFC 3551 section 4.5.2)."""
EVENTS = "telephone-event"
"""What stands for telephone events where codecs have their names."""
NO_EVENTS = "the far end has not agreed to telephone events (RFC 4733)"
NO_SOUND = "no codec is agreed that can be spoken here"
_LATE = 0.2
"""Seconds behind its time after which a stream leaves out what it missed, instead of hurrying."""
_SILENCE = Sound(CLOCK)
_DIGITS_KEPT = 1024
_INSTANT = 1e-6
"""Seconds by which sums of times differ that are the same."""
NOWHERE = "nothing may be sent to where the far end wants it"
MOST_TOLD = 10
"""Hosts of whose packets is told that they do not count."""
FIRST_ENCRYPTED = 0x7FFF
"""The highest sequence number that encrypted sound begins with: no wrap is among the first packets, which may
be lost and leave the far end with another roll-over counter (RFC 4568 section 6.4)."""
UNDECRYPTED = "packets cannot be decrypted: the far end's key does not fit"
_STRAY = 10
"""Packets in a row that cannot be decrypted until that is told: a few may be strays, or a stranger's."""
_GAP = 10
"""Seconds of silence that a recording fills in for a gap; a longer one is a new beginning."""


class AudioError(Exception):
    """That cannot be sent now; the text says why, for people."""


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


@dataclass(frozen=True, slots=True)
class _Remote:
    """Where to, and how, as negotiated."""

    address: Address
    payload_type: int
    speech: Speech | None
    """None: a codec that cannot be spoken here; telephone events still go both ways."""
    dtmf_payload: int | None
    """None: no telephone events are agreed."""


@dataclass(slots=True)
class _Order:
    """Digits that a caller of send_dtmf waits for."""

    digits: deque[str]
    done: asyncio.Future[None] = field(repr=False)
    tones: DigitTones | None = None
    """What they sound like; None for telephone events."""


class Audio:
    """An RTP session; nothing is sent before `open` and `set_remote`.

    Args:
        world: where it lives.
        local: the address and RTP port; port 0 takes a free one.
        stream: whether silence is sent when there is nothing else, as a real phone does. Costs 50 packets
            a second, in virtual time too.
        dtmf_duration: milliseconds (``features.dtmf.duration``).
        dtmf_interval: least pause between digits in milliseconds (``features.dtmf.min_interval``).
        dtmf_repetition: how often a digit's last packet is sent (``features.dtmf.repetition``).
        dtmf_volume: dBm0 without the minus sign (``features.dtmf.volume``).
        dscp: 0..63, how RTP packets are marked (``static.network.qos.audiotos``).
        on_digit: called with each digit that the far end sends, as it begins, and in which way.
        senders: whose packets count.
        on_stranger: called with the address of each of the first hosts whose packets do not, and why; and
            once for a key that does not fit what the far end sends.
    """

    def __init__(
        self,
        world: World,
        local: Address,
        *,
        stream: bool = False,
        dtmf_duration: int = 100,
        dtmf_interval: int = 50,
        dtmf_repetition: int = 3,
        dtmf_volume: int = 10,
        dscp: int = 0,
        on_digit: Callable[[str, DigitWay], None] = lambda digit, by: None,
        senders: Senders | None = None,
        on_stranger: Callable[[Address, str], None] = lambda source, why: None,
    ) -> None:
        self._world = world
        self._local = local
        self._stream = stream
        self._dtmf_duration = min(max(dtmf_duration, 1), dtmf.LONGEST_MS)
        self._dtmf_interval = dtmf_interval
        self._dtmf_repetition = dtmf_repetition
        self._dtmf_volume = min(max(dtmf_volume, 0), 63)
        self._dscp = dscp
        self._on_digit = on_digit
        self._socket: DatagramSocket | None = None
        self._closed = False
        self._problem = ""
        self._sends = self._receives = self._muted = False
        self._remote: _Remote | None = None
        self._hushed = False
        self._speech: Speech | None = None
        """What is said; None in a codec that cannot be spoken here."""
        self._speeches: dict[str, Speech] = {}
        """By the codec's name, what was agreed last of what can be spoken."""
        self._heard: dict[int, Speech] = {}
        """By payload type, what may come."""
        self._events: set[int] = set()
        """The payload types of telephone events that may come."""
        self._in_band: InBandReceiver | None = None
        """What finds digits in what is heard; None where nobody listens for them."""
        self._to_8_khz = Resampler(CLOCK, CLOCK)
        self._protection = Protection()
        self._begin()
        self._tasks = Tasks(world, f"the sound at {local}", self._fault)
        self._tick: TimerHandle | None = None
        self._due = 0.0
        self._pausing = True
        """Whether the next audio packet is the first after a pause, which has the marker."""
        self._playing = Sound(CLOCK)
        self._played = 0
        self._orders: deque[_Order] = deque()
        self._digit: deque[rtp.Packet] = deque()
        """What is left to send of the present digit."""
        self._next_digit = 0.0
        """When the next digit may begin."""
        self._sent = self._sent_octets = 0
        # In.
        self.heard_at: float | None = None
        """When the far end's last RTP packet came in, once anything was agreed; None before the first."""
        self._reception = rtp.ReceptionStatistics(CLOCK)
        self._ignored = 0
        self._senders = senders or Senders()
        self._on_stranger = on_stranger
        self._strangers = 0
        self._told: set[str] = set()
        """Hosts of whose packets was told that they do not count."""
        self._undecrypted = 0
        self._stray = 0
        """Packets in a row that could not be decrypted."""
        self._security: Security | None = None
        self._digits = dtmf.DigitReceiver()
        self._received_digits: deque[str] = deque(maxlen=_DIGITS_KEPT)
        self._recording = Sound(CLOCK)
        self._record_limit = 0
        self._record_until = 0.0
        self._record_stream: tuple[int, int, int] | None = None
        """SSRC, first timestamp and its place in the recording."""

    # -- what people see -----------------------------------------------------------------------------------

    @property
    def local(self) -> Address:
        """Where it listens, with the real port once it is open."""
        return self._socket.local if self._socket else self._local

    @property
    def counts(self) -> AudioCounts:
        """What went and came so far."""
        reception = self._reception
        return AudioCounts(
            self._sent,
            self._sent_octets,
            reception.packets,
            reception.octets,
            reception.lost,
            reception.jitter,
            self._ignored,
            self._strangers,
            self._problem,
            self._undecrypted,
        )

    @property
    def digits(self) -> str:
        """The digits that the far end sent, the last 1024 of them."""
        return "".join(self._received_digits)

    @property
    def recording(self) -> Sound:
        """What was heard since `record`, at the rate of the codec of that time; gaps are silence."""
        return Sound(self._recording.rate, self._recording.samples[:])

    @property
    def playing(self) -> bool:
        """Whether something that was given to `play` is not sent yet."""
        return self._played < len(self._playing.samples)

    @property
    def can_send(self) -> bool:
        """Whether there is a far end, and the negotiated direction lets this phone send."""
        return self._socket is not None and self._remote is not None and self._sends and not self._muted

    # -- orders --------------------------------------------------------------------------------------------

    async def open(self, local: Address | None = None) -> None:
        """Bind the RTP port, at *local* instead of what was said before; raises WorldError."""
        if self._socket is not None:
            raise WorldError(f"the audio at {self.local} is open already")
        self._local = local or self._local
        socket = await self._world.open_udp(self._local, self, dscp=self._dscp)
        if self._closed:
            socket.close()
            raise WorldError(f"the audio at {self._local} was closed before it was open")
        self._socket = socket
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
        mute: bool = False,
        in_band: bool = False,
        security: Security | None = None,
    ) -> None:
        """Take over what was negotiated; may be called again at any time (hold, another far end).

        Digits that can no longer be sent fail, as the phone sends none while held.

        Args:
            address: where the far end listens; None or the address 0.0.0.0 (RFC 2543 hold): nothing is sent.
            payload_type: of the codec, as the far end counts.
            codec: the configuration name of what is sent; nothing where it cannot be spoken here, but for
                telephone events.
            dtmf_payload: of telephone events, as the far end counts; None: it has not agreed to any.
            heard: by payload type, as this end counts, the codecs (and EVENTS) that may come; None: what is
                sent, under the same numbers.
            direction: this side's: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``.
            mute: whether nothing may be sent until `unmute`.
            in_band: whether digits in what is heard count, until a telephone event comes.
            security: how what is sent is encrypted, and what comes; None: in the clear.
        """
        if heard is None:
            heard = {payload_type: codec} | ({} if dtmf_payload is None else {dtmf_payload: EVENTS})
        self._speak({codec, *heard.values()})
        self._heard = {each: self._speeches[name] for each, name in heard.items() if name in self._speeches}
        self._events = {each for each, name in heard.items() if name == EVENTS}
        nowhere = address is None or address.port == 0 or address.host in ("0.0.0.0", "::")
        self._speech = speech = self._speeches.get(codec)
        self._remote = (
            None if address is None or nowhere else _Remote(address, payload_type, speech, dtmf_payload)
        )
        if address is not None and not nowhere:
            self._senders.negotiated(address)
        self._in_band = (self._in_band or InBandReceiver()) if in_band else None
        if security is not None and not self._sent:
            self._sequence &= FIRST_ENCRYPTED
        self._protection.agree(security)
        if security != self._security:
            self._security, self._stray = security, 0
        self._muted = mute
        self._sends = direction in ("sendrecv", "sendonly")
        self._receives = direction in ("sendrecv", "recvonly")
        if not self.can_send:
            self._refuse_digits(NOWHERE if mute else "the far end is on hold, or its audio is not negotiated")
        if dtmf_payload is None:
            self._refuse_digits(NO_EVENTS, lambda order: order.tones is None)
            self._digit.clear()
        else:
            self._digit = deque(replace(packet, payload_type=dtmf_payload) for packet in self._digit)
        if speech is None:
            self._refuse_digits(NO_SOUND, lambda order: order.tones is not None)
        self._wake()

    def unmute(self) -> None:
        """What is negotiated may be sent."""
        self._muted = False
        self._wake()

    def hush(self, *, hushed: bool) -> None:
        """Send silence for what is played, and no digits, while this phone holds the far end."""
        self._hushed = hushed
        if hushed:
            self._refuse_digits("this phone holds the call")
        self._wake()

    def play(self, sound: Sound) -> None:
        """Send *sound* instead of whatever is played; goes on after a hold."""
        self._playing = Sound(sound.rate, sound.samples[:])
        self._played = 0
        self._wake()

    def record(self, seconds: float) -> None:
        """Begin a new recording of what is heard in the next *seconds*; silence is sent meanwhile."""
        self._recording = Sound(CLOCK if self._speech is None else self._speech.codec.rate)
        self._record_stream = None
        self._record_limit = round(seconds * self._recording.rate)
        self._record_until = self._world.now() + seconds
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
        remote, tones = self._remote, None
        if remote is None or (remote.speech if in_band else remote.dtmf_payload) is None:
            raise AudioError(f"DTMF cannot be sent: {NO_SOUND if in_band else NO_EVENTS}")
        if in_band:
            tones = DigitTones(
                digits,
                duration_ms=self._dtmf_duration,
                interval_ms=self._dtmf_interval,
                level=-self._dtmf_volume,
            )
        order = _Order(deque(digits), asyncio.get_running_loop().create_future(), tones)
        self._orders.append(order)
        self._wake()
        await order.done

    async def move(self, local: Address) -> None:
        """Go on at another *local* address, as a new source (RFC 3550 section 8); raises WorldError."""
        self.leave()
        self._begin()
        await self.open(local)

    def leave(self) -> None:
        """Send and hear nothing until `move`: there is no local address."""
        self._shut("the phone's address has changed")

    def close(self) -> None:
        """End it at once; may be called more than once."""
        self._closed = True
        self._shut("the call has ended")

    def _shut(self, why: str) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._stop()
        self._refuse_digits(why)

    def _begin(self) -> None:
        """Be a source of RTP; RFC 3550 section 5.1: all three begin at random."""
        self._ssrc = self._world.unguessable.getrandbits(32)
        self._sequence = self._world.unguessable.getrandbits(16)
        if self._protection.active:
            self._sequence &= FIRST_ENCRYPTED
        self._timestamp_offset = self._world.unguessable.getrandbits(32)

    # -- out -----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Begin to tick if there is something to send."""
        if self._tick is None and self.can_send and self._has_work():
            # Not before the last stream's next tick: two packets never share a timestamp by accident.
            self._due = max(self._world.now(), self._due)
            self._pausing = True
            self._tick = self._tasks.call_at(self._due, self._send_next, "sending")

    def _stop(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _speak(self, names: set[str]) -> None:
        """Have what speaks each codec *names*: that of before where there is one, which knows the streams."""
        found = {name: CODECS[name] for name in sorted(names) if name in CODECS}
        self._speeches = {
            name: self._speeches.get(name) or Speech(codec, codec.coder)
            for name, codec in found.items()
            if codec.coder is not None
        }

    def _has_work(self) -> bool:
        return bool(self._digit or self._orders) or self._has_audio()

    def _has_audio(self) -> bool:
        speaks = self._remote is not None and self._remote.speech is not None
        played = self.playing and not self._hushed
        return speaks and (self._stream or played or self._recording_now())

    def _recording_now(self) -> bool:
        return self._world.now() < self._record_until

    def _send_next(self) -> None:
        self._tick = None
        if not (self.can_send and self._has_work()):
            return
        packet = self._digit_packet() or self._audio_packet()
        if packet is not None:
            self._send(packet)
        self._due += PTIME
        behind = self._world.now() - self._due
        if behind > _LATE:
            self._due += behind
        self._tick = self._tasks.call_at(self._due, self._send_next, "sending")

    def _send(self, packet: rtp.Packet) -> None:
        assert self._socket is not None
        assert self._remote is not None
        self._sequence = (packet.sequence + 1) & 0xFFFF
        data = packet.pack()
        try:
            self._socket.send(
                self._protection.protect(data) if self._protection.active else data, self._remote.address
            )
        except (SendFailed, SrtpError) as error:
            self._problem = f"cannot send to {self._remote.address}: {error}"
            return
        self._sent += 1
        self._sent_octets += len(packet.payload)

    def _timestamp(self) -> int:
        return (self._timestamp_offset + round(self._due * CLOCK)) & 0xFFFFFFFF

    def _audio_packet(self) -> rtp.Packet | None:
        """The next 20 ms of what is played, or of silence; None between digits with nothing else to send."""
        if self._remote is None or self._remote.speech is None or not self._has_audio():
            self._pausing = True
            return None
        if self._hushed:
            payload = self._remote.speech.say(_SILENCE, 0)
        else:
            payload = self._remote.speech.say(self._playing, self._played)
            self._played += round(self._playing.rate * PTIME)
        return self._sound_packet(self._remote, payload)

    def _sound_packet(self, remote: _Remote, payload: bytes) -> rtp.Packet:
        marker, self._pausing = self._pausing, False
        return rtp.Packet(remote.payload_type, self._sequence, self._timestamp(), self._ssrc, payload, marker)

    def _digit_packet(self) -> rtp.Packet | None:
        """The next packet of a digit; None if no digit is under way or due."""
        if not self._digit and (tones := self._begin_digit()) is not None:
            return self._tone_packet(tones)
        if not self._digit:
            return None
        self._pausing = True
        packet = self._digit.popleft()
        if not self._digit and self._orders and not self._orders[0].digits:
            self._order_sent()
        return packet

    def _order_sent(self) -> None:
        done = self._orders.popleft().done
        if not done.done():
            done.set_result(None)

    def _tone_packet(self, tones: DigitTones) -> rtp.Packet:
        """The next 20 ms of digits as sounds."""
        assert self._remote is not None
        assert self._remote.speech is not None
        rate = self._remote.speech.codec.rate
        sound = Sound(rate, tones.take(round(PTIME * 1000), rate))
        if tones.over:
            self._next_digit = self._due + PTIME + self._dtmf_interval / 1000
            self._order_sent()
        return self._sound_packet(self._remote, self._remote.speech.say(sound, 0))

    def _begin_digit(self) -> DigitTones | None:
        """Begin the next digit if one is due; what is sounds is returned."""
        while self._orders and self._orders[0].done.done():
            tones = self._orders[0].tones
            if tones is not None and tones.cut():
                break
            self._orders.popleft()
        if not self._orders or self._next_digit - self._due > _INSTANT:
            return None
        if self._orders[0].tones is not None:
            return self._orders[0].tones
        assert self._remote is not None
        assert self._remote.dtmf_payload is not None
        self._digit.extend(
            dtmf.digit_packets(
                self._orders[0].digits.popleft(),
                payload_type=self._remote.dtmf_payload,
                sequence=self._sequence,
                timestamp=self._timestamp(),
                ssrc=self._ssrc,
                duration_ms=self._dtmf_duration,
                ptime_ms=round(PTIME * 1000),
                repetition=self._dtmf_repetition,
                volume=self._dtmf_volume,
            )
        )
        self._next_digit = self._due + (self._dtmf_duration + self._dtmf_interval) / 1000
        return None

    def _fault(self, error: Exception) -> None:
        self._refuse_digits(as_reason(error))

    def _refuse_digits(self, why: str, which: Callable[[_Order], bool] | None = None) -> None:
        """Fail the orders *which* is true of, all without it, for the reason *why*."""
        if which is None:
            self._digit.clear()
        orders, self._orders = self._orders, deque()
        for order in orders:
            if which is not None and not which(order):
                self._orders.append(order)
            elif not order.done.done():
                order.done.set_exception(AudioError(f"not every digit was sent: {why}"))

    # -- in ------------------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """Called by the world: RTP, or something else that is counted and ignored."""
        now = self._world.now()
        try:
            if self._protection.active:
                # Before the sender is looked at: whoever has no key never takes the far end's place.
                rtp.refuse_others(data)
                data = self._protection.unprotect(data)
                self._stray = 0
            packet = rtp.parse(data)
            if not self._senders.admits(remote, now):
                self._passed_over(remote)
                return
            if self._receives or self._remote is not None:
                self.heard_at = now
            self._reception.receive(packet, now)
            if self._receives:
                self._hear(packet)
        except (rtp.RtpError, dtmf.DtmfError, SrtpError) as error:
            if isinstance(error, SrtpError) and error.failure is Failure.KEY:
                self._not_decrypted(remote, now)
            else:
                self._ignored += 1
            self._problem = f"ignored a datagram from {remote}: {error}"

    def _not_decrypted(self, remote: Address, now: float) -> None:
        """A packet of *remote* came under another key than that of the far end."""
        if not self._senders.would_admit(remote, now):
            self._passed_over(remote)
            return
        self._undecrypted += 1
        self._stray += 1
        if self._stray == _STRAY:
            self._on_stranger(remote, UNDECRYPTED)

    def _passed_over(self, remote: Address) -> None:
        """A packet came from *remote*, which is not the far end."""
        self._strangers += 1
        if remote.host not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(remote.host)
            self._on_stranger(remote, self._senders.why_not(remote))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """Called by the world: nobody listens there; the call goes on, signalling decides about it."""
        self._problem = f"{remote}: {reason}"

    def _hear(self, packet: rtp.Packet) -> None:
        if packet.payload_type in self._events:
            digit = self._digits.receive(packet)
            if digit is not None:
                self._in_band = None  # who sends events may leave some of the tone in the sound
                self._pressed(digit, DigitWay.RFC4733)
            return
        speech, recording = self._heard.get(packet.payload_type), self._recording_now()
        if speech is None or not (recording or self._in_band):
            return
        rate = self._recording.rate if recording else CLOCK
        samples = speech.hear(packet.payload, packet.ssrc, rate)
        if recording:
            self._write(packet, samples)
        if self._in_band is not None:
            if self._to_8_khz.rate != rate:
                self._to_8_khz = Resampler(rate, CLOCK)
            for digit in self._in_band.receive(packet, self._to_8_khz.feed(samples)):
                self._pressed(digit, DigitWay.IN_BAND)

    def _pressed(self, digit: str, by: DigitWay) -> None:
        self._received_digits.append(digit)
        self._on_digit(digit, by)

    def _write(self, packet: rtp.Packet, samples: array[int]) -> None:
        """Put *samples* where their timestamp says, so that order and gaps are as they were spoken."""
        recording, rate = self._recording.samples, self._recording.rate
        place = -1
        if self._record_stream is not None:
            ssrc, first, start = self._record_stream
            place = start + rtp.signed((packet.timestamp - first) & 0xFFFFFFFF) * rate // CLOCK
            if ssrc != packet.ssrc or abs(place - len(recording)) > _GAP * rate:
                place = -1
        if place < 0:
            place = len(recording)
            self._record_stream = packet.ssrc, packet.timestamp, place
        samples = samples[: max(0, self._record_limit - place)]
        if len(recording) < place and samples:
            recording.extend(array("h", bytes(2 * (place - len(recording)))))
        recording[place : place + len(samples)] = samples
