"""An expectation is about its own step: each key of it, with each kind of step, on a phone of two lines.

Each case is a step on one line and its call, while the other line and its call stand differently: what is
true of the step's own and false of the other holds, and the other way round it does not. Which line is the
step's is swapped, so that a default of "the first" cannot pass. What has no case has to be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import gettempdir

import pytest

from phone_emulator.report.result import Verdict
from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.schema import ExpectModel
from phone_emulator.scenario.session import RunOptions, prepare
from phone_emulator.scenario.steps import STEPS
from tests.scenario.playing import failures_of, played

HEAD = """\
name: t
set:
  call_waiting.enable: 0
  account.1.dtmf.type: 2
  account.2.dtmf.type: 2
  account.OTHER.srtp_encryption: 2
  account.1.enable: 1
  account.1.user_name: 2001
  account.1.password: secret-1
  account.1.sip_server.1.address: 192.168.1.13
  account.2.enable: 1
  account.2.user_name: 2002
  account.2.password: secret-2
  account.2.sip_server.1.address: 192.168.1.14
servers: {server-1: 192.168.1.13, server-2: 192.168.1.14}
steps:
"""

BOTH = ("register: {line: OWN}", "register: {line: OTHER}")
ONE = (*BOTH, "unregister: {line: OTHER}")
"""The step's own line is registered, the other is not."""
TALKING = ("call: {line: OTHER, to: '1002', id: other}", "call: {line: OWN, to: '1002', id: own}")
APART = (
    "server: {name: server-OTHER, behaviour: {INVITE: 486}}",
    "call: {line: OTHER, to: '1002', id: other}",
    "call: {line: OWN, to: '1002', id: own}",
)
"""The own call is answered, the other is rejected."""
SLOW_OWN = "server: {name: server-OWN, behaviour: {delay: 10s}}"
SLOW_OTHER = "server: {name: server-OTHER, behaviour: {delay: 10s}}"
RINGING = ("callee: no-answer", "call: {line: OWN, to: '1002', id: own, background: true}", "wait: 1s")

STEP = {
    "register": "register: {line: OWN}",
    "unregister": "unregister: {line: OWN}",
    "call": "call: {line: OWN, to: '1002', id: own}",
    "incoming": "incoming: {line: OWN, id: own}",
    "hangup": "hangup: own",
    "answer": "answer: own",
    "reject": "reject: own",
    "hold": "hold: own",
    "resume": "resume: own",
    "swap": "swap: own",
    "conference": "conference: {call: own, with: third}",
    "split": "split: own",
    "transfer": "transfer: {call: own, to: '1003'}",
    "dtmf": "dtmf: {call: own, digits: '1'}",
    "play": "play: {call: own, tone: 700Hz, for: 1s}",
    "record": f"record: {{call: own, file: {gettempdir()}/own-defaults.wav}}",
    "wait": "wait: 1s",
    "reboot": "reboot:",
    "address": "address: 192.168.1.22",
    "server": "server: {name: server-OWN, behaviour: ok}",
    "dns": "dns: {behaviour: ok}",
    "callee": "callee: answer",
    "expect": "",
}


@dataclass(frozen=True)
class Case:
    """Before the step, and what is expected of it: once true of its own alone, once of the other alone."""

    before: tuple[str, ...]
    holds: str
    other_holds: str
    other_before: tuple[str, ...] | None = None
    """Before the second; None for the same."""


