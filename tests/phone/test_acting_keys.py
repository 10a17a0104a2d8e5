"""Keys of cfg files held to what they do on the wire, from the file on; each is set in plain words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import Address, AttemptStarted, DnsAnswered
from phone_emulator.media import dtmf, g711, rtp, tones
from phone_emulator.media.codecs import Offer
from phone_emulator.media.inband import digit_tone
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import silence
from phone_emulator.phone import CallResult, PhoneOptions
from phone_emulator.sip.message import Request, Response
from phone_emulator.world import World
from tests.lab.peers import SERVER, ack_to
from tests.media.listening import amplitude, decibels
from tests.media.opus import needs_opus
from tests.phone.far_end import Play, lines, offer, play
from tests.phone.presence.watching import DIALOG_INFO, granted, registered
from tests.phone.stage import Stage
from tests.phone.stage import play as play_on_stage

# -- what is offered ---------------------------------------------------------------------------------------

DECLARED = PhoneOptions(offer=Offer.DECLARED)
"""What cannot be spoken here is offered all the same."""
PRIORITIES = [
    ("account__1__codec__pcma__enable", "account__1__codec__pcma__priority", "8"),
    ("account__1__codec__g722__enable", "account__1__codec__g722__priority", "9"),
    ("account__1__codec__g729__enable", "account__1__codec__g729__priority", "18"),
    ("account__1__codec__opus__enable", "account__1__codec__opus__priority", "107"),
    ("account__1__codec__ilbc__enable", "account__1__codec__ilbc__priority", "106"),
    ("account__1__codec__g726_16__enable", "account__1__codec__g726_16__priority", "103"),
    ("account__1__codec__g726_24__enable", "account__1__codec__g726_24__priority", "104"),
    ("account__1__codec__g726_32__enable", "account__1__codec__g726_32__priority", "102"),
    ("account__1__codec__g726_40__enable", "account__1__codec__g726_40__priority", "105"),
    ("account__1__codec__g723_53__enable", "account__1__codec__g723_53__priority", "4"),
    ("account__1__codec__g723_63__enable", "account__1__codec__g723_63__priority", "4"),
]
"""Two keys of a codec, and its payload type."""


def offered(**settings: Any) -> list[str]:
    """The payload types of the codecs that the phone offers."""
    media: list[str] = []

    async def story(on: Play) -> None:
        on.phone.dial("1002")
        media.extend(lines((await on.far.heard("INVITE")).body, "m=")[0].split()[3:])

    play(story, DECLARED, stop=False, **settings)
    return [each for each in media if each != "101"]


@pytest.mark.parametrize(("enable", "priority", "payload"), PRIORITIES)
def test_a_codec_takes_its_place_in_the_offer(enable: str, priority: str, payload: str) -> None:
    pcmu: dict[str, Any] = {"account__1__codec__pcmu__priority": 5}
    assert offered(**pcmu, **{enable: 0, priority: 1}) == ["0"]
    assert offered(**pcmu, **{enable: 1, priority: 1}) == [payload, "0"]
    assert offered(**pcmu, **{enable: 1, priority: 9}) == ["0", payload]


def test_a_numbered_codec_is_the_one_that_it_names() -> None:
    """account.X.codec.Y.payload_type, of files up to V80."""
    first: dict[str, Any] = {"account__1__codec__7__enable": 1, "account__1__codec__7__priority": 0}
    assert offered(**first) == ["106", "0"]
    assert offered(account__1__codec__7__payload_type="G726-32", **first) == ["102", "0"]


def test_so_does_pcmu() -> None:
    pcma: dict[str, Any] = {"account__1__codec__pcma__enable": 1, "account__1__codec__pcma__priority": 5}
    assert offered(**pcma, account__1__codec__pcmu__enable=0) == ["8"]
    assert offered(**pcma, account__1__codec__pcmu__priority=4) == ["0", "8"]
    assert offered(**pcma, account__1__codec__pcmu__priority=6) == ["8", "0"]


def test_what_the_offer_says_of_packets_and_digits() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        body = (await on.far.heard("INVITE")).body
        assert lines(body, "a=ptime") == ["a=ptime:40"]
        assert lines(body, "a=rtpmap:99") == ["a=rtpmap:99 telephone-event/8000"]

    play(story, stop=False, account__1__ptime=40, account__1__dtmf__dtmf_payload=99)


@needs_opus
@pytest.mark.parametrize(("para", "captured"), [("opus-nb", 8000), ("opus-mb", 12000), ("opus-wb", 16000)])
def test_how_wide_a_band_opus_has(para: str, captured: int) -> None:
    """account.X.codec.opus.para, in what is offered, answered and sent (RFC 7587 section 6.1)."""
    told = f"sprop-maxcapturerate={captured}; maxaveragebitrate=20000; maxplaybackrate=48000;"
    with_opus = offer().replace(b"AVP 0\r\n", b"AVP 111\r\na=rtpmap:111 opus/48000/2\r\n")

    async def story(on: Play) -> None:
        invite, call = await on.talking(body=with_opus)
        [fmtp] = lines(invite.body, "a=fmtp:107")
        assert fmtp == f"a=fmtp:107 {told} useylrtx=1; useinbandfec=1"
        assert call.voice.agreed is not None
        assert call.voice.agreed.terms.own == fmtp.removeprefix("a=fmtp:107 ")
        hanging_up = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await hanging_up
        _, response, _ = await on.taken(body=with_opus)
        assert lines(response.body, "m=") == ["m=audio 11782 RTP/AVP 111"]
        assert lines(response.body, "a=fmtp:111") == [fmtp.replace("107", "111")]

    only: dict[str, Any] = {"account__1__codec__opus__enable": 1, "account__1__codec__pcmu__enable": 0}
    play(story, account__1__codec__opus__para=para, **only)


def test_what_is_sent_in_a_packet() -> None:
    """account.X.ptime, where the far end asks for nothing."""

    async def story(on: Play) -> None:
        for asked, ptime in ((b"", 40), (b"a=ptime:60\r\n", 60), (b"a=maxptime:30\r\n", 30)):
            _, call = await on.talking(body=offer() + asked)
            assert call.voice.agreed is not None
            assert call.voice.agreed.ptime == ptime
            hanging_up = asyncio.create_task(call.hang_up())
            on.far.answer(await on.far.heard("BYE"), 200)
            await hanging_up

    play(story, account__1__ptime=40)


def test_what_the_answer_says_of_packets() -> None:
    """account.X.ptime, where the offer says nothing."""

    async def story(on: Play) -> None:
        _, response, call = await on.taken()
        assert lines(response.body, "a=ptime") == ["a=ptime:40"]
        assert call.voice.agreed is not None
        assert call.voice.agreed.ptime == 40

    play(story, account__1__ptime=40)


@pytest.mark.parametrize(("vad", "packets"), [(0, 50), (1, 15)])
def test_whether_silence_is_sent(vad: int, packets: int) -> None:
    """voice.vad: no sound for 200 ms, and nothing goes out."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        audio = call.voice.audio
        assert audio is not None
        audio.play(Sound(8000, tones.sine((440,), 100) + silence(900)))
        await asyncio.sleep(2)
        assert audio.counts.sent == packets

    play(story, voice__vad=vad)


