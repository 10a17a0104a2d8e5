"""Digest authentication: challenges read, answered and, for the lab's servers, made and verified.

RFC 2617, RFC 7616 and RFC 8760; MD5 and SHA-256, each also as ``-sess``; qop auth, auth-int and none.
Nothing here is random: nonce and cnonce come from the caller.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from phone_emulator.sip.headers import mended, split, unquoted
from phone_emulator.sip.message import Response

HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {
    "MD5": hashlib.md5,
    "MD5-SESS": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-256-SESS": hashlib.sha256,
}
"""Algorithm, in upper case -> hash; a stronger one stands later."""

PARAMETER = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s",]*)', re.DOTALL)
SCHEME = re.compile(r"([A-Za-z0-9_-]+)[ \t]+(?=[A-Za-z0-9_-]+[ \t]*=)")
SCHEME_NAME = re.compile(r"([A-Za-z0-9_-]{1,20})(?:[ \t]+[^\s=]|[ \t]*$)")
"""The same where its parameters, if it has any, cannot be read."""
QOPS = frozenset({"auth", "auth-int"})
"""The protection that can be given."""


Parameters = dict[str, str]
"""Of a challenge or of credentials, by their names in lower case."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server wants proven (RFC 7616 section 3.3)."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    """As the server spelt it; ``MD5`` where it named none."""
    qop: tuple[str, ...] = ()
    """In lower case; empty where the server offers none (RFC 2069 style)."""
    stale: bool = False
    """The credentials were right but their nonce is too old."""
    opaque: str | None = None
    proxy: bool = False
    """From a 407: answered with Proxy-Authorization."""

    @property
    def supported(self) -> bool:
        """Whether ``Session`` can answer it."""
        return self.algorithm.upper() in HASHES and (not self.qop or not QOPS.isdisjoint(self.qop))


class Verdict(StrEnum):
    """What a server makes of credentials."""

    OK = "ok"
    STALE = "stale"
    """The password is right, the nonce is not (any more)."""
    WRONG = "wrong"
    """The response does not fit the password."""
    UNKNOWN = "unknown"
    """No such user."""
    OTHER_REALM = "other-realm"
    MALFORMED = "malformed"
    """No digest credentials, or not complete."""


class Judgement(NamedTuple):
    """A verdict, and the user named in the credentials (empty where none is)."""

    verdict: Verdict
    user: str


def challenges(response: Response) -> list[Challenge]:
    """The digest challenges of a 401 (WWW-Authenticate) or 407 (Proxy-Authenticate), in order.

    Other schemes, and challenges without realm or nonce, are left out.
    """
    name = challenging_header(response.status)
    return read_challenges(response.headers.get_all(name), proxy=response.status == 407)


