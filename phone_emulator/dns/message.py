"""DNS messages: questions to bytes, bytes to replies. dnspython does the wire format (RFC 1035 section 4).

Whatever the bytes are, :func:`decode` returns a reply or None; nothing else comes out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from .records import AddressRecord, NaptrRecord, RdType, Record, RecordSet, SrvRecord

if TYPE_CHECKING:  # dnspython is imported when first used: it would slow every ``--help`` down.
    import dns.message
    import dns.name
    import dns.rrset

MAX_TTL = 2**31 - 1
"""RFC 2181 section 8: a TTL with the top bit set counts as 0."""
REMEMBERED_SIZE = 512
"""Bytes; larger replies are read anew each time, so that hostile ones cannot fill the memory."""
ONE = b"\0\1"
"""How many questions a reply repeats."""
MAX_CHAIN = 8
"""How many CNAMEs are followed."""


class NoName(ValueError):
    """What is to be looked up is no domain name."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and the id by which its answer is known."""

    id: int
    name: str
    rdtype: RdType

    def encode(self) -> bytes:
        """The query; raises NoName (the text says why) where the name is no domain name."""
        return self.id.to_bytes(2) + _query(self.name, self.rdtype)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered to a question."""

    rcode: str
    """``NOERROR``, ``NXDOMAIN``, ``SERVFAIL``, …"""
    truncated: bool = False
    records: tuple[Record, ...] = ()
    ttl: float = 0
    """Seconds; the shortest along the CNAMEs of this message."""
    alias: str | None = None
    """Where the CNAMEs of this message lead to; None without CNAME."""
    looped: bool = False
    """Whether the CNAMEs lead in a circle, or are more than anyone would follow."""
    negative_ttl: float = 0
    """Seconds that the absence of records may be remembered (RFC 2308 section 5); 0 without SOA."""
    referral: bool = False
    """Whether the server only names other servers to ask."""
    additional: tuple[RecordSet, ...] = ()


def decode(data: bytes, question: Question) -> Reply | None:
    """The reply in *data*, or None where it is no answer to *question*."""
    if data[:2] != question.id.to_bytes(2):
        return None
    read = _decode if len(data) <= REMEMBERED_SIZE else _decode.__wrapped__
    return read(data[2:], question.name, question.rdtype)


@lru_cache(maxsize=1024)
def _query(name: str, rdtype: RdType) -> bytes:
    """The query without its id: phones ask the same questions again and again."""
    import dns.exception
    import dns.message

    try:
        return dns.message.make_query(name, str(rdtype), id=0).to_wire()[2:]
    except (dns.exception.DNSException, UnicodeError) as error:
        raise NoName(f"not a domain name: {error}") from error


@lru_cache(maxsize=1024)
def _decode(data: bytes, name: str, rdtype: RdType) -> Reply | None:
    """The reply in *data*, which has no id."""
    import dns.message

    if data[2:4] != ONE:  # looked at first: dnspython would take its time over thousands of questions
        return None
    question = Question(0, name, rdtype)
    truncated = False
    try:
        message = dns.message.from_wire(b"\0\0" + data, ignore_trailing=True, raise_on_truncation=True)
    except dns.message.Truncated as error:
        # dnspython leaves the method untyped; it returns what could be read.
        message, truncated = error.message(), True  # type: ignore[no-untyped-call]
    except Exception:  # hostile bytes: dnspython documents no closed list of what they raise
        return None
    if not _answers(message, question):
        return None
    try:
        return _read(message, question, truncated)
    except Exception:  # as above: names and records are only partly checked until they are used
        return None


def _answers(message: dns.message.Message, question: Question) -> bool:
    import dns.flags
    import dns.opcode
    import dns.rdataclass

    if not message.flags & dns.flags.QR or len(message.question) != 1:
        return False
    asked = message.question[0]
    return (
        message.opcode() == dns.opcode.QUERY
        and asked.rdclass == dns.rdataclass.IN
        and asked.rdtype.name == question.rdtype
        and asked.name == _name(question.name)
    )


def _read(message: dns.message.Message, question: Question, truncated: bool) -> Reply:
    import dns.flags
    import dns.rcode
    import dns.rdatatype

    rcode = dns.rcode.to_text(message.rcode())
    if truncated:
        return Reply(rcode, truncated=True)
    rdtype = dns.rdatatype.from_text(str(question.rdtype))
    answer = {(rrset.name, rrset.rdtype): rrset for rrset in message.answer}
    owner, ttl = _name(question.name), MAX_TTL
    seen: set[dns.name.Name] = set()
    while (owner, rdtype) not in answer:
        cname = answer.get((owner, dns.rdatatype.CNAME))
        if cname is None:
            break
        if owner in seen or len(seen) >= MAX_CHAIN:
            return Reply(rcode, looped=True)
        seen.add(owner)
        ttl = min(ttl, _ttl(cname.ttl))
        owner = cname[0].target
    alias = _text(owner) if seen else None
    found = answer.get((owner, rdtype))
    if found is not None:
        records = _records(found)
        wanted = {_name(name) for record in records for name in _leads_to(record)}
        extra = tuple(
            RecordSet(_text(rrset.name), RdType(rrset.rdtype.name), _records(rrset), _ttl(rrset.ttl))
            for rrset in message.additional
            if rrset.name in wanted and rrset.rdtype.name in RdType.__members__
        )
        return Reply(rcode, False, records, min(ttl, _ttl(found.ttl)), alias, additional=extra)
    soa = next((rrset for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA), None)
    referral = (
        soa is None
        and not message.flags & (dns.flags.AA | dns.flags.RA)
        and any(rrset.rdtype == dns.rdatatype.NS for rrset in message.authority)
    )
    negative = 0 if soa is None else min(ttl, _ttl(soa.ttl), _ttl(soa[0].minimum))
    return Reply(rcode, ttl=ttl, alias=alias, negative_ttl=negative, referral=referral)


def _records(rrset: dns.rrset.RRset) -> tuple[Record, ...]:
    return tuple(to_record(RdType(rrset.rdtype.name), rdata) for rdata in rrset)


def to_record(rdtype: RdType, rdata: object) -> Record:
    """dnspython's *rdata* as a record of ours."""
    from dns.rdtypes.IN.A import A
    from dns.rdtypes.IN.AAAA import AAAA
    from dns.rdtypes.IN.NAPTR import NAPTR
    from dns.rdtypes.IN.SRV import SRV

    match rdata:
        case A() | AAAA():
            return AddressRecord(rdata.address)
        case SRV():
            return SrvRecord(rdata.priority, rdata.weight, rdata.port, _text(rdata.target))
        case NAPTR():
            flags, service, regexp = (
                value.decode("ascii", "replace") for value in (rdata.flags, rdata.service, rdata.regexp)
            )
            return NaptrRecord(
                rdata.order, rdata.preference, flags, service, regexp, _text(rdata.replacement)
            )
    raise ValueError(f"not a {rdtype} record: {rdata}")


def _leads_to(record: Record) -> tuple[str, ...]:
    match record:
        case SrvRecord():
            return (record.target,)
        case NaptrRecord():
            return (record.replacement,)
    return ()


def _ttl(seconds: int) -> int:
    return seconds if seconds <= MAX_TTL else 0


def _name(text: str) -> dns.name.Name:
    import dns.name

    return dns.name.from_text(text)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def parse_record(rdtype: RdType, text: str) -> Record:
    """The record whose data is *text* in master-file form; raises ValueError, the text says why."""
    import dns.exception
    import dns.name
    import dns.rdata

    try:
        return to_record(rdtype, dns.rdata.from_text("IN", str(rdtype), text, origin=dns.name.root))
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(f"not the data of a record of type {rdtype}: {text!r} ({error})") from error