@pytest.mark.parametrize(("cng", "loudest"), [(0, 0), (1, 1795)])
def test_whether_comfort_noise_is_heard(cng: int, loudest: int) -> None:
    """voice.cng"""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        audio = call.voice.audio
        assert audio is not None
        audio.record(2)
        far = Address(SERVER.host, 4000)
        for number, payload_type, payload in ((1, 13, b"\x1e"), (50, 0, g711.PCMU.silence(160))):
            packet = rtp.Packet(payload_type, number // 49, 160 * number, 7, payload)
            audio.datagram_received(packet.pack(), far)
        assert max(audio.recording.samples) == pytest.approx(loudest, rel=0.02)

    play(story, voice__cng=cng)


async def info_of_a_digit(on: Play) -> Request:
    """The INFO that a digit goes out in, answered."""
    _, call = await on.talking()
    digits = asyncio.create_task(call.send_dtmf("5"))
    info = await on.far.heard("INFO")
    on.far.answer(info, 200)
    await digits
    return info


def test_how_long_a_digit_lasts() -> None:
    async def story(on: Play) -> None:
        info = await info_of_a_digit(on)
        assert b"Duration=250" in info.body

    play(story, stop=False, account__1__dtmf__type=2, features__dtmf__duration=250)


class RtpEar:
    """The far end's RTP port: the packets that come in, with their times."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: list[tuple[float, rtp.Packet]] = []

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.append((self.world.now(), rtp.parse(data)))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(reason)

    @property
    def events(self) -> list[dtmf.Event]:
        return [dtmf.parse_event(packet.payload) for _, packet in self.heard]

    @property
    def sound(self) -> Sound:
        """What was said, in PCMU."""
        return Sound(8000, g711.decode_ulaw(b"".join(packet.payload for _, packet in self.heard)))


def pressed(digits: str, **settings: Any) -> RtpEar:
    """What comes in at the far end's RTP port when *digits* are sent."""
    ears: list[RtpEar] = []

    async def story(on: Play) -> None:
        ears.append(RtpEar(on.world))
        await on.world.open_udp(Address("192.168.1.13", 4000), ears[0])
        _, call = await on.talking(body=offer(events=101))
        await call.send_dtmf(digits)
        await asyncio.sleep(1)

    play(story, **settings)
    return ears[0]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_how_often_the_end_of_an_event_is_sent(times: int) -> None:
    ear = pressed("5", features__dtmf__repetition=times)
    assert [event.end for event in ear.events] == [False] * 4 + [True] * times


def test_how_long_an_event_and_a_sound_last() -> None:
    assert pressed("5", features__dtmf__duration=60).events[-1].duration == 60 * 8
    sound = pressed("5", features__dtmf__duration=60, account__1__dtmf__type=0).sound
    assert sound.samples == g711.decode_ulaw(g711.encode_ulaw(digit_tone("5", 60)))


@pytest.mark.parametrize("interval", [0, 60, 200])
def test_how_far_digits_are_apart(interval: int) -> None:
    ear = pressed("12", features__dtmf__min_interval=interval)
    first, second = (at for at, packet in ear.heard if packet.marker)
    # The end of an event is sent three times, 20 ms apart: nothing is sooner than that.
    assert round(second - first, 6) == (100 + max(interval, 40)) / 1000
    samples = pressed("12", features__dtmf__min_interval=interval, account__1__dtmf__type=0).sound.samples
    wanted = digit_tone("1", 100) + silence(interval) + digit_tone("2", 100)
    assert samples == g711.decode_ulaw(g711.encode_ulaw(wanted))


@pytest.mark.parametrize("volume", [0, -10, -33])
def test_how_loud_digits_are(volume: int) -> None:
    assert {event.volume for event in pressed("5", features__dtmf__volume=volume).events} == {-volume}
    sound = pressed("5", features__dtmf__volume=volume, account__1__dtmf__type=0).sound
    wanted = Sound(8000, digit_tone("5", 100, volume))
    for hertz in (770, 1336):
        assert decibels(amplitude(sound, hertz), amplitude(wanted, hertz)) == pytest.approx(0, abs=0.2)

    async def story(on: Play) -> None:
        event = dtmf.parse_event((await info_of_a_digit(on)).body)
        assert event == dtmf.Event(5, True, -volume, 800)

    info: dict[str, Any] = {"account__1__dtmf__type": 2, "account__1__dtmf__info_type": 3}
    play(story, stop=False, features__dtmf__volume=volume, **info)


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [(1, "application/dtmf-relay"), (2, "application/dtmf"), (3, "audio/telephone-event")],
)
def test_what_a_digit_looks_like_in_an_info(kind: int, content_type: str) -> None:
    async def story(on: Play) -> None:
        info = await info_of_a_digit(on)
        assert (info.headers.get("Content-Type") or "").lower() == content_type

    play(story, stop=False, account__1__dtmf__type=2, account__1__dtmf__info_type=kind)


