"""The sound of calls on its way into a capture: in a file, as memory would not hold it."""

from __future__ import annotations

import contextlib
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from phone_emulator.events import Address, EncryptedStream, MediaPacket

_HEAD = struct.Struct("!d?BHBHHI")
"""When, whether outwards, both addresses as length of the host and port, octets on the wire, and of the same
decrypted plus one; 0 for none."""


class MediaSpool:
    """A `Tap` that keeps what it is shown until it is written; its file is nobody else's, and has no name.

    Args:
        beside: the capture, on whose disk it lies.
        keys: whether decrypted sound and keys are kept; else what was on the wire alone.

    Raises:
        OSError: there is no place for it.
    """

    def __init__(self, beside: Path, *, keys: bool = True) -> None:
        # Closed with `close`: it is written to as long as calls go on.
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=beside.resolve().parent)  # noqa: SIM115
        self._with_keys = keys
        self._starts: list[int] = []
        self._end = 0
        self._failed: OSError | None = None
        self._streams: list[list[EncryptedStream]] = []

    def begin(self) -> None:
        """What comes from now on is another part, or the first."""
        self._starts.append(self._end)
        self._streams.append([])

    def packet(self, packet: MediaPacket) -> None:
        """Keep *packet*."""
        if self._failed is not None:
            return
        clear = packet.clear if self._with_keys else None
        hosts = packet.local.host.encode(), packet.remote.host.encode()
        head = _HEAD.pack(
            packet.at,
            packet.outwards,
            len(hosts[0]),
            packet.local.port,
            len(hosts[1]),
            packet.remote.port,
            len(packet.data),
            0 if clear is None else len(clear) + 1,
        )
        record = b"".join((head, *hosts, packet.data, clear or b""))
        try:
            self._file.write(record)
        except OSError as error:
            self._failed = error
        else:
            self._end += len(record)

    def stream(self, stream: EncryptedStream) -> None:
        """Keep *stream*."""
        if self._with_keys:
            self._streams[-1].append(stream)

    def parts(self) -> list[tuple[Iterator[MediaPacket], list[EncryptedStream]]]:
        """The packets of each part, which can be read once, and the streams that can be read in it."""
        try:
            self._file.flush()
        except OSError as error:
            self._failed = self._failed or error
        ends = [*self._starts[1:], self._end]
        packets = (self._between(*each) for each in zip(self._starts, ends, strict=True))
        return list(zip(packets, self._streams, strict=True))

    def check(self) -> None:
        """Raise the OSError that has kept something from being kept, if there was one."""
        if self._failed is not None:
            raise self._failed

    def close(self) -> None:
        """Nothing is kept any more."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _between(self, start: int, end: int) -> Iterator[MediaPacket]:
        self._file.seek(start)
        place = start
        while place < end:
            head = self._file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return  # the disk was full
            at, outwards, near, near_port, far, far_port, octets, decrypted = _HEAD.unpack(head)
            length = near + far + octets + max(decrypted - 1, 0)
            body = self._file.read(length)
            if len(body) < length:
                return
            place += _HEAD.size + length
            local = Address(body[:near].decode(), near_port)
            remote = Address(body[near : near + far].decode(), far_port)
            data = body[near + far : near + far + octets]
            clear = body[near + far + octets :] if decrypted else None
            yield MediaPacket(at, local, remote, outwards, data, clear)
