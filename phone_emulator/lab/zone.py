"""Zones of the lab's name server, read from DNS master files (RFC 1035 section 5).

Test zones are short, so much may be left out: SOA and NS, the TTL (one hour), ``$ORIGIN`` where the names are
written in full (the final dot may then be missing too).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from phone_emulator.events import Address
from phone_emulator.numbers import number
from phone_emulator.scarcity import raise_shortage

if TYPE_CHECKING:  # dnspython is imported when first used: it would slow every ``--help`` down.
    import dns.name
    import dns.rdata
    import dns.rdataset
    import dns.rdatatype

    Records = dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rdataset.Rdataset]]

DEFAULT_TTL = 3600
"""Seconds, where a file says nothing."""
NEGATIVE_TTL = 60
"""Seconds that an absence may be remembered in a zone without SOA."""
MAX_SIZE = 4 * 1024 * 1024
"""Characters; a zone for phones has a few hundred."""


class ZoneError(ValueError):
    """The zone cannot be used; the text is ``file:line: message``."""


class Zone:
    """Records by name and type, and the domains of which they are the whole truth. Never changes."""

    def __init__(self, records: Records, origins: frozenset[dns.name.Name]) -> None:
        self._records = records
        self._origins = origins
        self._names = {suffix for name in records for suffix in _suffixes(name)}

    @property
    def origins(self) -> frozenset[dns.name.Name]:
        """The domains that the zone speaks for: owners of SOA records, else the last labels of each name."""
        return self._origins

    def origin_of(self, name: dns.name.Name) -> dns.name.Name | None:
        """The domain of the zone that *name* is in, or None."""
        return next((suffix for suffix in _suffixes(name) if suffix in self._origins), None)

    def has_name(self, name: dns.name.Name) -> bool:
        """Whether *name* exists: it, or something below it, has records (RFC 8020)."""
        return name in self._names

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset | None:
        """The records of *name* and *rdtype*, in the order of the file."""
        return self._records.get(name, {}).get(rdtype)

    def all_of(self, name: dns.name.Name) -> list[dns.rdataset.Rdataset]:
        """Everything that *name* has."""
        return list(self._records.get(name, {}).values())

    def soa(self, origin: dns.name.Name) -> dns.rdataset.Rdataset:
        """The SOA of *origin*, made up where the file has none."""
        import dns.rdataset
        import dns.rdatatype

        found = self.find(origin, dns.rdatatype.SOA)
        if found is not None:
            return found
        data = f"{origin} hostmaster.{origin} 1 3600 600 86400 {NEGATIVE_TTL}".replace("..", ".")
        return dns.rdataset.from_text("IN", "SOA", NEGATIVE_TTL, data)

    def map_addresses(self, addresses: Mapping[str, str]) -> Zone:
        """The same zone with each IP address that is a key of *addresses* replaced by its value."""
        import dns.rdataset
        import dns.rdatatype

        records: Records = {}
        for name, rdtype, rdataset in self._each():
            if rdtype not in (dns.rdatatype.A, dns.rdatatype.AAAA):
                records.setdefault(name, {})[rdtype] = rdataset
                continue
            for rdata in rdataset:
                address = addresses.get(rdata.to_text(), rdata.to_text())
                kind = dns.rdatatype.AAAA if ":" in address else dns.rdatatype.A
                empty = dns.rdataset.Rdataset(rdataset.rdclass, kind)
                mapped = records.setdefault(name, {}).setdefault(kind, empty)
                mapped.add(dns.rdata.from_text("IN", kind, address), rdataset.ttl)
        return Zone(records, self._origins)

    def map_services(self, services: Mapping[Address, Address]) -> Zone:
        """The same zone with its servers moved: SRV ports and address records together.

        *services*: where a server was, by address and port, and where it is now.
        """
        import dns.rdataset
        import dns.rdatatype
        from dns.rdtypes.IN.SRV import SRV

        records: Records = {}
        for name, rdtype, rdataset in self._each():
            moved = dns.rdataset.Rdataset(rdataset.rdclass, rdtype)
            for rdata in rdataset:
                if isinstance(rdata, SRV):
                    port = next(
                        (
                            services[old].port
                            for host in self.find(rdata.target, dns.rdatatype.A) or ()
                            if (old := Address(host.to_text(), rdata.port)) in services
                        ),
                        rdata.port,
                    )
                    rdata = rdata.replace(port=port)
                moved.add(rdata, rdataset.ttl)
            records.setdefault(name, {})[rdtype] = moved
        return Zone(records, self._origins).map_addresses(
            {old.host: new.host for old, new in services.items()}
        )

    def addresses(self) -> list[str]:
        """Every IP address in the zone, once, in the order of the file."""
        import dns.rdatatype

        found = (
            rdata.to_text()
            for _, rdtype, rdataset in self._each()
            if rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
            for rdata in rdataset
        )
        return list(dict.fromkeys(found))

    def _each(self) -> Iterator[tuple[dns.name.Name, dns.rdatatype.RdataType, dns.rdataset.Rdataset]]:
        for name, of_name in self._records.items():
            for rdtype, rdataset in of_name.items():
                yield name, rdtype, rdataset


def read_zone(path: Path, *, origin: str = "") -> Zone:
    """The zone in the file *path*; raises ZoneError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZoneError(f"{path}:1: not a text file in UTF-8 ({error.reason})") from error
    except OSError as error:
        raise_shortage(error, str(path))
        raise ZoneError(f"{path}: {error.strerror or error}") from error
    return parse_zone(text, file=str(path), origin=origin)