def test_the_first_rtp_port() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        assert lines((await on.far.heard("INVITE")).body, "m=")[0].split()[1] == "20000"

    play(
        story, stop=False, static__network__port__min_rtpport=20000, static__network__port__max_rtpport=20010
    )


# -- forwards of a line's own ------------------------------------------------------------------------------


async def forwarded(on: Play, **how: Any) -> str:
    """An INVITE that draws a 302, after any ringing; where it sends the caller."""
    invite = on.far.invite(**how)
    on.far.send(invite)
    while True:
        response = await on.far.hear()
        assert isinstance(response, Response)
        if response.status >= 200:
            on.far.send(ack_to(invite, response))
            return f"{response.status} {response.contacts[0].uri}"


def test_a_busy_line_forwards_where_each_line_has_its_own() -> None:
    async def story(on: Play) -> None:
        await on.taken()
        assert await forwarded(on, call_id="in-2") == "302 sip:1007@192.168.1.13:5060"

    play(
        story,
        features__fwd_mode=1,
        call_waiting__enable=0,
        account__1__busy_fwd__enable=1,
        account__1__busy_fwd__target="1007",
    )


def test_a_line_that_nobody_answers_forwards_where_each_line_has_its_own() -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        assert await forwarded(on) == "302 sip:1008@192.168.1.13:5060"
        assert round(on.world.now() - start, 3) == 24.0

    play(
        story,
        features__fwd_mode=1,
        account__1__timeout_fwd__enable=1,
        account__1__timeout_fwd__target="1008",
        account__1__timeout_fwd__timeout=4,
    )


