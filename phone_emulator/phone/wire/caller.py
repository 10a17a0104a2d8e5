"""Who calls, and who answered: which headers the phone believes (RFC 3323, RFC 3325, RFC 4916, RFC 5806)."""

from __future__ import annotations

from dataclasses import dataclass

import sipmessage

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.sip import values
from phone_emulator.sip.headers import split
from phone_emulator.sip.message import Message, Request, Response

FROM, ASSERTED, PREFERRED, REMOTE = "From", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"
SOURCES: dict[int, tuple[str, ...]] = {
    0: (FROM,),
    1: (ASSERTED,),
    2: (ASSERTED, FROM),
    3: (REMOTE, ASSERTED, FROM),
    4: (ASSERTED, REMOTE, FROM),
    5: (REMOTE, FROM),
}
"""``account.X.cid_source``: which headers name a caller, the best first; 6 is a list of the user's."""
CONNECTED = (ASSERTED, REMOTE)
HIDDEN = frozenset({"id", "user", "header"})
"""Values of Privacy that ask for the caller not to be shown (RFC 3323 section 4.2, RFC 3325 section 9.3)."""
ANONYMOUS = "anonymous"
ANONYMOUS_HOST = "anonymous.invalid"
UNKNOWN = "unknown"
"""Who calls where none of the headers that are looked at says it."""
MAX_LENGTH = 256
"""Characters of a number or a name that is shown."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    number: str
    """User part, else URI; ``anonymous`` where it is not to be known."""
    name: str = ""
    """The display name."""
    diverted_by: str = ""
    """Who sent the call here, as the last Diversion tells it."""

    @property
    def anonymous(self) -> bool:
        """Whether the caller does not want to be known."""
        return self.number == ANONYMOUS


def caller_of(request: Request, account: AccountConfig, config: PhoneConfig) -> Caller:
    """Who sent the INVITE *request*, by the headers that the account believes; raises MessageError."""
    _ = request.from_address
    names = SOURCES.get(account.caller_source)
    if names is None:
        known = {name.lower(): name for name in (FROM, ASSERTED, PREFERRED, REMOTE)}
        asked = (each.strip().lower() for each in config.caller_preference.split(","))
        names = tuple(known[each] for each in asked if each in known) or (FROM,)
    if account.caller_preferred:
        names = (PREFERRED, *names)
    diverted_by = _shown(_first(request, "Diversion"))[0]
    wanted = {each.lower() for value in request.headers.get_all("Privacy") for each in split(value, ";")}
    found = next((address for name in names if (address := _first(request, name)) is not None), None)
    if account.caller_privacy and (wanted & HIDDEN or _hides(found)):
        return Caller(ANONYMOUS, "Anonymous", diverted_by)
    if found is not None and found.uri.host.lower() == ANONYMOUS_HOST:
        return Caller(ANONYMOUS, "Anonymous", diverted_by)
    number, name = _shown(found)
    return Caller(number or UNKNOWN, name, diverted_by)


def connected_party(message: Request | Response, account: AccountConfig) -> str:
    """Who is at the far end as *message* says (``account.X.cp_source``); empty where it does not."""
    if account.connected_source == 0:
        found = next((each for name in CONNECTED if (each := _first(message, name)) is not None), None)
        return _shown(found)[0]
    if renames(account) and isinstance(message, Request):
        return _shown(_first(message, FROM))[0]
    return ""


def renames(account: AccountConfig) -> bool:
    """Whether the far end may become someone else by the From of a request (RFC 4916)."""
    return account.connected_source == 2


def _first(message: Message, name: str) -> sipmessage.Address | None:
    """The first address of that header that can be read; one that names nobody counts for nothing."""
    for value in message.headers.values(name)[:4]:
        try:
            found = values.address(value)
        except ValueError:
            continue
        if found.uri.user or found.uri.host:
            return found
    return None


def _shown(found: sipmessage.Address | None) -> tuple[str, str]:
    """Number and name of an address."""
    if found is None:
        return "", ""
    number = found.uri.user or str(found.uri)
    return number[:MAX_LENGTH], (found.name or "")[:MAX_LENGTH]


def _hides(found: sipmessage.Address | None) -> bool:
    """Whether a Remote-Party-ID asks for privacy by itself."""
    return found is not None and (found.parameters.get("privacy") or "").lower() == "full"
