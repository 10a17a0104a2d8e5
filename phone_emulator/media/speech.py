"""What is said and heard in one codec: sound of any rate that the phone plays, to payload and back."""

from __future__ import annotations

from array import array

from .codecs import Codec
from .coder import UNSAID, Maker, Terms
from .resample import Resampler
from .sound import Sound


class Speech:
    """Both directions of one call, as long as it is in one codec.

    Args:
        codec: which.
        make: what makes one end of a stream of it.
        terms: what both ends have said of it.
    """

    def __init__(self, codec: Codec, make: Maker, terms: Terms = UNSAID) -> None:
        self.codec = codec
        self.terms = terms
        self._make = make
        self._encoder = make(terms)
        self._decoder = make(terms)
        self._heard: int | None = None
        """The SSRC that the decoder follows."""
        self._into = Resampler(codec.rate, codec.rate)
        self._out_of = Resampler(codec.rate, codec.rate)

    def new(self) -> Speech:
        """One that has neither said nor heard anything, in the same codec."""
        return Speech(self.codec, self._make, self.terms)

    def say(self, sound: Sound, place: int, milliseconds: int) -> bytes:
        """The payload of so much of *sound* from the sample *place* on; behind its end there is silence."""
        count = sound.rate * milliseconds // 1000
        samples = sound.samples[place : place + count]
        if not samples:
            return self._encoder.silence(self.codec.rate * milliseconds // 1000)
        samples.frombytes(bytes(2 * (count - len(samples))))
        if self._into.rate != sound.rate:
            self._into = Resampler(sound.rate, self.codec.rate)
        return self._encoder.encode(self._into.feed(samples))

    def hear(self, payload: bytes, ssrc: int, rate: int) -> array[int]:
        """The samples of *payload*, of the stream *ssrc*, at *rate* Hz."""
        if ssrc != self._heard:
            self._decoder, self._heard = self._make(self.terms), ssrc
        if self._out_of.wanted != rate:
            self._out_of = Resampler(self.codec.rate, rate)
        return self._out_of.feed(self._decoder.decode(payload))