@lru_cache(maxsize=64)
def parse_zone(text: str, *, file: str = "zone", first_line: int = 1, origin: str = "") -> Zone:
    """The zone in *text*; raises ZoneError.

    *file* and *first_line* (of *text* in it) are what errors name; *origin* is the domain of relative names.
    """
    if len(text) > MAX_SIZE:
        raise ZoneError(f"{file}:{first_line}: larger than {MAX_SIZE} characters")
    reader = _Reader()
    try:
        if origin:
            reader.read(f"$ORIGIN {origin}", 1)
        begun = False
        for line, entry in _entries(text):
            begun = begun or bool(_OF_A_ZONE(entry))
            if not begun:
                # It may be any file of this machine, which somebody else has named: nothing of it is quoted.
                raise _EntryError(
                    "no DNS master file: expected such as 'pbx.example.com. 60 IN A 192.0.2.1'", line
                )
            reader.read(entry, line)
    except _EntryError as error:
        raise ZoneError(f"{file}:{first_line - 1 + (error.line or reader.line)}: {error}") from error
    return Zone(reader.records, _origins(reader.records, origin))


_OF_A_ZONE = re.compile(r"\s*\$[A-Z]|.*\s(?:IN|A|AAAA|SRV|NAPTR|CNAME|SOA|NS)\s", re.IGNORECASE).match
"""An entry that looks like one of a master file; each needs a blank before its type and data after."""


class _EntryError(ValueError):
    """An entry is wrong; *line* (from 1) where it is another than the entry's first."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


_PIECE = re.compile(r'[^"();\\]+|\\.|"(?:[^"\\]|\\.)*"|;.*|[()]|.')
"""Text, an escaped character, a quoted string, a comment, a parenthesis; else a fault."""


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Each entry with the line it begins on: comments taken away, lines in parentheses joined."""
    depth = start = 0
    entry: list[str] = []
    for count, line in enumerate(text.split("\n"), 1):
        if depth == 0:
            start, entry = count, []
        for piece in _PIECE.findall(line.rstrip("\r")):
            if piece in ("(", ")"):
                depth += 1 if piece == "(" else -1
                entry.append(" ")
                if depth < 0:
                    raise _EntryError("a ) without its (", count)
            elif piece == '"':
                raise _EntryError("a quoted string does not end on its line", count)
            elif not piece.startswith(";"):
                entry.append(piece)
        whole = "".join(entry)
        if depth == 0 and whole.strip():
            yield start, whole
        entry.append(" ")
    if depth:
        raise _EntryError("a ( without its )", start)


