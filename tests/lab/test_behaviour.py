from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.events import Transport
from phone_emulator.lab.behaviour import METHODS, Behaviour, BehaviourKind, CalleeBehaviour, CalleeKind
from phone_emulator.lab.vocabulary import (
    CALLEE,
    SERVER,
    TARGETING,
    BadCertificate,
    BrokenChallenge,
    Entry,
    Over,
    offers,
)
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import write_wav

OK = Behaviour()
UNAVAILABLE = Behaviour(BehaviourKind.STATUS, 503)


@pytest.mark.parametrize(
    ("written", "behaviour"),
    [
        ("ok", OK),
        ("silent", Behaviour(BehaviourKind.SILENT)),
        ("Refuse", Behaviour(BehaviourKind.REFUSE)),
        (503, UNAVAILABLE),
        ("503", UNAVAILABLE),
        (200, OK),
        ("503 retry-after 30", Behaviour(BehaviourKind.STATUS, 503, retry_after=30)),
        ({"status": 503, "retry_after": 30}, Behaviour(BehaviourKind.STATUS, 503, retry_after=30)),
        ({"retry_after": 30, "status": 503}, Behaviour(BehaviourKind.STATUS, 503, retry_after=30)),
        ("delay=2s", Behaviour(delay=2.0)),
        ("{delay: 2s}", Behaviour(delay=2.0)),
        ("{INVITE: 503, REGISTER: ok}", Behaviour(per_method={"INVITE": UNAVAILABLE, "REGISTER": OK})),
        ({"delay": "2s"}, Behaviour(delay=2.0)),
        ("delay: 250ms, loss: 20%", Behaviour(delay=0.25, loss=0.2)),
        ("silent, loss=0.5", Behaviour(BehaviourKind.SILENT, loss=0.5)),
        ({"loss": 0.3, "duplicate": 0.2, "reorder": "10%"}, Behaviour(loss=0.3, duplicate=0.2, reorder=0.1)),
        ("INVITE=503", Behaviour(per_method={"INVITE": UNAVAILABLE})),
        ("silent, invite: ok", Behaviour(BehaviourKind.SILENT, per_method={"INVITE": OK})),
        ({"INVITE": 503, "REGISTER": "ok"}, Behaviour(per_method={"INVITE": UNAVAILABLE, "REGISTER": OK})),
    ],
)
def test_reads_yaml_and_command_line(written: object, behaviour: Behaviour) -> None:
    assert Behaviour.parse(written) == behaviour


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "silet", "99", "100", "700", "INVITE=", "INVIT=503", "delay", "delay=soon", "loss=2", "loss=x"),
        *("{delay: 2s", "{delay}", "{}", "{INVITE: [}", "{delay: 2s}, silent"),
        *(None, True, 5.5, [], {}, {"delay": None}, {"status": True}, {"INVITE": {"REGISTER": 503}}),
        *(
            {"retry_after": 5},
            {"status": 503, "retry_after": 1.5},
            {"INVITE": {"retry_after": 5}},
            "silent,,503",
        ),
    ],
)
def test_says_what_is_wrong(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        Behaviour.parse(wrong)


def test_a_method_has_its_own_way_and_the_servers_delay() -> None:
    behaviour = Behaviour.parse(
        {"delay": "2s", "INVITE": {"status": 503, "retry_after": 9}, "BYE": "delay 1s"}
    )
    assert behaviour.for_method("INVITE") == Behaviour(BehaviourKind.STATUS, 503, retry_after=9, delay=2.0)
    assert behaviour.for_method("BYE") == Behaviour(delay=1.0)
    assert behaviour.for_method("REGISTER") == Behaviour(delay=2.0)
    shares = Behaviour.parse({"loss": 0.3, "duplicate": 0.2, "reorder": 0.1, "BYE": {"loss": 0.5}})
    assert shares.for_method("BYE") == Behaviour(loss=0.5, duplicate=0.2, reorder=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "ok",
        "503",
        "silent",
        "INVITE: 503, REGISTER: ok",
        "delay 2s",
        "503 retry-after 5",
        "loss 0.1 reorder 0.3",
    ],
)
def test_is_written_as_people_write_it(text: str) -> None:
    assert str(Behaviour.parse(text)) == text


