"""What the cfg files say, typed. Each field's docstring ends with its Yealink parameter."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from phone_emulator.config.secret import Secret as Secret
from phone_emulator.events import Transport

_ADDRESS_OF_RECORD = re.compile(
    r"(?:sips?:)?(.+)@((?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)", re.IGNORECASE
)
"""A user name that says its domain, too."""


class TransportType(IntEnum):
    """``account.X.sip_server.Y.transport_type``."""

    UDP = 0
    TCP = 1
    TLS = 2
    DNS_NAPTR = 3

    @property
    def transport(self) -> Transport:
        """The transport where no record says another."""
        return Transport.UDP if self is TransportType.DNS_NAPTR else Transport[self.name]


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
class ForwardConfig:
    """Where incoming calls are sent: ``forward.*``, or ``account.X.*_fwd.*`` (``features.fwd_mode``)."""

    always: bool = False
    """``forward.always.enable``, ``account.X.always_fwd.enable``"""
    always_target: str = ""
    """``forward.always.target``, ``account.X.always_fwd.target``"""
    busy: bool = False
    """``forward.busy.enable``, ``account.X.busy_fwd.enable``"""
    busy_target: str = ""
    """``forward.busy.target``, ``account.X.busy_fwd.target``"""
    no_answer: bool = False
    """``forward.no_answer.enable``, ``account.X.timeout_fwd.enable``"""
    no_answer_target: str = ""
    """``forward.no_answer.target``, ``account.X.timeout_fwd.target``"""
    rings: int = 2
    """How often it rings first, 0..20. ``forward.no_answer.timeout``, ``account.X.timeout_fwd.timeout``"""


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
    """A user, or an address of record: ``1001@pbx.example.com`` (C7). ``.user_name``"""
    auth_name: str = ""
    """``.auth_name``; the user where blank."""
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
    compact_headers: bool = False
    """Spells headers in their short forms. ``.compact_header_enable``"""
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
    opus_para: str = "opus-wb"
    """How wide a band Opus sends; of ``opus-nb`` to ``opus-fb``. ``.codec.opus.para``"""
    srtp_encryption: int = 0
    """0 off, 1 optional, 2 compulsory; up to V71 1 is compulsory and 2 optional. ``.srtp_encryption``"""
    srtp_ciphers: str = "AES_CM_128_HMAC_SHA1_80,AES_CM_128_HMAC_SHA1_32"
    """The preferred first. ``.srtp.cipher_list``"""
    reliable_provisional: bool = False
    """Provisional responses are acknowledged (RFC 3262). ``.100rel_enable``"""
    session_timer: bool = False
    """Calls are refreshed, or end (RFC 4028). ``.session_timer.enable``"""
    session_expires: int = 1800
    """Seconds, 90..7200. ``.session_timer.expires``"""
    session_refresher: int = 0
    """Who refreshes where it is this end's to say: 0 UAC, 1 UAS. ``.session_timer.refresher``"""
    hold_use_inactive: bool = False
    """Holds with a=inactive instead of a=sendonly. ``.hold_use_inactive``"""
    auto_answer: bool = False
    """``.auto_answer``"""
    dnd: bool = False
    """``.dnd.enable``"""
    forward: ForwardConfig = field(default_factory=ForwardConfig)
    """In effect with ``features.fwd_mode = 1``. ``.always_fwd``, ``.busy_fwd``, ``.timeout_fwd``"""
    transfer_to_contact: bool = False
    """Attended transfers name the target's Contact. ``.transfer_refer_to_contact_header.enable``"""
    conference_type: int = 0
    """Who mixes a conference: 0 the phone, 2 a server. ``.conf_type``"""
    conference_uri: str = ""
    """The conference at that server, as it is dialled. ``.conf_uri``"""
    collector_name: str = ""
    """The user part of whom the quality of calls is reported to. ``.vq_rtcpxr.collector_name``"""
    collector_host: str = ""
    """Where that is; blank for nowhere. ``.vq_rtcpxr.collector_server_host``"""
    collector_port: int = 5060
    """1..65535. ``.vq_rtcpxr.collector_server_port``"""
    caller_source: int = 0
    """Which headers name a caller: 0 From, 1 PAI, 2 PAI From, 3 RPID PAI From, 4 PAI RPID From, 5 RPID From,
    6 those of ``sip.cid_source.preference``. ``.cid_source``"""
    caller_privacy: bool = True
    """Whether a caller who asks for privacy is shown as anonymous. ``.cid_source_privacy``"""
    caller_preferred: bool = False
    """Whether P-Preferred-Identity names a caller first. ``.cid_source_ppi``"""
    connected_source: int = 0
    """Who is shown at the far end: 0 as PAI or RPID say, 1 as dialled, 2 as From says (RFC 4916).
    ``.cp_source``"""
    anonymous_call: bool = False
    """Whether the line calls as Anonymous. ``.anonymous_call``"""
    reject_anonymous: bool = False
    """``.reject_anonymous_call``"""
    dialog_pickup: bool = False
    """Whether a monitored call is picked up by INVITE with Replaces. ``.dialoginfo_callpickup``"""

    subscribe_mwi: bool = False
    """Subscribe to the mailbox. ``.subscribe_mwi``"""
    subscribe_mwi_expires: int = 3600
    """Seconds, 0..84600. ``.subscribe_mwi_expires``"""
    subscribe_expires_overlap: int = -1
    """Seconds before expiry, or -1. ``.subscribe_expires_overlap``"""
    sub_fail_retry_interval: int = 30
    """Seconds. ``.sub_fail_retry_interval``"""
    subscribe_mwi_to_vm: bool = False
    """Subscribe to the voice mail number instead of the line itself. ``.subscribe_mwi_to_vm``"""
    blf_subscribe_period: int = 1800
    """Seconds that a BLF key subscribes for, 30..2147483647. ``.blf.subscribe_period``"""
    blf_list_uri: str = ""
    """The list of numbers that BLF list keys show. ``.blf.blf_list_uri``"""
    out_dialog_blf: bool = False
    """BLF keys heed NOTIFYs outside their dialogs, too. ``.out_dialog_blf_enable``"""
    subscribe_register: bool = False
    """Subscribe to the line's own registrations (RFC 3680). ``.subscribe_register``"""

    path: bool = False
    """REGISTER says that it supports Path (RFC 3327). ``.path.enable``"""
    gruu: bool = False
    """Ask for a GRUU and use it as Contact (RFC 5627). ``.gruu.enable``"""
    keepalive: int = 1
    """0 none, 1 a short UDP packet, 2 OPTIONS, 3 NOTIFY. ``.nat.udp_update_enable``"""
    keepalive_interval: int = 30
    """Seconds, 15..2147483647. ``.nat.udp_update_time``"""

    @property
    def user(self) -> str:
        """The user part of the line's URIs: ``1001``."""
        return _address_of_record(self.user_name)[0]

    @property
    def domain(self) -> str:
        """The domain that ``user_name`` names, with its port: ``pbx.example.com``; empty where it names none.

        It takes the place of the servers' addresses in From, To and Request-URI (C7).
        """
        return _address_of_record(self.user_name)[1]

    @property
    def digest_user(self) -> str:
        """Who authenticates."""
        return self.auth_name or self.user

    @property
    def shown_label(self) -> str:
        """What the line key shows."""
        return self.label or self.user_name or f"line {self.index}"


