"""The cache: TTLs, absences, bounds."""

from __future__ import annotations

from phone_emulator.dns.cache import Cache
from phone_emulator.dns.records import AddressRecord, Answer, NoRecords, RdType, RecordSet

A = RdType.A


def answer(name: str = "srv1.pbx.com", ttl: float = 60, address: str = "192.168.1.13") -> Answer:
    return Answer(name, A, (AddressRecord(address),), ttl, "192.168.1.53:53/udp")


# rule D6
def test_an_answer_lives_for_its_ttl_and_tells_what_is_left() -> None:
    cache = Cache()
    cache.put(answer(ttl=60), now=100)
    known = cache.get("SRV1.pbx.com.", A, now=159.5)
    assert isinstance(known, Answer)
    assert (known.ttl, known.source, known.addresses) == (0.5, "cache", ("192.168.1.13",))
    assert cache.get("srv1.pbx.com", A, now=160) is None
    assert len(cache) == 0


# rule D6
def test_an_absence_is_remembered_for_its_own_time() -> None:
    cache = Cache()
    cache.put(NoRecords("nothere.pbx.com", A, False, 10, "dns"), now=0)
    assert isinstance(cache.get("nothere.pbx.com", A, now=9.9), NoRecords)
    assert cache.get("nothere.pbx.com", A, now=10) is None


# rule D6
def test_what_has_no_time_to_live_is_not_remembered() -> None:
    cache = Cache()
    cache.put(answer(ttl=0), now=0)
    cache.put(NoRecords("nothere.pbx.com", A, True, 0, "dns"), now=0)
    assert len(cache) == 0


# rule D6
def test_types_are_apart() -> None:
    cache = Cache()
    cache.put(answer(), now=0)
    assert cache.get("srv1.pbx.com", RdType.AAAA, now=0) is None


# rule D6
def test_what_a_server_volunteers_never_replaces_what_it_answered() -> None:
    cache = Cache()
    cache.put(answer("srv1.pbx.com"), now=0)
    extra = tuple(
        RecordSet(name, A, (AddressRecord("10.0.0.9"),), 60) for name in ("srv1.pbx.com", "srv2.pbx.com")
    )
    cache.put_additional(extra, 0, "dns")
    first, second = cache.get("srv1.pbx.com", A, 1), cache.get("srv2.pbx.com", A, 1)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.addresses, second.addresses) == (("192.168.1.13",), ("10.0.0.9",))


def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    cache = Cache(max_entries=3)
    for number in range(3):
        cache.put(answer(f"h{number}"), now=0)
    assert cache.get("h0", A, now=1) is not None
    cache.put(answer("h3"), now=1)
    assert len(cache) == 3
    assert cache.get("h0", A, now=1) is not None
    assert cache.get("h1", A, now=1) is None


def test_when_the_next_answer_runs_out() -> None:
    cache = Cache()
    assert cache.next_expiry(0.0) is None
    cache.put(answer("a.pbx.com", ttl=60), 10.0)
    cache.put(answer("b.pbx.com", ttl=5), 10.0)
    assert cache.next_expiry(10.0) == 15.0
    assert cache.next_expiry(15.0) == 70.0
    assert cache.next_expiry(70.0) is None


def test_a_cleared_cache_knows_nothing() -> None:
    cache = Cache()
    cache.put(answer(), now=0)
    cache.clear()
    assert cache.get("srv1.pbx.com", A, now=0) is None
