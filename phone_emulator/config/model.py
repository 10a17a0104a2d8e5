"""What the cfg files say, typed. Each field's docstring ends with its Yealink parameter."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from phone_emulator.config.secret import Secret as Secret


class TransportType(IntEnum):
    """``account.X.sip_server.Y.transport_type``."""

    UDP = 0
    TCP = 1
    TLS = 2
    DNS_NAPTR = 3


class FailbackMode(IntEnum):
    """``account.X.sip_server.Y.failback_mode``."""

    NEW_REQUESTS = 0
    DNS_TTL = 1
    REGISTRATION = 2
    DURATION = 3


class RedundancyType(IntEnum):
    """``account.X.fallback.redundancy_type``."""

    CONCURRENT = 0
    SUCCESSIVE = 1


class DnsCacheType(IntEnum):
    """``account.X.dns_cache_type``."""

    NONE = 0
    TTL = 1
    TTL_AND_ADDITIONAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverConfig:
    """The failover keys of a server, or of an outbound proxy with its -1s already resolved (rule O2)."""

    retry_counts: int | None = None
    """Retransmissions, 0..20; None where no file sets it. ``.retry_counts``"""
    invite_retry_counts: int | None = None
    """Retransmissions of an INVITE, 1..10; None where no file sets it. ``.invite_retry_counts``"""
    register_on_enable: bool = False
    """REGISTER at the secondary before sending requests there (R9). ``.register_on_enable``"""
    only_signal_with_registered: bool = False
    """While failed over, requests go to the registered server only (R9). ``.only_signal_with_registered``"""
    failback_mode: FailbackMode = FailbackMode.NEW_REQUESTS
    """When the primary is tried again (F). ``.failback_mode``"""
    failback_timeout: int = 3600
    """Seconds, 0 (never) or 60..65535; 1..59 were raised to 60 (F3). ``.failback_timeout``"""
    failback_subscribe: bool = False
    """Renew subscriptions at once at a new server (F6). ``.failback_subscribe.enable``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """``account.X.sip_server.Y.*``."""

    number: int
    """Y: 1, the working server, or 2, the fallback server."""
    address: str
    """A domain name or an IP address. ``.address``"""
    port: int = 5060
    """0..65535; 0 lets DNS find it (D1). ``.port``"""
    transport_type: TransportType = TransportType.UDP
    """``.transport_type``"""
    expires: int = 3600
    """Seconds asked for, 30..2147483647. ``.expires``"""
    failover: FailoverConfig = field(default_factory=FailoverConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """``account.X.outbound_proxy.Y.*``."""

    number: int
    """Y: 1 or 2."""
    address: str
    """``.address``"""
    port: int = 5060
    """``.port``"""
    failover: FailoverConfig = field(default_factory=FailoverConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig:
    """``account.X.codec.NAME.*``, enabled ones only."""

    name: str
    """``pcmu``, ``pcma``, ``g722``, ``g729``, ``opus`` …"""
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """``account.X.*``: one line of the phone."""

    index: int
    """X, from 1."""
    enable: bool = False
    """``.enable``"""
    label: str = ""
    """``.label``"""
    display_name: str = ""
    """``.display_name``"""
    user_name: str = ""
    """``.user_name``"""
    auth_name: str = ""
    """``.auth_name``; the user name where blank."""
    password: Secret = field(default_factory=Secret)
    """``.password``"""
    servers: tuple[ServerConfig, ...] = ()
    """Those with an address, in order of Y. ``.sip_server.Y``"""
    outbound_proxy_enable: bool = False
    """``.outbound_proxy_enable``"""
    proxies: tuple[ProxyConfig, ...] = ()
    """Those with an address, in order of Y. ``.outbound_proxy.Y``"""
    outbound_proxy_fallback_interval: int = 3600
    """Seconds, 0..65535. ``.outbound_proxy_fallback_interval``"""
    redundancy_type: RedundancyType = RedundancyType.CONCURRENT
    """``.fallback.redundancy_type``"""
    fallback_timeout: int = 120
    """Seconds, 10..2147483647 (R4). ``.fallback.timeout``"""
    redundancy_with_reg_fail: bool = False
    """R6. ``.redundancy_with_reg_fail.enable``"""
    naptr_build: bool = False
    """D3. ``.naptr_build``"""
    dns_cache_type: DnsCacheType = DnsCacheType.TTL
    """D6. ``.dns_cache_type``"""
    static_cache_pri: bool = False
    """D7: static records before DNS. ``.static_cache_pri``"""
    reg_fail_retry_interval: int = 30
    """Seconds, 0..1800 (R7). ``.reg_fail_retry_interval``"""
    reg_failed_retry_min_time: int = 0
    """Seconds; RFC 5626 back-off when positive (R7). ``.reg_failed_retry_min_time``"""
    reg_failed_retry_max_time: int = 60
    """Seconds (R7). ``.reg_failed_retry_max_time``"""
    register_expires_overlap: int = -1
    """Seconds before expiry, or -1 (R8). ``.register_expires_overlap``"""
    unregister_on_reboot: bool = False
    """R11. ``.unregister_on_reboot``"""
    register_mac: bool = False
    """Adds a MAC header to REGISTER. ``.register_mac``"""
    register_line: bool = False
    """Adds a Line header to REGISTER. ``.register_line``"""
    rport: bool = False
    """Adds rport to Via (RFC 3581). ``.nat.rport``"""
    user_equal_phone: bool = False
    """Adds ;user=phone. ``.enable_user_equal_phone``"""
    custom_ua: str = ""
    """Replaces the User-Agent. ``.custom_ua``"""
    dtmf_type: int = 1
    """0 inband, 1 RFC 2833, 2 INFO, 3 both. ``.dtmf.type``"""
    dtmf_info_type: int = 1
    """1 DTMF-Relay, 2 DTMF, 3 telephone-event. ``.dtmf.info_type``"""
    dtmf_payload: int = 101
    """RTP payload type, 96..127. ``.dtmf.dtmf_payload``"""
    ptime: int = 20
    """Milliseconds; 0 leaves it out of the SDP. ``.ptime``"""
    codecs: tuple[CodecConfig, ...] = ()
    """In order of priority. ``.codec.NAME.enable``, ``.codec.NAME.priority``"""
    auto_answer: bool = False
    """``.auto_answer``"""
    dnd: bool = False
    """``.dnd.enable``"""

    subscribe_mwi: bool = False
    """Subscribe to the mailbox. ``.subscribe_mwi``"""
    subscribe_mwi_expires: int = 3600
    """Seconds, 0..84600. ``.subscribe_mwi_expires``"""
    subscribe_expires_overlap: int = -1
    """Seconds before expiry, or -1. ``.subscribe_expires_overlap``"""
    sub_fail_retry_interval: int = 30
    """Seconds. ``.sub_fail_retry_interval``"""

    @property
    def digest_user(self) -> str:
        """Who authenticates."""
        return self.auth_name or self.user_name

    @property
    def shown_label(self) -> str:
        """What the line key shows."""
        return self.label or self.user_name or f"line {self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerConfig:
    """The base timers of RFC 3261, in seconds (T)."""

    t1: float = 0.5
    """0.5..10. ``sip.timer_t1``"""
    t2: float = 4.0
    """2..40. ``sip.timer_t2``"""
    t4: float = 5.0
    """2.5..60. ``sip.timer_t4``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRecord:
    """One static DNS record (D7): ``dns_cache_a.N.*``, ``dns_cache_srv.N.*``, ``dns_cache_naptr.N.*``."""

    name: str
    rdtype: str
    """``A``, ``SRV`` or ``NAPTR``."""
    text: str
    """The record's data in master-file form: ``192.168.1.13``, ``0 1 5060 srv1.example.com.``, …"""
    ttl: int
    account: int | None = None
    """The account it serves (old spelling), or None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig:
    """How names are looked up (D8)."""

    primary: str = ""
    """``static.network.primary_dns``"""
    secondary: str = ""
    """``static.network.secondary_dns``"""
    query_timeout: float = 3.0
    """Seconds. ``static.network.dns.query_timeout``"""
    retry_times: int = 2
    """``static.network.dns.retry_times``"""
    tcp: bool = False
    """``sip.dns_transport_type``"""
    static_records: tuple[StaticRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneConfig:
    """The whole phone."""

    accounts: tuple[AccountConfig, ...] = ()
    """Accounts that any file mentions, in order of X."""
    timers: TimerConfig = field(default_factory=TimerConfig)
    dns: DnsConfig = field(default_factory=DnsConfig)
    skip_redundant_failover_addr: bool = True
    """D5. ``sip.skip_redundant_failover_addr``"""
    reg_surge_prevention: int = 0
    """Seconds, 0..60 (R11). ``sip.reg_surge_prevention``"""
    listen_port: int = 5060
    """``sip.listen_port``"""
    tls_listen_port: int = 5061
    """``sip.tls_listen_port``"""
    mac_in_ua: bool = False
    """``sip.mac_in_ua``"""
    use_23_as_pound: bool = True
    """Whether ``#`` in a number is sent as ``%23``. ``sip.use_23_as_pound``"""
    trust_ctrl: bool = False
    """Only requests from the line's servers are accepted. ``sip.trust_ctrl``"""
    trust_certificates: bool = True
    """Whether TLS certificates are checked. ``static.security.trust_certificates``"""
    min_rtp_port: int = 11780
    """``static.network.port.min_rtpport``"""
    max_rtp_port: int = 12780
    """``static.network.port.max_rtpport``"""
    normal_refuse_code: int = 486
    """``features.normal_refuse_code``"""
    dnd_refuse_code: int = 480
    """``features.dnd_refuse_code``"""
    no_answer_code: int = 486
    """``features.no_answer_code``"""
    call_waiting: bool = True
    """``call_waiting.enable``"""
    ringing_timeout: int = 180
    """Seconds an incoming call rings. ``phone_setting.ringing_timeout``"""
    ringback_timeout: int = 180
    """Seconds an outgoing call may ring. ``phone_setting.ringback_timeout``"""
    dtmf_duration: int = 100
    """Milliseconds. ``features.dtmf.duration``"""
    rfc2543_hold: bool = False
    """``sip.rfc2543_hold``"""

    def account(self, index: int) -> AccountConfig | None:
        """The account *index* (from 1), or None."""
        return next((account for account in self.accounts if account.index == index), None)

    @property
    def lines(self) -> tuple[AccountConfig, ...]:
        """The enabled accounts."""
        return tuple(account for account in self.accounts if account.enable)
