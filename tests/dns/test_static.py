"""Static records of the cfg files."""

from __future__ import annotations

from phone_emulator.config.model import StaticRecord
from phone_emulator.dns.records import AddressRecord, NaptrRecord, RdType, SrvRecord
from phone_emulator.dns.static import StaticRecords

RECORDS = StaticRecords(
    [
        StaticRecord(
            name="yealink.pbx.com", rdtype="NAPTR", text='1 2 "s" "SIP+D2U" "" _sip._udp.x', ttl=300
        ),
        StaticRecord(name="_sip._udp.x", rdtype="SRV", text="1 5 5060 srv1.pbx.com", ttl=300),
        StaticRecord(name="srv1.pbx.com", rdtype="A", text="192.168.1.13", ttl=300),
        StaticRecord(name="SRV1.pbx.com.", rdtype="A", text="192.168.1.14", ttl=60),
        StaticRecord(name="srv1.pbx.com", rdtype="A", text="192.168.1.13", ttl=30),
        StaticRecord(name="srv1.pbx.com", rdtype="A", text="192.168.1.15", ttl=300, account=2),
        StaticRecord(name="broken.pbx.com", rdtype="A", text="192.168.1", ttl=300),
    ]
)


# rule D7
def test_each_type_is_read() -> None:
    naptr = RECORDS.find("yealink.pbx.com", RdType.NAPTR)
    srv = RECORDS.find("_sip._udp.x", RdType.SRV)
    assert naptr is not None
    assert naptr.records == (NaptrRecord(1, 2, "s", "SIP+D2U", "", "_sip._udp.x"),)
    assert srv is not None
    assert srv.records == (SrvRecord(1, 5, 5060, "srv1.pbx.com"),)
    assert srv.source == "static"


# rule D7
def test_records_of_one_name_come_in_file_order_once_with_the_shortest_ttl() -> None:
    found = RECORDS.find("srv1.PBX.com", RdType.A)
    assert found is not None
    assert found.records == (AddressRecord("192.168.1.13"), AddressRecord("192.168.1.14"))
    assert found.ttl == 60


# rule D7
def test_records_of_an_account_serve_that_account_only() -> None:
    for account, count in ((None, 2), (1, 2), (2, 3)):
        found = RECORDS.find("srv1.pbx.com", RdType.A, account)
        assert found is not None
        assert len(found.records) == count


# rule D7
def test_what_is_not_there_or_not_readable_is_none() -> None:
    assert RECORDS.find("nothere.pbx.com", RdType.A) is None
    assert RECORDS.find("srv1.pbx.com", RdType.SRV) is None
    assert RECORDS.find("broken.pbx.com", RdType.A) is None