def read_challenges(values: Iterable[str], *, proxy: bool = False) -> list[Challenge]:
    """The digest challenges in header *values*, in order, as `challenges` has them; also those of HTTP."""
    found = []
    for value in values:
        for scheme, parameters in _credentials(value):
            if scheme != "digest" or "realm" not in parameters or not parameters.get("nonce"):
                continue
            found.append(
                Challenge(
                    realm=parameters["realm"],
                    nonce=parameters["nonce"],
                    algorithm=parameters.get("algorithm") or "MD5",
                    qop=tuple(parameters.get("qop", "").lower().replace(",", " ").split()),
                    stale=parameters.get("stale", "").lower() == "true",
                    opaque=parameters.get("opaque"),
                    proxy=proxy,
                )
            )
    return found


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The strongest challenge that can be answered, the first among equals; None when there is none."""
    strength = list(HASHES)
    supported = [challenge for challenge in challenges if challenge.supported]
    return max(
        supported, key=lambda challenge: strength.index(challenge.algorithm.upper()) // 2, default=None
    )


def challenging_header(status: int) -> str:
    """What carries the challenges of a response with that *status*."""
    return "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"


def unanswerable(response: Response) -> str:
    """Why no challenge of a 401 or 407 can be answered, for people; empty where one can."""
    if choose(challenges(response)) is not None:
        return ""
    name = challenging_header(response.status)
    values = [value for value in response.headers.get_all(name) if value]
    if not values:
        return f"it has no {name} header"
    left = [
        parameters for value in values for scheme, parameters in _credentials(value) if scheme == "digest"
    ]
    schemes = _schemes(values)
    if not left and "digest" not in schemes:
        only = f"asks for {' and '.join(schemes.values())} only" if schemes else "cannot be read"
        return f"its {name} {only}: SIP knows Digest (RFC 3261 section 22)"
    for fits, wrong in REQUIREMENTS:
        fitting = [each for each in left if fits(each)]
        if not fitting:
            return f"its {name} {wrong(left)}"
        left = fitting
    return ""


def _schemes(values: Iterable[str]) -> dict[str, str]:
    """The schemes in *values*, in lower case -> as they are spelt."""
    found = (SCHEME_NAME.match(part) for value in values for part in split(value, ","))
    return {match[1].lower(): match[1] for match in found if match is not None}


def _names(left: Iterable[Parameters], parameter: str) -> str:
    """What the challenges in *left* say of *parameter*, for people."""
    return " or ".join(dict.fromkeys(mended(each.get(parameter, ""))[:20] for each in left))


REQUIREMENTS: tuple[tuple[Callable[[Parameters], bool], Callable[[list[Parameters]], str]], ...] = (
    (lambda each: bool(each.get("nonce")), lambda left: "has no nonce"),
    (lambda each: "realm" in each, lambda left: "has no realm"),
    (
        lambda each: (each.get("algorithm") or "MD5").upper() in HASHES,
        lambda left: f"wants the algorithm {_names(left, 'algorithm')}, which is unknown here",
    ),
    (lambda each: False, lambda left: f"wants the qop {_names(left, 'qop')}, which is unknown here"),
)
"""What a challenge needs to be answered, in the order in which it is looked at, and what is told without."""


def next_nonce(response: Response, *, proxy: bool = False) -> str:
    """The nonce that a 2xx asks for from now on (RFC 7615); empty where it asks for none."""
    name = "Proxy-Authentication-Info" if proxy else "Authentication-Info"
    parts = [PARAMETER.fullmatch(part) for part in split(response.headers.get(name) or "", ",")]
    named = {part[1].lower(): unquoted(part[2]) for part in parts if part is not None}
    return named.get("nextnonce", "")


def header_name(challenge: Challenge) -> str:
    """The header that carries the answer."""
    return "Proxy-Authorization" if challenge.proxy else "Authorization"


class Session:
    """The answers to one challenge; counts how often its nonce was used (RFC 7616 section 3.4)."""

    __slots__ = ("_cnonce", "challenge", "count")

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        self.count = 0
        self._cnonce = ""

    def authorize(
        self, method: str, uri: str, user: str, password: str, cnonce: str, body: bytes = b""
    ) -> str:
        """The value of Authorization or Proxy-Authorization, in the parameter order of a Yealink phone.

        *uri* is the Request-URI; *cnonce* is used where qop or a ``-sess`` algorithm asks for one. ``-sess``
        keeps the first cnonce: its key is made once for each challenge (RFC 2617 section 3.2.2.2).
        Raises ValueError when the challenge is not ``supported``.
        """
        challenge = self.challenge
        if not challenge.supported:
            raise ValueError(
                f"cannot answer digest {challenge.algorithm} with qop {', '.join(challenge.qop)}"
            )
        self.count += 1
        count = f"{self.count:08x}"
        qop = "" if not challenge.qop else "auth" if "auth" in challenge.qop else "auth-int"
        session = challenge.algorithm.upper().endswith("-SESS")
        if session:
            cnonce = self._cnonce = self._cnonce or cnonce
        response = _response(
            challenge.algorithm,
            (user, challenge.realm, password),
            method,
            uri,
            challenge.nonce,
            count,
            cnonce,
            qop,
            body,
        )
        parts = [
            f"username={_quote(user)}",
            f"realm={_quote(challenge.realm)}",
            f"nonce={_quote(challenge.nonce)}",
            f"uri={_quote(uri)}",
            f'response="{response}"',
            f"algorithm={challenge.algorithm}",
        ]
        if qop or session:
            parts.append(f"cnonce={_quote(cnonce)}")
        if qop:
            parts += [f"qop={qop}", f"nc={count}"]
        if challenge.opaque is not None:
            parts.append(f"opaque={_quote(challenge.opaque)}")
        return "Digest " + ", ".join(parts)


def challenge_value(
    realm: str, nonce: str, algorithm: str = "MD5", qop: str = "auth", stale: bool = False
) -> str:
    """The value of WWW-Authenticate or Proxy-Authenticate; an empty *qop* offers none."""
    parts = [f"realm={_quote(realm)}", f"nonce={_quote(nonce)}"]
    if stale:
        parts.append("stale=true")
    parts.append(f"algorithm={algorithm}")
    if qop:
        parts.append(f"qop={_quote(qop)}")
    return "Digest " + ", ".join(parts)


def verify(
    value: str,
    method: str,
    passwords: Mapping[str, str],
    realm: str,
    nonce_ok: Callable[[str], bool],
    body: bytes = b"",
) -> Judgement:
    """Judge the *value* of Authorization or Proxy-Authorization of a request.

    *passwords*: user -> password. *nonce_ok* tells whether a nonce is ours and not too old; it is asked
    only where all else is right. *body* counts for qop auth-int. The nonce count is not watched: a
    retransmitted or reordered request is no attack.
    """
    parameters = next((parameters for scheme, parameters in _credentials(value) if scheme == "digest"), {})
    user = parameters.get("username", "")
    qop = parameters.get("qop", "").lower()
    needed = ["username", "realm", "nonce", "uri", "response"] + (["cnonce", "nc"] if qop else [])
    algorithm = parameters.get("algorithm") or "MD5"
    if any(name not in parameters for name in needed) or algorithm.upper() not in HASHES:
        return Judgement(Verdict.MALFORMED, user)
    if qop not in ("", "auth", "auth-int"):
        return Judgement(Verdict.MALFORMED, user)
    if parameters["realm"] != realm:
        return Judgement(Verdict.OTHER_REALM, user)
    if user not in passwords:
        return Judgement(Verdict.UNKNOWN, user)
    expected = _response(
        algorithm,
        (user, realm, passwords[user]),
        method,
        parameters["uri"],
        parameters["nonce"],
        parameters.get("nc", ""),
        parameters.get("cnonce", ""),
        qop,
        body,
    )
    if not hmac.compare_digest(expected.encode(), _bytes(parameters["response"].lower())):
        return Judgement(Verdict.WRONG, user)
    return Judgement(Verdict.OK if nonce_ok(parameters["nonce"]) else Verdict.STALE, user)


def _response(
    algorithm: str,
    secret: tuple[str, str, str],
    method: str,
    uri: str,
    nonce: str,
    count: str,
    cnonce: str,
    qop: str,
    body: bytes,
) -> str:
    """RFC 7616 section 3.4.1; *secret* is user, realm, password (joined, as a Secret formats as dots)."""
    digest = HASHES[algorithm.upper()]

    def hashed(*parts: str) -> str:
        return digest(_bytes(":".join(parts))).hexdigest()

    key = hashed(*secret)
    if algorithm.upper().endswith("-SESS"):
        key = hashed(key, nonce, cnonce)
    asked = [method, uri]
    if qop == "auth-int":
        asked.append(digest(body).hexdigest())
    if not qop:
        return hashed(key, nonce, hashed(*asked))
    return hashed(key, nonce, count, cnonce, qop, hashed(*asked))


def _credentials(value: str) -> list[tuple[str, Parameters]]:
    """(scheme in lower case, parameters) of each challenge in *value*; the rest is passed over."""
    found: list[tuple[str, Parameters]] = []
    for part in split(value, ","):
        scheme = SCHEME.match(part)
        if scheme:
            found.append((scheme[1].lower(), {}))
        match = PARAMETER.match(part, scheme.end() if scheme else 0)
        if match and found:
            found[-1][1].setdefault(match[1].lower(), unquoted(match[2]))
    return found


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