INCOMING = (*BOTH, "incoming: {line: OTHER, id: other}")
RANG = (*INCOMING, "answer: other", "incoming: {line: OWN, id: own}")
REGISTERS = ("server: {name: server-OTHER, behaviour: {REGISTER: 403}}", "register: {line: OTHER}")
HELD = (*TALKING, "hold: other")
ENDED = (*TALKING, "hangup: own")
BUSY = (*INCOMING, "answer: other", "call: {line: OWN, to: '1002', id: busy}")
"""The own line takes no further call."""
OTHER_ENDED = (*TALKING, "hangup: other")
PRESSED = (*BOTH, "callee: {press: '8'}", TALKING[0], "wait: 1s", "callee: answer")
THIRD = (*TALKING, "call: {line: OWN, to: '1003', id: third}")
JOINED = (*THIRD, "conference: {call: own, with: third}", "hold: own", "resume: own")
PCMU_ALONE = r"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n"
APART_IN_CODEC = (f'callee: {{sdp: "{PCMU_ALONE}"}}', TALKING[0], "callee: answer")
HEARD = (*BOTH, "callee: {tone: 1000Hz}", TALKING[0], "callee: {tone: 2000Hz}", TALKING[1], "wait: 1s")
"""In the own call another tone is heard than in the other one."""
BEFORE = {  # what lets the step be done
    "register": (),
    "unregister": BOTH,
    "call": TALKING[:1],
    "incoming": INCOMING,
    "answer": RANG,
    "reject": RANG,
    **dict.fromkeys(("hangup", "hold", "transfer", "dtmf", "play", "record"), TALKING),
    **dict.fromkeys(("resume", "swap"), (*TALKING, "hold: own", "hold: other")),
    "conference": THIRD,
    "split": JOINED,
    **dict.fromkeys(("wait", "address", "reboot", "server", "dns", "callee", "expect"), TALKING),
}
WITH_A_CALL = (
    *("call", "incoming", "hangup", "answer", "reject", "hold", "resume", "swap", "conference", "split"),
    *("transfer", "dtmf", "play", "record"),
)
ON_CALLS = (
    *("hangup", "hold", "transfer", "dtmf", "play", "record", "reboot", "address"),
    *("wait", "server", "dns", "callee", "expect"),
)
"""Steps that may be about a call that is up."""
WITHOUT = ("wait", "server", "dns", "callee", "expect")
"""Steps that are about no line and no call of their own."""

