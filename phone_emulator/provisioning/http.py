"""HTTP and HTTPS as the phone speaks it: a GET on a connection of its own, Digest or Basic when asked.

RFC 9110, 9112; digest RFC 7616, basic RFC 7617. The framing is h11's.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import h11

from phone_emulator.cleaning import brief
from phone_emulator.numbers import number
from phone_emulator.provisioning.fetching import (
    MOST_BYTES,
    Connection,
    FetchError,
    Manner,
    NotThere,
    connected,
)
from phone_emulator.provisioning.location import Location, LocationError, Scheme, resolve
from phone_emulator.sip.digest import Challenge, Session, choose, read_challenges
from phone_emulator.world.chance import SYSTEM

MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which another attempt may do better."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the body only of a 200."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    """Names in lower case."""
    body: bytes

    def get_all(self, name: str) -> list[str]:
        """The values of the header *name*, in lower case."""
        return [value for key, value in self.headers if key == name]


async def fetch_http(location: Location, manner: Manner) -> bytes:
    """What is at *location*; raises FetchError."""
    redirects = 0
    authorization = ""
    proven = False
    while True:
        answer = await _get(location, manner, authorization)
        if answer.status == 200:
            return answer.body
        if answer.status in _REDIRECTS:
            redirects += 1
            if redirects > MOST_REDIRECTS:
                raise FetchError(f"the server redirects more than {MOST_REDIRECTS} times")
            location = _redirected(location, answer)
            authorization, proven = "", False
        elif answer.status == 401:
            authorization, proven = _authorization(location, manner, answer, proven)
        elif answer.status in _PASSING:
            raise FetchError(f"the server says {answer.status} {answer.reason}".rstrip(), passing=True)
        elif answer.status == 407:
            raise FetchError("the server wants proxy credentials (407), which a phone has not")
        elif 400 <= answer.status < 500:
            raise NotThere(f"{answer.status} {answer.reason}".rstrip())
        else:
            raise FetchError(f"the server says {answer.status} {answer.reason}".rstrip())


async def _get(location: Location, manner: Manner, authorization: str) -> Answer:
    tls_name = location.host if location.scheme is Scheme.HTTPS else None
    async with connected(location.host, location.port, manner, tls_name=tls_name) as connection:
        wire = h11.Connection(our_role=h11.CLIENT)
        headers = [("Host", location.authority), ("User-Agent", manner.user_agent)]
        if authorization:
            headers.append(("Authorization", authorization))
        headers.append(("Connection", "close"))
        try:
            request = h11.Request(method="GET", target=location.request_target, headers=headers)
            await connection.send((wire.send(request) or b"") + (wire.send(h11.EndOfMessage()) or b""))
            return await _answer(wire, connection)
        except h11.LocalProtocolError as error:
            raise FetchError(f"cannot be asked for: {error}") from None
        except h11.RemoteProtocolError as error:
            raise FetchError(f"the server's answer is no HTTP: {brief(str(error))}") from None


async def _answer(wire: h11.Connection, connection: Connection) -> Answer:
    response: h11.Response | None = None
    body = bytearray()
    while True:
        event = await _next_event(wire, connection)
        if isinstance(event, h11.Response):
            response = event
            if response.status_code != 200:
                break  # nobody reads the page of an error
            length = dict(response.headers).get(b"content-length", b"0")
            if number(length.decode("latin-1"), MOST_BYTES) is None:
                raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB, no cfg file is")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MOST_BYTES:
                raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB, no cfg file is")
        elif isinstance(event, h11.EndOfMessage):
            break
    assert response is not None
    return Answer(
        response.status_code,
        brief(response.reason.decode("latin-1"), most=40),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers],
        bytes(body),
    )


async def _next_event(wire: h11.Connection, connection: Connection) -> object:
    """What the server says next; raises FetchError, h11.RemoteProtocolError."""
    while True:
        event = wire.next_event()
        if event is not h11.NEED_DATA:
            return event
        data = await connection.receive()
        if not data and wire.their_state is h11.SEND_RESPONSE:
            raise FetchError("the server closed the connection without an answer", passing=True)
        wire.receive_data(data)


def _redirected(location: Location, answer: Answer) -> Location:
    """Where *answer* leads to; credentials do not go along to another server. Raises FetchError."""
    target = next(iter(answer.get_all("location")), "")
    try:
        found = resolve(location, f"{location.scheme}:{target}" if target.startswith("//") else target)
    except LocationError as error:
        raise FetchError(f"the server redirects badly: {error}") from None
    if found.scheme not in (Scheme.HTTP, Scheme.HTTPS):
        raise FetchError(f"the server redirects to {found}: expected http or https")
    if location.scheme is Scheme.HTTPS and found.scheme is Scheme.HTTP:
        raise FetchError(f"the server redirects to {found}, where nothing is protected")
    return found


def _authorization(location: Location, manner: Manner, answer: Answer, proven: bool) -> tuple[str, bool]:
    """The Authorization that answers a 401, and whether to believe the next 401; raises FetchError."""
    values = answer.get_all("www-authenticate")
    challenge = choose(read_challenges(values))
    credentials = manner.credentials(location)
    if credentials is None:
        raise FetchError(
            "the server wants a user name and a password: put them into the URL (USER:PASSWORD@HOST) "
            "or set static.auto_provision.server.username and .password"
        )
    user, password = credentials
    if proven and not (challenge is not None and challenge.stale):
        raise FetchError(f"the server does not accept the password of user {brief(user)!r} (401)")
    if challenge is not None:
        return _digest(challenge, location, user, password.reveal()), True
    if any(value.strip().lower().startswith("basic") for value in values):
        pair = f"{user}:{password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}", True
    raise FetchError("the server wants credentials of a kind that a phone has not: expected Digest or Basic")


def _digest(challenge: Challenge, location: Location, user: str, password: str) -> str:
    return Session(challenge).authorize(
        "GET", location.request_target, user, password, cnonce=f"{SYSTEM.getrandbits(64):016x}"
    )