@lru_cache(maxsize=1024)
def _address_of_record(user_name: str) -> tuple[str, str]:
    """User and domain of *user_name*; no domain where there is none, or none that could be one."""
    found = _ADDRESS_OF_RECORD.fullmatch(user_name)
    return (found[1], found[2]) if found else (user_name, "")


class KeyType(IntEnum):
    """The values of ``linekey.X.type`` that the phone acts upon; all others do nothing."""

    BLF = 16
    BLF_LIST = 39


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig:
    """``linekey.X.*``: one line key."""

    index: int
    """X, from 1."""
    type: int = 0
    """A `KeyType`, or what is none. ``.type``"""
    line: int = 0
    """X of ``account.X``; 0 leaves it to the phone: the first line. ``.line``"""
    value: str = ""
    """The number that the key is about. ``.value``"""
    label: str = ""
    """``.label``"""
    extension: str = ""
    """What is dialled to pick a call up there. ``.extension``"""


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
    ttl: int = 300
    """Seconds, of an address; nothing asks when the others run out. ``dns_cache_a.N.ttl``"""
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
    voice_mail_numbers: tuple[tuple[int, str], ...] = ()
    """X and the number of that account's voice mail, in order of X. ``voice_mail.number.X``"""
    keys: tuple[KeyConfig, ...] = ()
    """Line keys that have a type, in order of X. ``linekey.X``"""
    timers: TimerConfig = field(default_factory=TimerConfig)
    dns: DnsConfig = field(default_factory=DnsConfig)
    skip_redundant_failover_addr: bool = True
    """D5. ``sip.skip_redundant_failover_addr``"""
    reg_surge_prevention: int = 0
    """Seconds, 0..60 (R11). ``sip.reg_surge_prevention``"""
    listen_port: int | None = None
    """None where the firmware decides: 5060 in V8x, 5062 before. ``sip.listen_port``"""
    tls_listen_port: int = 5061
    """``sip.tls_listen_port``"""
    mac_in_ua: bool = False
    """``sip.mac_in_ua``"""
    use_23_as_pound: bool = True
    """Whether ``#`` in a number is sent as ``%23``. ``sip.use_23_as_pound``"""
    outbound_in_dialog: bool = False
    """Whether requests in dialogs go through the outbound proxy, too. ``sip.use_out_bound_in_dialog``"""
    direct_ip_call: bool = True
    """Whether addresses are called past the servers, and calls to the phone's own address ring.
    ``features.direct_ip_call_enable``"""
    call_num_filter: str = ", -()/"
    """Characters that numbers are typed with and dialled without. ``features.call_num_filter``"""
    trust_ctrl: bool = False
    """Only requests from the line's servers are accepted. ``sip.trust_ctrl``"""
    rtp_symmetric: int = 0
    """Which RTP is rejected: 1 from other IP addresses than the negotiated one, 2 from other ports, 3 both.
    ``features.rtp_symmetric.enable``"""
    validated_methods: str = ""
    """Methods, by commas, that only the line's servers may use. ``sip.request_validation.source.list``"""
    digested_methods: str = ""
    """Methods, by commas, that draw a digest challenge. ``sip.request_validation.digest.list``"""
    validation_realm: str = "YealinkSPIP"
    """Of that challenge. ``sip.request_validation.digest.realm``"""
    validated_events: str = ""
    """Events of NOTIFY and SUBSCRIBE that these are for; blank for all. ``sip.request_validation.event``"""
    keepalive_by_socket: bool = True
    """Keep TCP and TLS connections alive, too. ``sip.send_keepalive_by_socket``"""
    trust_certificates: bool = True
    """Whether TLS certificates are checked. ``static.security.trust_certificates``"""
    ca_cert: int = 2
    """Trusted are 0 the machine's CAs, 1 the user's, 2 both. ``static.security.ca_cert``"""
    cn_validation: bool | None = None
    """Whether its name is checked; None where no file says. ``static.security.cn_validation``"""
    dev_cert: int = 0
    """1: the phone shows the user's own certificate to servers that ask. ``static.security.dev_cert``"""
    trusted_certificates_url: str = ""
    """The user's CAs, in PEM. ``static.trusted_certificates.url``"""
    server_certificates_url: str = ""
    """The phone's own certificate and key, in PEM. ``static.server_certificates.url``"""
    ip_address_mode: int | None = None
    """0 IPv4, 1 IPv6, 2 both; None lets the servers' addresses decide. ``static.network.ip_address_mode``"""
    signal_dscp: int = 26
    """0..63, the mark of SIP packets. ``static.network.qos.signaltos``"""
    audio_dscp: int = 46
    """0..63, the mark of RTP packets. ``static.network.qos.audiotos``"""
    rtcp: bool = True
    """Whether RTCP goes beside RTP. ``voice.rtcp.enable``"""
    rtcp_cname: str = ""
    """The phone's name in it; blank for the line's user at the phone's address. ``voice.rtcp_cname``"""
    rtcp_xr: bool = False
    """Whether it tells VoIP metrics (RFC 3611). ``voice.rtcp_xr.enable``"""
    session_reports: bool = False
    """Whether the quality of each call is reported at its end (RFC 6035).
    ``phone_setting.vq_rtcpxr.session_report.enable``"""
    interval_reports: bool = False
    """Whether it is while the call goes on, too. ``phone_setting.vq_rtcpxr.interval_report.enable``"""
    report_interval: int = 20
    """Seconds between two of those, 5..20. ``phone_setting.vq_rtcpxr_interval_period``"""
    jitter_adaptive: bool = True
    """Whether the jitter buffer adapts. ``voice.jib.adaptive``"""
    jitter_min: int = 60
    """Milliseconds that an adaptive one has at least. ``voice.jib.min``"""
    jitter_normal: int = 120
    """Milliseconds that a fixed one has. ``voice.jib.normal``"""
    jitter_max: int = 240
    """Milliseconds that an adaptive one has at most. ``voice.jib.max``"""
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
    anonymous_code: int = 433
    """What a rejected anonymous call is answered. ``features.anonymous_response_code``"""
    caller_preference: str = "P-Preferred-Identity, P-Asserted-Identity, Remote-Party-ID, From"
    """In effect with ``account.X.cid_source = 6``. ``sip.cid_source.preference``"""
    forward_allowed: bool = True
    """``features.fwd.allow``"""
    forward_by_account: bool = False
    """Whether each line has forwards of its own. ``features.fwd_mode``"""
    forward_diversion: bool = True
    """Whether a forward adds Diversion (RFC 5806). ``features.fwd_diversion_enable``"""
    forward: ForwardConfig = field(default_factory=ForwardConfig)
    """``forward.always``, ``forward.busy``, ``forward.no_answer``"""
    semi_attended_transfer: bool = True
    """Whether a call that rings can be replaced in a transfer. ``transfer.semi_attend_tran_enable``"""
    local_conference: bool = True
    """Whether the phone mixes calls itself. ``features.conference.local.enable``"""
    conference_goes_on: bool = False
    """Whether the others are joined when this phone leaves. ``transfer.tran_others_after_conf_enable``"""
    intercom: bool = True
    """Whether a caller may ask that the phone answers by itself. ``features.intercom.allow``"""
    auto_answer_delay: int = 1
    """Seconds that a call rings before the phone takes it by itself, 1..4. ``features.auto_answer_delay``"""
    call_waiting: bool = True
    """``call_waiting.enable``"""
    ringing_timeout: int = 180
    """Seconds an incoming call rings. ``phone_setting.ringing_timeout``"""
    ringback_timeout: int = 180
    """Seconds an outgoing call may ring. ``phone_setting.ringback_timeout``"""
    dtmf_duration: int = 100
    """Milliseconds. ``features.dtmf.duration``"""
    dtmf_interval: int = 50
    """Milliseconds of pause between two digits. ``features.dtmf.min_interval``"""
    dtmf_repetition: int = 3
    """How often the end of a telephone event is sent. ``features.dtmf.repetition``"""
    vad: bool = False
    """Silence is not sent. ``voice.vad``"""
    cng: bool = True
    """Comfort noise of the far end is heard as noise. ``voice.cng``"""
    dtmf_volume: int = -10
    """dBm0 of a digit. ``features.dtmf.volume``"""
    tone_country: str = "Custom"
    """Whose tones are heard; Custom: those below. ``voice.tone.country``"""
    tone_ring: str = ""
    """The ringback, where it is not the usual one. ``voice.tone.ring``"""
    tone_busy: str = ""
    """``voice.tone.busy``"""
    tone_congestion: str = ""
    """``voice.tone.congestion``"""
    tone_callwaiting: str = ""
    """``voice.tone.callwaiting``"""
    call_waiting_tone: bool = True
    """Whether a call that comes in while another one talks is heard. ``call_waiting.tone``"""
    busy_tone_delay: int = 0
    """Seconds of busy tone when the far end has hung up. ``features.busy_tone_delay``"""
    rfc2543_hold: bool = False
    """``sip.rfc2543_hold``"""
    deal_180: bool = True
    """A 180 after early sound brings the phone's own ringback again. ``phone_setting.is_deal180``"""

    def account(self, index: int) -> AccountConfig | None:
        """The account *index* (from 1), or None."""
        return next((account for account in self.accounts if account.index == index), None)

    def voice_mail_number(self, index: int) -> str:
        """The number of the voice mail of account *index* (from 1); empty for none."""
        return dict(self.voice_mail_numbers).get(index, "")

    @property
    def lines(self) -> tuple[AccountConfig, ...]:
        """The enabled accounts."""
        return tuple(account for account in self.accounts if account.enable)
