from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.lab.behaviour import METHODS, Behaviour, BehaviourKind, CalleeBehaviour

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
_PLAIN = st.builds(
    Behaviour, st.sampled_from([kind for kind in BehaviourKind if kind is not BehaviourKind.STATUS])
)


@given(_STATUSES | _PLAIN, st.dictionaries(st.sampled_from(METHODS), _STATUSES | _PLAIN, max_size=3))
def test_text_reads_back(base: Behaviour, per_method: dict[str, Behaviour]) -> None:
    behaviour = replace(base, per_method=per_method)
    assert Behaviour.parse(str(behaviour)) == behaviour


def test_called_users() -> None:
    assert CalleeBehaviour.parse("No_Answer") is CalleeBehaviour.NO_ANSWER
    with pytest.raises(ValueError, match="answer, busy, reject, no-answer"):
        CalleeBehaviour.parse("away")