# -- what is refused ---------------------------------------------------------------------------------------


def test_what_a_phone_that_is_not_to_be_disturbed_answers() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite())
        await on.far.response(404)

    play(story, stop=False, account__1__dnd__enable=1, features__dnd_refuse_code=404)


# -- who calls ---------------------------------------------------------------------------------------------

PAI = ("P-Asserted-Identity", "<sip:pai@pbx>")
PPI = ("P-Preferred-Identity", "<sip:ppi@pbx>")
RPID = ("Remote-Party-ID", "<sip:rpid@pbx>;party=calling")


@pytest.mark.parametrize(
    ("settings", "caller"),
    [
        ({}, "1002"),
        ({"account__1__cid_source": 1}, "pai"),
        ({"account__1__cid_source": 1, "account__1__cid_source_ppi": 1}, "ppi"),
        ({"account__1__cid_source": 6}, "ppi"),
        ({"account__1__cid_source": 6, "sip__cid_source__preference": "Remote-Party-ID"}, "rpid"),
    ],
)
def test_who_is_said_to_call(settings: dict[str, Any], caller: str) -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing(extra=[PAI, PPI, RPID])
        assert call.remote == caller

    play(story, **settings)


@pytest.mark.parametrize(("privacy", "rejected"), [(1, True), (0, False)])
def test_a_caller_who_wants_privacy_is_anonymous(privacy: int, rejected: bool) -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=[("Privacy", "id")]))
        await on.far.response(433 if rejected else 180)

    play(
        story,
        stop=False,
        account__1__cid_source_privacy=privacy,
        account__1__reject_anonymous_call=1,
    )