CASES: dict[tuple[str, str], Case] = {
    ("register", "registered"): Case(REGISTERS, "registered: [primary]", "registered: []"),
    ("register", "status"): Case(REGISTERS, "status: 200", "status: 403"),
    ("register", "via"): Case(REGISTERS, "via: server-OWN", "via: server-OTHER"),
    ("register", "route"): Case(REGISTERS, "route: [server-OWN: answered]", "route: [server-OTHER: 403]"),
    ("register", "within"): Case(
        (SLOW_OTHER, "register: {line: OTHER}"),
        "within: 5s, registered: [primary]",
        "within: 5s, registered: [primary]",
        (SLOW_OWN, "register: {line: OTHER}"),
    ),
    ("unregister", "registered"): Case(BOTH, "registered: []", "registered: [primary]"),
    ("unregister", "status"): Case(
        (*BOTH, REGISTERS[0], "unregister: {line: OTHER}"), "status: 200", "status: 403"
    ),
    ("unregister", "via"): Case((*BOTH, "unregister: {line: OTHER}"), "via: server-OWN", "via: server-OTHER"),
    ("unregister", "route"): Case(
        (*BOTH, "unregister: {line: OTHER}"),
        "route: [server-OWN: answered]",
        "route: [server-OTHER: answered]",
    ),
    ("unregister", "within"): Case(
        (*BOTH, SLOW_OTHER, "unregister: {line: OTHER}"),
        "within: 5s",
        "within: 5s",
        (*BOTH, SLOW_OWN, "unregister: {line: OTHER}"),
    ),
    # Every line is a reboot's own.
    ("reboot", "registered"): Case(
        BOTH,
        "registered: [primary]",
        "registered: [primary]",
        (*BOTH, "server: {name: server-OWN, behaviour: {REGISTER: 403}}"),
    ),
    ("reboot", "within"): Case(
        BOTH, "within: 5s, registered: [primary]", "within: 5s, registered: [primary]", (*BOTH, SLOW_OWN)
    ),
    ("address", "registered"): Case(
        BOTH,
        "registered: [primary]",
        "registered: [primary]",
        (*BOTH, "server: {name: server-OWN, behaviour: {REGISTER: 403}}"),
    ),
    ("address", "within"): Case(
        BOTH, "within: 5s, registered: [primary]", "within: 5s, registered: [primary]", (*BOTH, SLOW_OWN)
    ),
    ("call", "state"): Case(APART[:2], "state: talking", "state: ended"),
    ("call", "result"): Case(APART[:2], "result: answered", "result: rejected"),
    ("call", "status"): Case(APART[:2], "status: 200", "status: 486"),
    ("call", "via"): Case(APART[:2], "via: server-OWN", "via: server-OTHER"),
    ("call", "route"): Case(APART[:2], "route: [server-OWN: answered]", "route: [server-OTHER: 486]"),
    ("call", "within"): Case(
        (SLOW_OTHER, TALKING[0]),
        "within: 5s, result: answered",
        "within: 5s, result: answered",
        (SLOW_OWN, TALKING[0]),
    ),
    ("incoming", "state"): Case((*INCOMING, "answer: other"), "state: ringing", "state: talking"),
    ("incoming", "result"): Case(BUSY, "result: rejected", "result: answered"),
    ("incoming", "status"): Case(BUSY, "status: 486", "status: 200"),
    ("incoming", "fails"): Case(BOTH[1:], "fails: nowhere", "fails: nowhere", BOTH[:1]),
    ("incoming", "within"): Case(
        (*BOTH, SLOW_OTHER),
        "within: 5s",
        "within: 5s",
        (*BOTH, SLOW_OWN, "incoming: {line: OTHER, id: other}"),
    ),
    ("answer", "state"): Case(
        (*INCOMING, "reject: other", "incoming: {line: OWN, id: own}"), "state: talking", "state: ended"
    ),
    ("answer", "result"): Case(
        (*INCOMING, "reject: other", "incoming: {line: OWN, id: own}"), "result: answered", "result: rejected"
    ),
    ("answer", "status"): Case(
        (*INCOMING, "reject: other", "incoming: {line: OWN, id: own}"), "status: 200", "status: 486"
    ),
    ("answer", "fails"): Case(
        (*RANG, "reject: own"),
        "fails: true",
        "fails: true",
        (*INCOMING, "reject: other", "incoming: {line: OWN, id: own}"),
    ),
    ("reject", "state"): Case(RANG, "state: ended", "state: talking"),
    ("reject", "result"): Case(RANG, "result: rejected", "result: answered"),
    ("reject", "status"): Case(RANG, "status: 486", "status: 200"),
    ("reject", "fails"): Case((*RANG, "answer: own"), "fails: true", "fails: true", RANG),
    ("hangup", "state"): Case(TALKING, "state: ended", "state: talking"),
    ("hangup", "result"): Case((TALKING[0], *RINGING), "result: cancelled", "result: answered"),
    ("hangup", "status"): Case(APART, "status: 200", "status: 486"),
    ("hangup", "via"): Case(APART, "via: server-OWN", "via: server-OTHER"),
    ("hangup", "route"): Case(APART, "route: [server-OWN: answered]", "route: [server-OTHER: 486]"),
    ("hangup", "within"): Case((*TALKING, SLOW_OTHER), "within: 5s", "within: 5s", (*TALKING, SLOW_OWN)),
    ("hangup", "fails"): Case(
        (*BUSY, "incoming: {line: OWN, id: own}"), "fails: true", "fails: true", BEFORE["hangup"]
    ),
    ("hold", "state"): Case(TALKING, "state: held", "state: talking"),
    **{(kind, "state"): Case(BEFORE[kind], "state: talking", "state: held") for kind in ("resume", "swap")},
    ("conference", "state"): Case(THIRD, "state: talking", "state: held"),
    ("split", "state"): Case((*JOINED, "hold: own", "resume: other"), "state: held", "state: talking"),
    ("transfer", "state"): Case(TALKING, "state: ended", "state: talking"),
    **{(kind, "state"): Case(HELD, "state: talking", "state: held") for kind in ("dtmf", "play", "record")},
    **{
        (kind, "fails"): Case(ENDED, "fails: true", "fails: true", OTHER_ENDED)
        for kind in ("hold", "resume", "transfer", "dtmf", "play", "record")
    },
    **{
        (kind, "within"): Case((*TALKING, SLOW_OTHER), "within: 5s", "within: 5s", (*TALKING, SLOW_OWN))
        for kind in ("hold", "transfer", "dtmf")
    },
    ("conference", "fails"): Case(
        (*THIRD, "hangup: own"), "fails: true", "fails: true", (*THIRD, "hangup: other")
    ),
    ("split", "fails"): Case(THIRD, "fails: true", "fails: true", (*JOINED, "hangup: other")),
    ("swap", "fails"): Case(ENDED, "fails: true", "fails: true", (*BEFORE["swap"], "hangup: other")),
    **{
        (kind, "within"): Case(
            (*BEFORE[kind], SLOW_OTHER), "within: 5s", "within: 5s", (*BEFORE[kind], SLOW_OWN)
        )
        for kind in ("resume", "swap", "conference", "split")
    },
    # A step without a call of its own is about the last call.
    **{
        (kind, key): Case(APART, holds, other)
        for kind in (*WITHOUT, "reboot", "address")
        for key, holds, other in (
            ("result", "result: answered", "result: rejected"),
            ("status", "status: 200", "status: 486"),
            ("via", "via: server-OWN", "via: server-OTHER"),
            ("route", "route: [server-OWN: answered]", "route: [server-OTHER: 486]"),
        )
    },
    **{(kind, "state"): Case(APART, "state: talking", "state: ended") for kind in WITHOUT},
    ("address", "state"): Case(APART, "state: talking", "state: ended"),
    ("reboot", "state"): Case(TALKING, "state: ended", "state: talking"),
    ("expect", "within"): Case(
        (*TALKING[:1], *RINGING), "within: 5s, state: ringing", "within: 5s, state: talking"
    ),
    # The far end of the other call has pressed a key.
    **{
        (kind, "dtmf"): Case((*PRESSED, *before), "dtmf: ''", "dtmf: '8'")
        for kinds, before in (
            (("call", "incoming"), ()),
            (("answer", "reject"), ("incoming: {line: OWN, id: own}",)),
            (ON_CALLS, TALKING[1:]),
            (("resume", "swap"), (*TALKING[1:], "hold: own")),
            (("conference",), THIRD[1:]),
            (("split",), JOINED[1:]),
        )
        for kind in kinds
    },
    # The other call is in another codec, and encrypted.
    **{
        (kind, key): Case((*BOTH, *apart, *before), holds, other)
        for key, apart, holds, other in (
            ("codec", APART_IN_CODEC, "codec: G722", "codec: PCMU"),
            ("srtp", (TALKING[0],), "srtp: false", "srtp: true"),
        )
        for kinds, before in (
            (("call",), ()),
            (("answer",), ("incoming: {line: OWN, id: own}",)),
            (ON_CALLS, TALKING[1:]),
            (("resume", "swap"), (*TALKING[1:], "hold: own")),
            (("conference",), THIRD[1:]),
            (("split",), JOINED[1:]),
        )
        for kind in kinds
    },
    **{
        (kind, "audio"): Case((*HEARD, *before), "audio: {heard: 2000Hz}", "audio: {heard: 1000Hz}")
        for kinds, before in (
            (ON_CALLS, ()),
            (("resume", "swap"), ("hold: own",)),
            (("conference",), THIRD[2:]),
            (("split",), JOINED[2:]),
        )
        for kind in kinds
    },
    # The line of the step, or of its call.
    **{
        (kind, "registered"): Case((*BEFORE[kind], *ONE), "registered: [primary]", "registered: []")
        for kind in WITH_A_CALL
    },
    # What is named is meant, whatever the step is about.
    **{
        (kind, "line"): Case(
            (*BEFORE[kind], *ONE), "line: OWN, registered: [primary]", "line: OWN, registered: []"
        )
        for kind in (*WITH_A_CALL, *WITHOUT)
    },
    ("register", "line"): Case(
        REGISTERS, "line: OTHER, registered: []", "line: OTHER, registered: [primary]"
    ),
    ("unregister", "line"): Case(BOTH, "line: OTHER, registered: [primary]", "line: OTHER, registered: []"),
    **{
        (kind, "line"): Case(
            (*BOTH, "server: {name: server-OTHER, behaviour: {REGISTER: 403}}"),
            "line: OTHER, registered: []",
            "line: OTHER, registered: [primary]",
        )
        for kind in ("reboot", "address")
    },
    **{
        (kind, "call"): Case(
            (
                *BEFORE[kind],
                "server: {name: server-OTHER, behaviour: {INVITE: 486}}",
                "call: {line: OTHER, to: '1002', id: named}",
                # It was held for that call.
                *(("resume: own",) if kind in ("dtmf", "play") else ()),
            ),
            "call: named, result: rejected",
            "call: named, result: answered",
        )
        for kind in STEP
    },
}

