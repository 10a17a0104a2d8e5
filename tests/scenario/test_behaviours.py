"""The further behaviours in scenarios: one story in virtual time and on loopback, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.lab.vocabulary import BadCertificate, BrokenChallenge
from phone_emulator.phone import PhoneOptions
from phone_emulator.report.result import ScenarioResult
from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.runner import run
from phone_emulator.scenario.schema import WorldName
from phone_emulator.scenario.session import RunOptions, prepare
from tests.addresses import own_address
from tests.scenario.playing import failures_of

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = f"""\
name: t
config: {CONFIGS / "guide-example.cfg"}
zone: {CONFIGS / "guide-example.zone"}
servers:
  primary: {{address: 192.168.1.13}}
  secondary: {{address: 192.168.1.14}}
  fallback: {{address: 192.168.1.15}}
"""
WORLDS: tuple[WorldName, ...] = ("simulated", "lab")
in_both_worlds = pytest.mark.parametrize("world", WORLDS)
OVER_TLS = (
    "set: {account.1.sip_server.1.transport_type: 2, account.1.sip_server.1.port: 5061, "
    "account.1.sip_server.2.address: ''}\n"
)


def played(text: str, world: WorldName) -> ScenarioResult:
    phone = PhoneOptions(local_address=own_address()) if world == "lab" else PhoneOptions()
    options = RunOptions(phone=phone, keep_messages=True)
    result = run(prepare(parse_scenario(HEAD + text, "t.yaml", world=world), options), options)
    assert result.failures == []
    return result


def refusal(text: str) -> str:
    try:
        prepare(parse_scenario(text, "t.yaml"), RunOptions())
    except ScenarioError as error:
        [fault] = error.faults
        return fault
    return ""


@in_both_worlds
def test_the_next_invite_only(world: WorldName) -> None:
    played(
        "steps:\n"
        "- server: {name: primary, behaviour: {INVITE: {next: 1, status: 503}}}\n"
        "- call: '1002'\n  expect: {via: secondary, route: [{primary: 503}, {secondary: answered}]}\n"
        "- hangup: {}\n"
        "- call: '1002'\n  expect: {route: [{primary: answered}]}\n",
        world,
    )


@in_both_worlds
@pytest.mark.parametrize(
    "behaviour", ["challenge-forever", *(f"challenge-broken {each}" for each in BrokenChallenge)]
)
def test_challenges_end_an_attempt(behaviour: str, world: WorldName) -> None:
    # rule R10
    text = (
        f"steps:\n- server: {{name: primary, behaviour: {behaviour}}}\n"
        "- call: '1002'\n  expect: {result: rejected, status: 407, route: [{primary: 407}]}\n"
        "- register: 1\n  expect: {registered: fallback}\n"
    )
    played(text, world)


@in_both_worlds
def test_a_longer_lease_is_asked_for_and_had(world: WorldName) -> None:
    # rule R15
    text = (
        "set: {account.1.sip_server.1.expires: 60}\n"
        "steps:\n- server: {name: primary, behaviour: {status: 423, min_expires: 120}}\n"
        "- register: 1\n  expect: {registered: [primary, fallback]}\n"
    )
    result = played(text, world)
    assert any(
        b"SIP/2.0 423" in message.data and b"Min-Expires: 120" in message.data for message in result.messages
    )


@in_both_worlds
def test_what_is_beyond_the_capacity_waits(world: WorldName) -> None:
    text = (
        "steps:\n- server: {name: primary, behaviour: {INVITE: {rate: 1, then: slow}}}\n"
        "- call: '1002'\n  expect: {route: [{primary: answered}]}\n"
    )
    assert played(text, world).calls[0].elapsed >= 1.0  # the INVITE with credentials is the second one


@in_both_worlds
@pytest.mark.parametrize("certificate", BadCertificate)
def test_a_certificate_that_is_not_taken(certificate: BadCertificate, world: WorldName) -> None:
    # RFC 5922
    text = (
        OVER_TLS + f"steps:\n- server: {{name: primary, behaviour: {{certificate: {certificate}}}}}\n"
        "- register: 1\n  expect: {route: [{primary: tls-failed}, {secondary: answered}]}\n"
    )
    [failed, _] = played(text, world).registrations
    wanted = {"expired": "has expired", "wrong-name": "wrong-name.invalid", "unknown-ca": "unknown authority"}
    assert wanted[certificate] in (failed.detail or "")


@in_both_worlds
@pytest.mark.parametrize(
    "text", ["callee: {hang_up_after: 500ms}\nsteps:\n", "steps:\n- callee: {hang_up_after: 500ms}\n"]
)
def test_a_called_user_hangs_up(text: str, world: WorldName) -> None:
    text += "- call: '1002'\n  expect: {result: answered}\n- expect: {state: ended, within: 60s}\n"
    result = played(text, world)
    assert any(message.data.startswith(b"BYE sip:1001@") for message in result.messages)


@in_both_worlds
@pytest.mark.parametrize("text", ['callee: {press: "012#"}\nsteps:\n', "steps:\n- callee: {press: 012#}\n"])
def test_a_called_user_presses_keys(text: str, world: WorldName) -> None:
    text += "- call: '1002'\n- expect: {dtmf: '012#', within: 60s}\n"
    [call] = played(text, world).calls
    assert call.as_json()["media"]["digits"] == "012#"


def test_digits_that_are_not_those_expected_are_told() -> None:
    text = HEAD + "callee: {press: 12}\nsteps:\n- call: '1002'\n- expect: {dtmf: 13, within: 5s}\n"
    result = run(
        prepare(parse_scenario(text + "- expect: {dtmf: ''}\n", "t.yaml"), RunOptions()), RunOptions()
    )
    assert failures_of(result) == [
        "step 2 (expect): not within 5 s: expected dtmf 13, heard 12",
        "step 3 (expect): expected dtmf none, heard 12",
    ]


@in_both_worlds
@pytest.mark.parametrize(
    "body",
    [
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 3\r\n",
        "",
    ],
)
def test_a_called_user_describes_itself_as_it_was_told(body: str, world: WorldName) -> None:
    written = body.replace("\r\n", "\\n")
    text = f'callee: {{sdp: "{written}"}}\nsteps:\n- call: "1002"\n'
    answers = [
        message.data for message in played(text, world).messages if b"SIP/2.0 200" in message.data[:12]
    ]
    answered = next(data for data in answers if b" INVITE\r\n" in data)
    assert answered.partition(b"\r\n\r\n")[2] == body.encode()


@in_both_worlds
def test_a_called_user_keeps_to_its_description_while_the_call_is_up(world: WorldName) -> None:
    body = "v=0\\no=- 1 1 IN IP4 127.0.0.1\\ns=told\\nc=IN IP4 127.0.0.1\\nt=0 0\\nm=audio 4000 RTP/AVP 0\\n"
    text = (
        f'callee: {{sdp: "{body}"}}\nsteps:\n- call: "1002"\n  expect: {{result: answered}}\n- hold: {{}}\n'
    )
    said = [message.data for message in played(text, world).messages]
    assert sum(b"SIP/2.0 200" in data[:12] and b"s=told\r\n" in data for data in said) == 2


@in_both_worlds
def test_a_server_without_tag_and_with_rewritten_headers_is_passed_by_its_answers(world: WorldName) -> None:
    text = (
        "steps:\n- server: {name: primary, behaviour: rewrite-contact rewrite-to}\n"
        "- call: '1002'\n  expect: {result: answered}\n- hold: {}\n- hangup: {}\n"
    )
    said = [message.data for message in played(text, world).messages]
    assert any(b"To: <sip:rewritten@" in data and b"CSeq: 2 INVITE" in data for data in said)
    assert any(data.startswith(b"BYE sip:hides-") for data in said)
    assert any(b"SIP/2.0 200" in data[:12] and b" BYE\r\n" in data for data in said)
    refused = played("steps:\n- server: {name: primary, behaviour: 486 no-to-tag}\n- call: '1002'\n", world)
    [answer] = [each.data for each in refused.messages if each.data.startswith(b"SIP/2.0 486")]
    [to] = [line for line in answer.split(b"\r\n") if line.startswith(b"To:")]
    assert b"tag=" not in to


UDP_ONLY = HEAD.replace("192.168.1.13}", "192.168.1.13, transports: udp, behaviour: BEHAVIOUR}")
SAID = HEAD.replace("192.168.1.13}", "192.168.1.13, behaviour: BEHAVIOUR}")
TCP_PHONE = "set: {account.1.sip_server.1.transport_type: 1, account.1.sip_server.1.port: 5060}\n"
UDP_PHONE = "set: {account.1.sip_server.1.transport_type: 0}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            UDP_ONLY.replace("BEHAVIOUR", "{close_after: 5s}"),
            "t.yaml:5: server 'primary': behaviour: close-after is about TCP or TLS connections, "
            "and the server speaks UDP only",
        ),
        (
            UDP_ONLY.replace("BEHAVIOUR", "ok") + "steps:\n- server:\n    name: primary\n"
            "    behaviour: {certificate: expired}\n",
            "t.yaml:11: step 1 (server): behaviour: certificate is about TLS connections, "
            "and the server speaks UDP only",
        ),
        (
            SAID.replace("BEHAVIOUR", "{close_after: 5s}") + UDP_PHONE,
            "t.yaml:5: server 'primary': behaviour: close-after is about TCP or TLS connections, "
            "and the phone speaks UDP only",
        ),
        (
            HEAD + TCP_PHONE + "steps:\n- server: {name: primary, behaviour: certificate expired}\n",
            "t.yaml:10: step 1 (server): behaviour: certificate is about TLS connections, "
            "and the phone speaks TCP or UDP only",
        ),
        (HEAD + TCP_PHONE + "steps:\n- server: {name: primary, behaviour: {close_after: 5s}}\n", ""),
        (SAID.replace("BEHAVIOUR", "{certificate: expired}"), ""),
        (
            SAID.replace("BEHAVIOUR", "{INVITE: {close_after: 5s}}"),
            "t.yaml:5: server 'primary': behaviour: INVITE: close-after is about the whole server, "
            "not about single requests",
        ),
        ("callee: {hang_up_after: soon}", "t.yaml:1: callee: behaviour: 'soon' is not a duration"),
        (
            "callee: {tune: 440Hz}",
            "t.yaml:1: callee: behaviour: a called user cannot be 'tune': one of answer, busy",
        ),
        ("callee: {tone: 440}", "t.yaml:1: callee: behaviour: tone: '440' is not a frequency: write 440Hz"),
        (
            "steps:\n- callee: {play: none.wav}",
            "t.yaml:2: step 1 (callee): behaviour: play: none.wav: No such file",
        ),
        ("steps:\n- callee: {behaviour: {sdp: [1]}}", "t.yaml:2: step 1 (callee): behaviour: sdp cannot be"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(text: str, fault: str) -> None:
    told = refusal(text)
    assert told.startswith(fault)
    assert bool(told) == bool(fault)