_STATUSES = st.builds(
    Behaviour,
    st.just(BehaviourKind.STATUS),
    st.integers(201, 699),
    st.none() | st.integers(0, 3600),
    st.integers(0, 5000).map(lambda ms: ms / 1000),
    *[st.integers(0, 100).map(lambda percent: percent / 100)] * 3,
)
_WORDS = [
    *(
        "ok",
        "silent",
        "refuse",
        "trying",
        "ringing",
        "mute",
        "challenge-forever",
        "no-to-tag",
        "rewrite-to",
        "rewrite-contact no-to-tag",
    ),
    *(
        "next 3 503",
        "next 2 silent",
        "rate 5",
        "rate 200 then 480 retry-after 7",
        "rate 1 then slow delay 1s",
    ),
    *("challenge-broken", "challenge-broken basic", "challenge-broken unknown-algorithm", "500 no-to-tag"),
]
_OF_A_METHOD = st.sampled_from([Behaviour.parse(word) for word in _WORDS]) | _STATUSES
_PLAIN = st.sampled_from(
    [
        Behaviour.parse(word)
        for word in (
            *(
                "refuse",
                "trying",
                "ringing",
                "423 min-expires 120",
                "close-after 250ms",
                "rate 3 then silent",
            ),
            *(
                "certificate expired",
                "silent certificate wrong-name close-after 10s",
                "certificate unknown-ca",
            ),
        )
    ]
)
_METHODS = [method for method in METHODS if method in TARGETING]


@given(_OF_A_METHOD | _PLAIN, st.dictionaries(st.sampled_from(_METHODS), _OF_A_METHOD, max_size=3))
def test_text_reads_back(base: Behaviour, per_method: dict[str, Behaviour]) -> None:
    behaviour = replace(base, per_method=per_method)
    assert Behaviour.parse(str(behaviour)) == behaviour


@pytest.mark.parametrize(
    ("written", "behaviour"),
    [
        (
            {"status": 423, "min_expires": 120},
            Behaviour(BehaviourKind.STATUS, 423, min_expires=120),
        ),
        ({"next": 3, "status": 503}, Behaviour(BehaviourKind.STATUS, 503, next=3)),
        ("next 3 503", Behaviour(BehaviourKind.STATUS, 503, next=3)),
        ({"next": 2, "status": "silent"}, Behaviour(BehaviourKind.SILENT, next=2)),
        ({"rate": 200, "then": 503}, Behaviour(rate=200, then=503)),
        ({"rate": "200", "then": "slow"}, Behaviour(rate=200, then=Over.SLOW)),
        ("challenge-forever", Behaviour(BehaviourKind.CHALLENGE_FOREVER)),
        (
            {"challenge-broken": "basic"},
            Behaviour(BehaviourKind.CHALLENGE_BROKEN, challenge=BrokenChallenge.BASIC),
        ),
        (
            "challenge_broken",
            Behaviour(BehaviourKind.CHALLENGE_BROKEN, challenge=BrokenChallenge.NO_NONCE),
        ),
        ("no-to-tag", Behaviour(no_to_tag=True)),
        ({"status": 486, "no-to-tag": True}, Behaviour(BehaviourKind.STATUS, 486, no_to_tag=True)),
        ("rewrite-contact rewrite-to", Behaviour(rewrite_contact=True, rewrite_to=True)),
        ({"close_after": "10s"}, Behaviour(close_after=10.0)),
        ({"certificate": "wrong-name"}, Behaviour(certificate=BadCertificate.WRONG_NAME)),
    ],
)
def test_reads_the_further_words(written: object, behaviour: Behaviour) -> None:
    assert Behaviour.parse(written) == behaviour


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("silent 503", "silent and status: only one"),
        ("delay 1s delay 2s", "delay stands there twice"),
        ("next 3", "goes with what the next requests meet"),
        ("next 0 503", "next is how many requests, 1 to 1000"),
        ("next 3 loss 0.1", "loss is not about single ones"),
        ("next 3 refuse", "to a server that is not there"),
        ("next 3 rate 5", "rate is not about single ones"),
        ("rate 1.5", "rate is how many requests a second"),
        ("rate 5 then ok", "then cannot be 'ok': a status from 300 on, or one of silent, slow"),
        ("then 503", "then goes with a rate"),
        ("503 min-expires 120", "min_expires goes with 423"),
        ("close-after 0s", "is no time"),
        ("certificate old", "one of expired, wrong-name, unknown-ca"),
        ({"mute": False}, "write 'true', or leave it out"),
        ("REGISTER: close-after 5s", "close-after is about the whole server"),
        ("REGISTER: certificate expired", "certificate is about the whole server"),
        ("INVITE: 423 min-expires 5", "only for REGISTER, SUBSCRIBE"),
        ("ACK: mute", "means nothing for it"),
        ("CANCEL: next 1 503", "means nothing for it"),
        ("BYE: rewrite-contact", "only for INVITE, NOTIFY, REFER"),
        ("tone 440Hz", "all the words: ok, status"),
    ],
)
def test_what_means_nothing_is_refused(wrong: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Behaviour.parse(wrong)


def test_what_is_about_connections_needs_some() -> None:
    udp, tcp, tls = Transport.UDP, Transport.TCP, Transport.TLS
    close, certificate = Behaviour.parse("close-after 5s"), Behaviour.parse("certificate expired")
    assert (
        close.why_not([udp]) == "close-after is about TCP or TLS connections, and the server speaks UDP only"
    )
    assert "is about TLS connections" in certificate.why_not([udp, tcp])
    assert close.why_not([udp, tcp]) == certificate.why_not([udp, tls]) == Behaviour().why_not([]) == ""


@pytest.mark.parametrize("entry", [*SERVER.values(), *CALLEE.values()], ids=lambda entry: entry.name)
def test_every_word_is_told_and_every_offer_can_be_taken(entry: Entry) -> None:
    parse = CalleeBehaviour.parse if entry.name in CALLEE else Behaviour.parse
    assert bool(entry.form) == bool(entry.says)
    for text, means in entry.offers:
        assert means
        assert str(parse(str(parse(text)))) == str(parse(text))


def test_an_offer_stands_in_a_menu_once() -> None:
    texts = [text for table in (SERVER, CALLEE) for text, _ in offers(table)]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    "wrong",
    [
        *("away", "", 5, None, {"tune": "440Hz"}, {"sdp": None}, "busy hang-up-after 5s", "busy press 1"),
        *("busy tone 440Hz", {"tone": None}, {"tone": True}, {"play": None}),
    ],
)
def test_what_no_called_user_does(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"called user|empty|cannot be|who does not answer"):
        CalleeBehaviour.parse(wrong)


