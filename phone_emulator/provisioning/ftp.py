"""FTP: one file in binary mode over a passive connection (RFC 959, RFC 2428)."""

from __future__ import annotations

import re

from phone_emulator.cleaning import brief
from phone_emulator.provisioning.fetching import (
    MOST_BYTES,
    Connection,
    FetchError,
    Manner,
    NotThere,
    connected,
)
from phone_emulator.provisioning.location import Location

ANONYMOUS = ("anonymous", "phone@")
MOST_LINES = 200
"""Of one reply; a welcome can be long."""

_EXTENDED = re.compile(r"\(([!-~])\1\1([0-9]{1,5})\1\)")
_PASSIVE = re.compile(r"[0-9]+,[0-9]+,[0-9]+,[0-9]+,([0-9]{1,3}),([0-9]{1,3})")


async def fetch_ftp(location: Location, manner: Manner) -> bytes:
    """What is at *location*; raises FetchError."""
    async with connected(location.host, location.port, manner) as control:
        await _expect(control, None, 220)
        await _log_in(control, location, manner)
        await _expect(control, "TYPE I", 200)
        port = await _passive_port(control)
        # The data come from where the orders go, whatever address the server names: some are behind a NAT,
        # and one that named somebody else would make the phone its tool.
        async with connected(control.address, port, manner) as data:
            await _retrieve(control, location)
            content = bytearray()
            while chunk := await data.receive():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB, no cfg file is")
        await _expect(control, None, 226, 250)
        return bytes(content)


async def _log_in(control: Connection, location: Location, manner: Manner) -> None:
    credentials = manner.credentials(location)
    user, password = ANONYMOUS if credentials is None else (credentials[0], credentials[1].reveal())
    status, text = await _order(control, f"USER {user}")
    if status == 331:
        status, text = await _order(control, f"PASS {password}")
    if status == 530:
        raise FetchError(f"the server does not let user {brief(user)!r} in: {text}")
    if status not in (230, 202):
        raise _refused(status, text)


async def _passive_port(control: Connection) -> int:
    status, text = await _order(control, "EPSV")
    if status == 229 and (extended := _EXTENDED.search(text)):
        return _port(int(extended[2]))
    status, text = await _order(control, "PASV")
    passive = _PASSIVE.search(text)
    if status != 227 or passive is None:
        raise _refused(status, text)
    return _port(int(passive[1]) * 256 + int(passive[2]))


async def _retrieve(control: Connection, location: Location) -> None:
    status, text = await _order(control, f"RETR {location.plain_path.removeprefix('/')}")
    if status == 550:
        raise NotThere(f"550 {text}")
    if status not in (125, 150):
        raise _refused(status, text)


async def _expect(control: Connection, order: str | None, *wanted: int) -> None:
    status, text = await _order(control, order)
    if status not in wanted:
        raise _refused(status, text)


async def _order(control: Connection, order: str | None) -> tuple[int, str]:
    """Send *order*, if any, and read the reply: its code, and its last line's text."""
    if order is not None:
        if "\r" in order or "\n" in order:
            raise FetchError("cannot be asked for: a line end in a name or a password")
        await control.send(f"{order}\r\n".encode())
    first = await control.line()
    if not re.match(r"[1-5][0-9]{2}(?:[ -]|$)", first):
        raise FetchError(f"the server does not speak FTP: {brief(first)!r}")
    line = first
    for _ in range(MOST_LINES):
        if line[:3] == first[:3] and line[3:4] != "-":
            return int(first[:3]), brief(line[4:])
        line = await control.line()
    raise FetchError(f"the server sent a reply of more than {MOST_LINES} lines")


def _port(number: int) -> int:
    if not 0 < number < 65536:
        raise FetchError(f"the server names a port that does not exist: {number}")
    return number


def _refused(status: int, text: str) -> FetchError:
    return FetchError(f"the server says {status} {text}".rstrip(), passing=400 <= status < 500)