class _Reader:
    """Puts entries together to records: an entry may lean on the origin, owner and TTL of those before it."""

    def __init__(self) -> None:
        self.records: Records = {}
        self.line = 1
        """Where the last entry began."""
        self._origin = _name(".")
        self._owner: dns.name.Name | None = None
        self._ttl = DEFAULT_TTL

    def read(self, entry: str, line: int) -> None:
        """Take the entry that begins on *line* in; raises _EntryError."""
        self.line = line
        words = entry.split()
        directive = words[0].upper()
        if directive in ("$ORIGIN", "$TTL"):
            if len(words) != 2:
                raise _EntryError(f"{directive} takes one value, got {len(words) - 1}")
            if directive == "$TTL":
                self._ttl = _seconds(words[1])
            else:
                self._origin = _name(words[1], self._origin)
        elif directive.startswith("$"):
            raise _EntryError(f"{words[0]} is not supported: only $ORIGIN and $TTL are")
        else:
            self._record(entry)

    def _record(self, entry: str) -> None:
        import dns.exception
        import dns.rdata
        import dns.rdataclass
        import dns.rdataset
        import dns.rdatatype

        rest = entry
        if not entry[0].isspace():
            word, rest = _first_word(rest)
            self._owner = _name(word, self._origin)
        if self._owner is None:
            raise _EntryError("the first record of a file needs a name before its type")
        ttl = self._ttl
        word, rest = _first_word(rest)
        while (of_time := number(word[:1], 9) is not None) or word.upper() in ("IN", "CH", "HS", "CS"):
            if of_time:
                ttl = _seconds(word)
            elif word.upper() != "IN":
                raise _EntryError(f"class {word} is not supported: only IN is")
            word, rest = _first_word(rest)
        if not word:
            raise _EntryError(f"a record type was expected after the name {_text(self._owner)}")
        try:
            rdtype = dns.rdatatype.from_text(word)
        except (dns.exception.DNSException, ValueError):
            raise _EntryError(f"{word!r} is not a record type (A, AAAA, SRV, NAPTR, CNAME, …)") from None
        try:
            rdata = dns.rdata.from_text(dns.rdataclass.IN, rdtype, rest.strip(), self._origin, False)
        except Exception as error:  # each record type of dnspython raises what it likes
            reason = re.sub(r"^caught exception <class .*?>: ", "", str(error)).strip().rstrip(".")
            raise _EntryError(
                f"not the data of a record of type {word}: {rest.strip()!r} ({reason})"
            ) from error
        of_name = self.records.setdefault(self._owner, {})
        if of_name and (rdtype == dns.rdatatype.CNAME or dns.rdatatype.CNAME in of_name):
            raise _EntryError(f"{_text(self._owner)} has a CNAME record, so it may have no other (RFC 1034)")
        of_name.setdefault(rdtype, dns.rdataset.Rdataset(dns.rdataclass.IN, rdtype, ttl=ttl)).add(rdata, ttl)


def _first_word(text: str) -> tuple[str, str]:
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0] if rest else ""


def _seconds(text: str) -> int:
    import dns.exception
    import dns.ttl

    try:
        return dns.ttl.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise _EntryError(f"{text!r} is not a TTL: seconds were expected, or 1h, 30m, …") from None


def _name(text: str, origin: dns.name.Name | None = None) -> dns.name.Name:
    import dns.exception
    import dns.name

    if text == "@" and origin is not None:
        return origin
    try:
        return dns.name.from_text(text, origin or dns.name.root)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise _EntryError(f"{text!r} is not a domain name ({str(error).rstrip('.')})") from error


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _suffixes(name: dns.name.Name) -> Iterator[dns.name.Name]:
    """*name* itself, its parent, and so on up to the root."""
    return (name.split(depth)[1] for depth in range(len(name), 0, -1))


def _origins(records: Records, origin: str) -> frozenset[dns.name.Name]:
    import dns.rdatatype

    origins = {name for name, of_name in records.items() if dns.rdatatype.SOA in of_name}
    if origin.strip("."):
        origins.add(_name(origin))
    for name in records:
        if origins.isdisjoint(_suffixes(name)):
            origins.add(name.split(min(3, len(name)))[1])  # two labels and the root
    return frozenset(origins)