# -- what it subscribes to ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("overlap", "refresh"), [(-1, 540), (100, 500)])
def test_a_subscription_is_renewed_before_it_ends(overlap: int, refresh: float) -> None:
    async def story(on: Play) -> None:
        subscribe = await granted_at_once(on)
        start = on.world.now()
        await asyncio.sleep(refresh - 10)
        again = await on.far.heard("SUBSCRIBE")
        assert again.call_id == subscribe.call_id
        assert round(on.world.now() - start) == refresh
        on.far.answer(again, 200, extra=[("Expires", "600")])

    async def granted_at_once(on: Play) -> Request:
        await registered(on)
        return await granted(on, 600)

    play(
        story,
        stop=False,
        account__1__subscribe_mwi=1,
        account__1__subscribe_expires_overlap=overlap,
    )


def test_how_long_a_lamp_subscribes_for() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        subscribe = await granted(on, content_type=DIALOG_INFO)
        assert subscribe.headers.get("Expires") == "777"

    play(
        story,
        stop=False,
        linekey__3__type=16,
        linekey__3__value="1002",
        linekey__3__line=1,
        account__1__blf__subscribe_period=777,
    )


# -- timers and ports --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [30, 100])
def test_when_a_subscription_that_failed_is_tried_again(seconds: int) -> None:
    async def story(on: Play) -> None:
        await registered(on)
        on.far.answer(await on.far.heard("SUBSCRIBE"), 500)
        await on.far.nothing(seconds - 1)
        await on.far.heard("SUBSCRIBE")

    play(story, stop=False, account__1__subscribe_mwi=1, account__1__sub_fail_retry_interval=seconds)


def test_the_realm_of_the_phones_own_challenge() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite())
        response = await on.far.response(401)
        assert 'realm="office"' in (response.headers.get("WWW-Authenticate") or "")

    play(
        story,
        stop=False,
        sip__request_validation__digest__list="INVITE",
        sip__request_validation__digest__realm="office",
    )


def test_how_long_a_far_end_may_ring() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 180)
        await on.far.nothing(76.9)
        await on.far.heard("CANCEL")

    play(story, stop=False, phone_setting__ringback_timeout=77)


@pytest.mark.parametrize(
    ("t2", "times"), [(4, [0.0, 0.5, 1.5, 3.5, 7.5, 11.5]), (2, [0.0, 0.5, 1.5, 3.5, 5.5, 7.5, 9.5, 11.5])]
)
def test_how_far_apart_retransmissions_get(t2: int, times: list[float]) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        start = on.world.now()
        ending = asyncio.create_task(call.hang_up())
        await asyncio.sleep(12)
        assert [round(at - start, 3) for at, _ in on.sent("BYE")] == times
        await ending

    play(story, sip__timer_t2=t2)


@pytest.mark.parametrize(("t4", "told"), [(5, True), (10, False)])
def test_how_long_a_late_response_is_known(t4: int, told: bool) -> None:
    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        response = on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
        await registering
        await asyncio.sleep(7)  # RFC 3261 section 17.1.2.2: timer K is T4 over UDP
        on.far.send(response)
        await on.rest()
        assert bool(on.ignored) is told

    play(story, stop=False, sip__timer_t4=t4)


@pytest.mark.parametrize(("key", "way"), [("0", "udp"), ("1", "tcp")])
def test_how_names_are_asked_for(key: str, way: str) -> None:
    # rule D8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        sources = {each.source for each in stage.events if isinstance(each, DnsAnswered)}
        assert {source.rpartition("/")[2] for source in sources if "/" in source} == {way}

    play_on_stage(story, {"sip.dns_transport_type": key})


def test_the_port_of_tls_is_in_the_contact() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert {each.contacts[0].uri.port for each in stage.requests("REGISTER", ".13")} == {5071}

    tls = {
        "account.1.sip_server.1.address": "192.168.1.13",
        "account.1.sip_server.1.transport_type": "2",
        "account.1.sip_server.1.port": "5061",
    }
    play_on_stage(story, {**tls, "sip.tls_listen_port": "5071"})


