"""Static records (rule D7): what the cfg files say about names, ``dns_cache_{a,srv,naptr}.N.*``."""

from __future__ import annotations

from collections.abc import Iterable

from phone_emulator.config.model import StaticRecord

from .message import parse_record
from .records import Answer, RdType, key_of


class StaticRecords:
    """The static records of the phone, found by name, type and account."""

    def __init__(self, records: Iterable[StaticRecord]) -> None:
        self._records: dict[tuple[str, str], list[StaticRecord]] = {}
        for record in records:
            self._records.setdefault((key_of(record.name), record.rdtype.upper()), []).append(record)

    def find(self, name: str, rdtype: RdType, account: int | None = None) -> Answer | None:
        """The records of *name* for everyone and for *account*, in the order of the files; None without any.

        Records whose data cannot be read are left out: the check of the cfg files names them.
        """
        found, ttl = [], None
        for record in self._records.get((key_of(name), rdtype), ()):
            if record.account not in (None, account):
                continue
            try:
                parsed = parse_record(rdtype, record.text)
            except ValueError:
                continue
            if parsed not in found:
                found.append(parsed)
                ttl = record.ttl if ttl is None else min(ttl, record.ttl)
        if ttl is None:
            return None
        return Answer(name, rdtype, tuple(found), ttl, "static")