def test_a_called_user_says_a_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "a b.wav", Sound(8000, array("h", [1, 2])))
    found = CalleeBehaviour.parse({"play": "a b.wav"}, tmp_path)
    assert found.speech == Sound(8000, array("h", [1, 2]))
    assert CalleeBehaviour.parse(str(found), tmp_path) == found
    with pytest.raises(ValueError, match=r"play: .*none\.wav: No such file"):
        CalleeBehaviour.parse({"play": "none.wav"}, tmp_path)
    with pytest.raises(ValueError, match="play: it names no file"):
        CalleeBehaviour.parse({"play": ""}, tmp_path)
    with pytest.raises(ValueError, match="says one thing at a time"):
        CalleeBehaviour.parse({"play": "a b.wav", "tone": "440Hz"}, tmp_path)


def test_called_users() -> None:
    assert CalleeBehaviour.parse("No_Answer") is CalleeBehaviour.NO_ANSWER
    assert CalleeBehaviour.parse({"hang_up_after": "5s"}) == CalleeBehaviour(hang_up_after=5.0)
    assert str(CalleeBehaviour.parse("answer hang-up-after 5s")) == "answer hang-up-after 5s"
    written = CalleeBehaviour.parse({"sdp": "v=0\n", "hang_up_after": "5s"})
    assert written == CalleeBehaviour(CalleeKind.ANSWER, "v=0\n", 5.0)
    assert written.body == b"v=0\r\n"
    assert CalleeBehaviour.parse(str(written)) == written
    assert CalleeBehaviour.parse({"sdp": ""}).body == b""
    for keys in ("12#", "*0A", "007"):
        assert CalleeBehaviour.parse({"press": keys}) == CalleeBehaviour(press=keys)
        assert CalleeBehaviour.parse(f"press {keys}") == CalleeBehaviour(press=keys)
        both = CalleeBehaviour(sdp="v=0\n", press=keys)
        assert CalleeBehaviour.parse(str(both)) == both
    for wrong in ("12x", "", "1" * 101):
        with pytest.raises(ValueError, match=r"press|empty"):
            CalleeBehaviour.parse({"press": wrong})
    for told in ("440Hz", "none"):
        tone = CalleeBehaviour.parse({"tone": told})
        assert str(tone) == f"answer tone {told}"
        assert CalleeBehaviour.parse(str(tone)) == tone
    assert CalleeBehaviour.parse("tone 440Hz").tone == 440
    for wrong, why in (
        ("440", "write 440Hz"),
        ("50Hz", "100 to 7000 Hz"),
        ("9 kHz", "no frequency|not a fre"),
    ):
        with pytest.raises(ValueError, match=f"tone: .*({why}).*, or none"):
            CalleeBehaviour.parse({"tone": wrong})
    assert CalleeBehaviour.BUSY.body is None
    with pytest.raises(ValueError, match="no more than"):
        CalleeBehaviour.parse({"sdp": "x" * 9000})
    with pytest.raises(ValueError, match="answer, busy, reject, no-answer"):
        CalleeBehaviour.parse("away")
