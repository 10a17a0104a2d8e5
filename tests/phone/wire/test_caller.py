"""Who calls, and who this phone says it is (RFC 3323, RFC 3325, RFC 4916, RFC 5806)."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import CallState
from phone_emulator.phone.wire.caller import Caller, caller_of, connected_party
from phone_emulator.sip.message import Headers, MessageError, Request
from tests.phone.far_end import Play, offer, play

FROM = ("From", '"Fred" <sip:from@pbx>;tag=1')
PAI = ("P-Asserted-Identity", '"Paula" <sip:pai@pbx>')
PPI = ("P-Preferred-Identity", "<sip:ppi@pbx>")
RPID = ("Remote-Party-ID", '"Rita" <sip:rpid@pbx>;party=calling')
ALL = [PAI, PPI, RPID]


def invite(*headers: tuple[str, str], own: tuple[str, str] = FROM) -> Request:
    return Request("INVITE", "sip:1001@phone", Headers([own, *headers]))


def account(**settings: Any) -> AccountConfig:
    return dataclasses.replace(AccountConfig(index=1), **settings)


def who(request: Request, preference: str = "", **settings: object) -> str:
    config = PhoneConfig(caller_preference=preference) if preference else PhoneConfig()
    return caller_of(request, account(**settings), config).number


@pytest.mark.parametrize(
    ("source", "with_all", "without_pai", "from_only"),
    [
        (0, "from", "from", "from"),
        (1, "pai", "unknown", "unknown"),
        (2, "pai", "from", "from"),
        (3, "rpid", "rpid", "from"),
        (4, "pai", "rpid", "from"),
        (5, "rpid", "rpid", "from"),
        (6, "ppi", "ppi", "from"),
    ],
)
def test_which_header_is_believed(source: int, with_all: str, without_pai: str, from_only: str) -> None:
    assert who(invite(*ALL), caller_source=source) == with_all
    assert who(invite(PPI, RPID), caller_source=source) == without_pai
    assert who(invite(), caller_source=source) == from_only


def test_a_list_of_the_users_own() -> None:
    wanted = "remote-party-id, Nonsense,From"
    assert who(invite(*ALL), wanted, caller_source=6) == "rpid"
    assert who(invite(PAI), wanted, caller_source=6) == "from"
    assert who(invite(*ALL), "Nonsense", caller_source=6) == "from"


def test_a_preferred_identity_comes_first_where_it_counts() -> None:
    assert who(invite(*ALL), caller_source=2, caller_preferred=True) == "ppi"
    assert who(invite(*ALL), caller_source=2) == "pai"


def test_names_are_shown_too() -> None:
    assert caller_of(invite(PAI), account(caller_source=1), PhoneConfig()) == Caller("pai", "Paula")


@pytest.mark.parametrize("privacy", ["id", "ID", "header;user", "critical; id"])
def test_a_caller_who_wants_privacy_gets_it(privacy: str) -> None:
    request = invite(PAI, ("Privacy", privacy))
    assert who(request, caller_source=2) == "anonymous"
    assert who(request, caller_source=2, caller_privacy=False) == "pai"


def test_privacy_none_hides_nothing() -> None:
    assert who(invite(("Privacy", "none"))) == "from"


def test_remote_party_id_may_ask_for_privacy_itself() -> None:
    hidden = invite(("Remote-Party-ID", "<sip:rpid@pbx>;privacy=full"))
    assert who(hidden, caller_source=5) == "anonymous"
    assert who(hidden, caller_source=0) == "from"


def test_an_anonymous_from() -> None:
    hidden = ("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
    assert who(invite(own=hidden), caller_privacy=False) == "anonymous"
    assert who(invite(PAI, own=hidden), caller_source=2) == "pai"


def test_headers_that_cannot_be_read_count_for_nothing() -> None:
    broken = ("P-Asserted-Identity", '"Paula <sip:pai@pbx>')
    assert who(invite(broken), caller_source=2) == "from"
    with pytest.raises(MessageError):
        who(invite(own=("From", "<sip:")), caller_source=1)


def test_what_is_shown_is_bounded() -> None:
    long = ("From", f'"{"n" * 900}" <sip:{"u" * 900}@pbx>;tag=1')
    caller = caller_of(invite(own=long), account(), PhoneConfig())
    assert (len(caller.number), len(caller.name)) == (256, 256)


@pytest.mark.parametrize(("source", "expected"), [(0, "pai"), (1, ""), (2, "from")])
def test_who_is_at_the_far_end(source: int, expected: str) -> None:
    assert connected_party(invite(*ALL), account(connected_source=source)) == expected


# -- on the phone ----------------------------------------------------------------------------------------


def test_the_caller_is_shown_as_the_account_says() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing(extra=[PAI, ("Diversion", "<sip:1008@pbx>;reason=user-busy")])
        assert call.remote == "pai"
        assert on.states == ["ringing: pai calls, sent by 1008"]

    play(story, account__1__cid_source=2)


def test_anonymous_calls_may_be_rejected() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=[("Privacy", "id")]))
        await on.far.response(433, "INVITE")
        assert on.phone.calls == []
        await on.rest()
        await on.ringing(call_id="in-2")

    play(story, account__1__reject_anonymous_call=1)


def test_with_a_status_of_the_users_choice() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=[("Privacy", "id")]))
        await on.far.response(603, "INVITE")

    play(story, account__1__reject_anonymous_call=1, features__anonymous_response_code=603)


def test_an_anonymous_line() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        first = await on.far.accept_invite()
        assert (first.headers.get("From") or "").startswith(
            '"Anonymous" <sip:anonymous@anonymous.invalid>;tag='
        )
        assert first.headers.get("P-Preferred-Identity") == '"Alice" <sip:1001@192.168.1.13:5060>'
        assert first.headers.get("Privacy") == "id"
        await call.settled()
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert bye.headers.get("From") == first.headers.get("From")
        on.far.answer(bye, 200)
        await ending

    play(story, account__1__anonymous_call=1)


def test_who_answered_is_shown() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        first = await on.far.heard("INVITE")
        on.far.answer(first, 180, extra=[("P-Asserted-Identity", "<sip:1009@pbx>")])
        await on.rest()
        assert (call.remote, call.party) == ("1002", "1009")
        on.far.answer(first, 200, body=offer(), extra=[("Remote-Party-ID", "<sip:1010@pbx>")])
        await on.far.heard("ACK")
        assert call.party == "1010"
        update = on.from_far("UPDATE", first)
        update.headers.add("P-Asserted-Identity", "<sip:1011@pbx>")
        on.far.send(update)
        await on.far.response(200, "UPDATE")
        assert (call.remote, call.party, call.state) == ("1002", "1011", CallState.TALKING)
        assert "talking: connected to 1011" in on.states

    play(story)


def test_the_dialled_number_may_stay() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(extra=[("P-Asserted-Identity", "<sip:1009@pbx>")])
        assert call.party == "1002"

    play(story, account__1__cp_source=1)