VALUES = {
    "dtmf": "dtmf: '8'",
    "audio": "audio: {heard: silence}",
    "codec": "codec: G722",
    "srtp": "srtp: true",
    "fails": "fails: true",
    "line": "line: OWN",
    "registered": "registered: [primary]",
    "call": "call: other",
    "state": "state: talking",
    "result": "result: answered",
    "status": "status: 200",
    "via": "via: primary",
    "within": "within: 5s",
    "route": "route: [primary: answered]",
}
"""Something to expect, for each key."""

ALL = [(kind, key) for kind in STEP for key in ExpectModel.model_fields]


def test_the_kinds_and_keys_are_those_of_the_format() -> None:
    assert set(STEP) == set(STEPS)
    assert set(VALUES) == set(ExpectModel.model_fields)
    assert set(CASES) <= set(ALL)


def scenario(kind: str, before: tuple[str, ...], expect: str, own: int) -> str:
    """The file in which line *own* is the step's."""
    step = f"{STEP[kind]}\n    expect: {{{expect}}}" if STEP[kind] else f"expect: {{{expect}}}"
    steps = "".join(f"  - {each}\n" for each in (*before, step))
    return (HEAD + steps).replace("OWN", str(own)).replace("OTHER", str(3 - own))


def failures(text: str) -> list[str]:
    result = played(text)
    assert result.verdict is (Verdict.FAILED if result.failures else Verdict.PASSED)
    return failures_of(result)


@pytest.mark.parametrize("own", [1, 2])
@pytest.mark.parametrize(("kind", "key"), list(CASES))
def test_what_is_true_of_the_steps_own_holds_and_of_the_other_does_not(kind: str, key: str, own: int) -> None:
    case = CASES[kind, key]
    before = case.before if case.other_before is None else case.other_before
    assert failures(scenario(kind, case.before, case.holds, own)) == []
    told = failures(scenario(kind, before, case.other_holds, own))
    assert told, "it is true of the other alone"
    assert all(each.startswith(f"step {len(before) + 1} ({kind})") for each in told), told


@pytest.mark.parametrize(("kind", "key"), [each for each in ALL if each not in CASES])
def test_what_has_no_case_is_refused(kind: str, key: str) -> None:
    text = scenario(kind, BEFORE[kind], VALUES[key], 2)
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario(text, "t.yaml"), RunOptions())
    [fault] = refused.value.faults
    assert fault.startswith(f"t.yaml:{len(text.splitlines())}: step {len(BEFORE[kind]) + 1} ({kind})")