# -- static records: rule D7 -------------------------------------------------------------------------------

NAME = {"account.1.static_cache_pri": "1", "account.1.sip_server.2.address": ""}
SRV = {
    **NAME,
    "dns_cache_srv.1.name": "_sip._udp.yealink.pbx.com",
    "dns_cache_srv.1.target": "one.pbx.com",
    "dns_cache_srv.2.name": "_sip._udp.yealink.pbx.com",
    "dns_cache_srv.2.target": "two.pbx.com",
    "dns_cache_a.1.name": "one.pbx.com",
    "dns_cache_a.1.ip": "192.168.1.13",
    "dns_cache_a.2.name": "two.pbx.com",
    "dns_cache_a.2.ip": "192.168.1.14",
}
NAPTR = {
    **{key: value for key, value in SRV.items() if not key.startswith("dns_cache_srv")},
    "dns_cache_naptr.1.name": "yealink.pbx.com",
    "dns_cache_naptr.1.service": "SIP+D2U",
    "dns_cache_naptr.1.replace": "one.pbx.com",
    "dns_cache_naptr.1.flags": "A",
    "dns_cache_naptr.2.name": "yealink.pbx.com",
    "dns_cache_naptr.2.service": "SIP+D2T",
    "dns_cache_naptr.2.replace": "two.pbx.com",
    "dns_cache_naptr.2.flags": "A",
}


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({**SRV, "dns_cache_srv.1.priority": "1", "dns_cache_srv.2.priority": "2"}, "192.168.1.13:5060/udp"),
        ({**SRV, "dns_cache_srv.1.priority": "2", "dns_cache_srv.2.priority": "1"}, "192.168.1.14:5060/udp"),
        ({**SRV, "dns_cache_srv.1.weight": "65535"}, "192.168.1.13:5060/udp"),
        ({**SRV, "dns_cache_srv.2.weight": "65535"}, "192.168.1.14:5060/udp"),
        (
            {
                **SRV,
                "dns_cache_srv.1.priority": "0",
                "dns_cache_srv.2.priority": "1",
                "dns_cache_srv.1.port": "5070",
            },
            "192.168.1.13:5070/udp",
        ),
        ({**NAPTR, "dns_cache_naptr.1.order": "1", "dns_cache_naptr.2.order": "2"}, "192.168.1.13:5060/udp"),
        ({**NAPTR, "dns_cache_naptr.1.order": "2", "dns_cache_naptr.2.order": "1"}, "192.168.1.14:5060/tcp"),
        (
            {**NAPTR, "dns_cache_naptr.1.preference": "1", "dns_cache_naptr.2.preference": "2"},
            "192.168.1.13:5060/udp",
        ),
        (
            {**NAPTR, "dns_cache_naptr.1.preference": "2", "dns_cache_naptr.2.preference": "1"},
            "192.168.1.14:5060/tcp",
        ),
    ],
)
def test_static_records_are_taken_in_their_order(settings: dict[str, str], first: str) -> None:
    # rule D7
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        target = stage.told(AttemptStarted)[0].target
        assert f"{target.address}:{target.port}/{target.transport}" == first
        await call.hang_up()

    play_on_stage(story, settings, zone="other.pbx.com. IN A 192.168.1.99")


def test_a_static_address_runs_out() -> None:
    # rule F1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert call.route[0].target.ttl == 77

    play_on_stage(story, {**SRV, "dns_cache_a.1.ttl": "77", "dns_cache_a.2.ttl": "77"})


def test_the_port_of_a_proxy() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        assert stage.told(AttemptStarted)[0].target.port == 5070
        await call.hang_up()

    proxy = {"account.1.outbound_proxy_enable": "1", "account.1.outbound_proxy.1.address": "192.168.1.13"}
    play_on_stage(story, {**proxy, "account.1.outbound_proxy.1.port": "5070"})
