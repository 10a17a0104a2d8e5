"""What the keys do, on the real phone in the simulated world."""

from __future__ import annotations

import pytest

from phone_emulator.events import CallState
from phone_emulator.lab.behaviour import CalleeBehaviour
from phone_emulator.phone.wire import dialog_info
from phone_emulator.phone.wire.dialog_info import DialogInfo, DialogState
from phone_emulator.tui.widgets.dial import DialField
from tests.tui.stage import LARGE, SMALL, Stage, perform


def test_dials_talks_and_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        assert "→ 1002  Talking 00:00" in stage.text()
        assert "answered via primary" in stage.text()
        await stage.press("escape")
        await stage.wait(0.5)
        assert not stage.phone.calls
        assert stage.phone.history[-1].result == "answered"
        assert "1002: Call Finish" in stage.text()
        await stage.press("5")
        assert stage.app.screen.query_one(DialField).value == "5"

    perform(play, monkeypatch)


def test_counts_down_to_the_next_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.break_server("primary", "silent")
        await stage.dial("1002")
        begun = stage.phone.calls[0].started
        await stage.until(begun + 19.6)
        assert "no answer yet, next server in 12.4 s" in stage.text()
        assert "· 2 secondary  192.168.1.14:5060/udp  waiting" in stage.text()
        assert "· 3 fallback   192.168.1.15:5060/udp  waiting" in stage.text()
        await stage.until(begun + 33.0)
        assert "✗ 1 primary    192.168.1.13:5060/udp  no response       32.0 s" in stage.text()
        assert "INVITE sent 7 times: 0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s" in stage.text()
        assert "answered via secondary after 32.0 s (attempt 2)" in stage.text()
        assert "fallback   192.168.1.15:5060/udp  waiting" not in stage.text()

    perform(play, monkeypatch)


def test_foretells_whom_it_will_pass_over(monkeypatch: pytest.MonkeyPatch) -> None:  # rule D5
    async def play(stage: Stage) -> None:
        await stage.break_server("primary", "silent")
        await stage.break_server("secondary", "silent")
        await stage.dial("1002")
        begun = stage.phone.calls[0].started
        await stage.until(begun + 19.6)
        assert "no answer yet, next server in 12.4 s" in stage.text()
        assert "− 3 fallback   192.168.1.13:5060/udp  passed over" in stage.text()
        assert "192.168.1.13 already failed in this route as primary" in stage.text()
        await stage.until(begun + 51.6)
        assert "no answer yet, giving up in 12.4 s" in stage.text()
        assert "− 3 fallback   192.168.1.13:5060/udp  passed over" in stage.text()

    perform(play, monkeypatch, overrides=("account.1.sip_server.2.address=192.168.1.13",))


def test_a_provisional_answer_ends_the_countdown(monkeypatch: pytest.MonkeyPatch) -> None:  # rule C4
    async def play(stage: Stage) -> None:
        await stage.break_server("primary", "trying")
        await stage.dial("1002")
        await stage.wait(5.0)
        assert "primary answered 100: the call stays with this server" in stage.text()
        assert "Connecting" in stage.text()
        assert "waiting" not in stage.text()

    perform(play, monkeypatch)


def test_answers_and_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f3")
        await stage.wait(0.5)
        assert "← 1002  Incoming call" in stage.text()
        assert "1 primary    192.168.1.13:5060/udp  INVITE came in" in stage.text()
        await stage.press("enter")
        assert stage.phone.calls[0].state is CallState.TALKING
        await stage.press("f4")
        await stage.wait(0.5)
        await stage.press("f3")
        await stage.wait(0.5)
        await stage.press("escape")
        await stage.wait(0.5)
        assert [call.result for call in stage.phone.history] == ["answered", "rejected"]

    perform(play, monkeypatch)


def test_a_call_that_comes_in_shows_its_route_after_one_that_was_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f4")
        await stage.wait(0.5)
        await stage.press("f3")
        await stage.wait(0.5)
        assert "INVITE came in" in stage.text()
        await stage.press("escape")

    perform(play, monkeypatch)


def test_holds_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f2")
        await stage.wait(0.5)
        assert [call.state for call in stage.phone.calls] == [CallState.HELD]
        assert "F2 Resume" in stage.text()
        await stage.press("f2")
        await stage.wait(0.5)
        assert [call.state for call in stage.phone.calls] == [CallState.TALKING]

    perform(play, monkeypatch)


def test_digits_in_a_call_are_dtmf_and_a_new_call_holds_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("4", "2", "#")
        assert "DTMF 42#" in stage.text()
        await stage.press("f3")
        assert "F1 Enter Send" in stage.text()
        await stage.dial("1003")
        await stage.wait(1.0)
        assert "Call 1/2" in stage.text()
        assert {call.remote: call.state for call in stage.phone.calls} == {
            "1002": CallState.HELD,
            "1003": CallState.TALKING,
        }
        for held, talks in (("1003", "1002"), ("1002", "1003")):
            await stage.press("f2")
            await stage.wait(0.5)
            assert f"▸ → {talks}  Talking" in stage.text()
            assert {call.remote: call.state for call in stage.phone.calls} == {
                held: CallState.HELD,
                talks: CallState.TALKING,
            }

    perform(play, monkeypatch)


def test_two_calls_talk_together_until_they_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f3")
        await stage.dial("1003")
        await stage.wait(1.0)
        assert "F3 Conf" in stage.text()
        await stage.press("f3")
        await stage.wait(0.5)
        assert "→ 1003  Conf " in stage.text()
        assert "→ 1002  Conf " in stage.text()
        assert "F3 Split" in stage.text()
        for word, key in (("Hold", "F2 Resume"), ("Conf", "F2 Hold")):
            await stage.press("f2")
            await stage.wait(0.5)
            assert stage.text().count(f"  {word} 0") == 2
            assert key in stage.text()
        await stage.press("f3")
        await stage.wait(0.5)
        assert stage.text().count("  Hold 0") == 2
        assert "F2 Resume" in stage.text()
        await stage.press("f2")
        await stage.wait(0.5)
        await stage.press("f3")
        await stage.wait(0.5)
        await stage.press("f4")
        await stage.wait(0.5)
        assert stage.phone.calls == []
        await stage.press("f9")
        await stage.shows("call-1 and call-2 talk together")

    perform(play, monkeypatch)


def test_a_conference_swaps_with_a_third_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f3")
        await stage.dial("1003")
        await stage.wait(1.0)
        await stage.press("f3")
        await stage.wait(0.5)
        first, second = stage.phone.calls
        await stage.app._orders.call_me()
        await stage.wait(0.5)
        await stage.press("f1")
        await stage.wait(0.5)
        await stage.press("f1")
        await stage.wait(1.0)
        third = stage.phone.calls[-1]
        for key, states in (("f2", ["talking", "talking", "held"]), ("f1", ["held", "held", "talking"])):
            await stage.press(key)
            await stage.wait(1.0)
            assert [str(call.state) for call in (first, second, third)] == states

    perform(play, monkeypatch)


def test_digits_that_are_refused_are_not_shown_as_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.break_server("primary", "INFO: 405")
        await stage.press("4", "2")
        await stage.wait(0.5)
        assert "DTMF 0-9" in stage.text()
        assert "the far end refused the digit 4: 405" in stage.said()

    perform(play, monkeypatch, overrides=("account.1.dtmf.type=2",))


def test_digits_of_the_far_end_are_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.callee.behaviour = CalleeBehaviour(press="7")
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f9")
        await stage.shows("the far end pressed 7 (as a telephone event)")

    perform(play, monkeypatch)


def test_digits_are_not_shown_as_sent_in_a_held_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("1")
        await stage.wait(0.5)
        await stage.press("f2")
        await stage.wait(0.5)
        await stage.press("2")
        await stage.wait(0.5)
        assert "DTMF 1 " in stage.text()
        assert [call.state for call in stage.phone.calls] == [CallState.HELD]

    perform(play, monkeypatch)


def test_a_blind_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f1")
        assert "Transfer to" in stage.text()
        assert "F1 Enter B Trans" in stage.text()
        await stage.press("escape")
        assert "Transfer to" not in stage.text()
        await stage.press("f1", "1", "0", "0", "3", "enter")
        await stage.wait(1.0)
        assert not stage.phone.calls
        assert stage.phone.history[-1].transferred_to == "1003"
        assert "answered via primary after 0.0 s, transferred to 1003" in stage.text()

    perform(play, monkeypatch)


def test_a_transfer_that_fails_says_so_and_the_call_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        stage.lab.callee.behaviour = CalleeBehaviour.BUSY
        await stage.press("f1", "1", "0", "0", "3", "f1")
        await stage.wait(1.0)
        assert "Transfer failed! 1003 could not be reached: 486 Busy Here" in stage.said()
        assert [call.state for call in stage.phone.calls] == [CallState.TALKING]

    perform(play, monkeypatch)


def test_an_attended_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f1", "1", "0", "0", "3", "f2")  # Transfer, then Dial: ask first
        await stage.wait(1.0)
        assert {call.remote: call.state for call in stage.phone.calls} == {
            "1002": CallState.HELD,
            "1003": CallState.TALKING,
        }
        await stage.press("f1")
        await stage.wait(1.0)
        assert not stage.phone.calls
        assert stage.phone.history[-1].remote in ("1002", "1003")

    perform(play, monkeypatch)


def test_picks_up_what_rings_at_a_watched_number(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        assert "DPickup" not in stage.text()
        [lamp] = stage.phone.line().subscriptions.lamps
        rings = DialogState(
            id="1",
            phase="early",
            incoming=True,
            call_id="c",
            local_tag="a",
            remote_tag="b",
            remote="sip:1003@yealink.pbx.com",
        )
        document = dialog_info.write(DialogInfo(entity="sip:1005@x", version=9, full=True, dialogs=(rings,)))
        assert lamp.take(document)
        await stage.wait(0.5)
        assert "F2 DPickup" in stage.text()
        await stage.press("f2")
        await stage.wait(0.5)
        # Nobody has that dialog here: the far end refuses to have it replaced.
        [call] = stage.phone.history
        assert (call.remote, call.status) == ("sip:1003@yealink.pbx.com", 481)

    keys = ("linekey.3.type=16", "linekey.3.value=1005", "account.1.dialoginfo_callpickup=1")
    perform(play, monkeypatch, overrides=keys)


def test_digits_reach_the_dial_field_from_any_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f6", "1", "0")
        assert stage.app.screen.query_one(DialField).value == "10"
        await stage.press("f3")
        assert stage.app.screen.query_one(DialField).value == "1"
        await stage.press("f4")
        assert stage.app.screen.query_one(DialField).value == ""
        assert not stage.phone.calls
        await stage.press("s", "q", "question_mark")
        assert stage.app.screen.query_one(DialField).value == "sq?"

    perform(play, monkeypatch)


def test_no_letter_quits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f6", "q")  # in the history
        assert "registering" not in stage.text()
        await stage.press("escape", "q", "u")  # in the dial field
        assert stage.app.screen.query_one(DialField).value == "qu"
        await stage.press("escape")
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("q")
        assert "quit" not in stage.text()
        await stage.press("ctrl+q", "q")  # nor does it answer the question
        assert "Hang up and quit?" in stage.text()
        await stage.press("escape")
        assert len(stage.phone.calls) == 1
        assert stage.lab.servers["primary"].bindings

    perform(play, monkeypatch)


def test_redials(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f1")
        assert "no number was dialled yet" in stage.said()
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("escape")
        await stage.wait(0.5)
        await stage.press("f1")
        await stage.wait(0.5)
        assert stage.phone.calls[0].remote == "1002"

    perform(play, monkeypatch)


@pytest.mark.parametrize(
    ("callee", "word"),
    [(CalleeBehaviour.BUSY, "Busy here!"), (CalleeBehaviour.REJECT, "Rejected")],
)
def test_says_a_failure_in_the_phones_words(
    callee: CalleeBehaviour, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.callee.behaviour = callee
        await stage.dial("1002")
        await stage.wait(0.5)
        assert f"1002: {word}" in stage.text()

    perform(play, monkeypatch)


def test_a_call_cancelled_at_a_silent_server_stays_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.break_server("primary", "silent")
        await stage.dial("1002")
        await stage.wait(3.0)
        await stage.press("escape")
        await stage.wait(0.5)
        assert stage.phone.calls[0].state is CallState.ENDING  # C9: the CANCEL waits for a 1xx
        assert "1002: Cancelled" in stage.text()
        assert "Route · call-1 · to 1002" in stage.text()
        assert "no calls yet" not in stage.text()

    perform(play, monkeypatch, size=LARGE)


def test_history_keeps_each_calls_route_and_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.break_server("primary", "503")
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("escape")
        await stage.wait(0.5)
        await stage.break_server("primary", "ok")
        await stage.dial("1003")
        await stage.wait(0.5)
        await stage.press("escape")
        await stage.wait(0.5)
        await stage.press("f6", "down")
        await stage.wait(0.2)
        assert "Route · call-1 · to 1002" in stage.text()
        assert "✗ 1 primary    192.168.1.13:5060/udp  503 unavailable" in stage.text()
        assert "Messages · call-1" in stage.text()
        await stage.press("escape")
        assert "Route · call-2 · to 1003" in stage.text()

    perform(play, monkeypatch, size=LARGE)


def test_a_small_screen_opens_the_route_of_a_call_from_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        for number in ("1002", "1003"):
            await stage.dial(number)
            await stage.wait(0.5)
            await stage.press("escape")
            await stage.wait(0.5)
        await stage.press("f6", "down", "enter")
        assert "Route · call-1 · to 1002" in stage.text()
        assert "History" not in stage.text().splitlines()[10]

    perform(play, monkeypatch)


def test_the_countdown_stays_in_sight_when_the_route_is_longer_than_the_pane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stage: Stage) -> None:
        for name in ("primary", "secondary", "fallback"):
            await stage.break_server(name, "silent")
        await stage.dial("1002")
        begun = stage.phone.calls[0].started
        await stage.until(begun + 64.0 + 16.6)
        assert "no answer yet, giving up in 15.4 s" in stage.text()
        await stage.until(begun + 97.0)
        assert "1002: Invite request no response!" in stage.text()

    perform(play, monkeypatch)


def test_no_credentials_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f7", "home", "down", "down", "down")
        assert "INVITE sip:1002@yealink.pbx.com +auth" in stage.text()
        assert "Proxy-Authorization: Digest" in stage.text()
        assert "response=" not in stage.text()
        assert "lab-secret" not in stage.text()

    perform(play, monkeypatch, size=LARGE)


def test_the_messages_of_no_call_are_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """F7 once more shows all of them: a registration, or a message that was refused."""

    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f7")
        assert "Messages · call-1" in stage.text()
        await stage.press("f7")
        assert "Messages · all" in stage.text()
        assert "REGISTER" in stage.text()
        await stage.press("f7")
        assert "Messages · call-1" in stage.text()
        await stage.press("f7", "escape", "f7")
        assert "Messages · call-1" in stage.text()

    perform(play, monkeypatch)


def test_the_log_is_as_wide_as_its_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told while another pane had its place, too."""

    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("f9")
        assert "talking: answered at primary 192.168.1.13:5060/udp" in stage.text()

    perform(play, monkeypatch)


def test_breaks_and_mends_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f8", "down", "space")
        assert str(stage.lab.servers["secondary"].behaviour) == "silent"
        assert "✗ secondary" in stage.text()
        await stage.press("space")
        assert str(stage.lab.servers["secondary"].behaviour) == "ok"
        await stage.press("enter", "down", "enter")
        await stage.wait(0.2)
        assert str(stage.lab.servers["secondary"].behaviour) == "503"
        await stage.press("down", "down", "enter", "down", "enter")
        await stage.wait(0.2)
        assert stage.lab.callee.behaviour is CalleeBehaviour.BUSY

    perform(play, monkeypatch)


def test_a_behaviour_written_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f8", "enter", "tab", *"599x", "enter")
        assert "there is no behaviour" in stage.text()
        await stage.press("backspace", "enter")
        await stage.wait(0.2)
        assert str(stage.lab.servers["primary"].behaviour) == "599"

    perform(play, monkeypatch)


def test_without_a_lab_there_are_no_servers_to_break(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        assert "F8" not in stage.text()
        assert "Call me" not in stage.text()
        await stage.press("f8", "f3")
        await stage.dial("1002")
        await stage.wait(0.5)
        assert "answered via primary" in stage.text()

    perform(play, monkeypatch, with_lab=False)


def test_quits_de_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        assert stage.lab.servers["primary"].bindings
        await stage.press("ctrl+q")
        await stage.wait(1.0)
        assert not stage.lab.servers["primary"].bindings
        assert not stage.lab.servers["fallback"].bindings

    assert perform(play, monkeypatch).return_code == 0


def test_asks_before_it_quits_during_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(0.5)
        await stage.press("ctrl+q")
        assert "A call is up. Hang up and quit?" in stage.text()
        await stage.press("n")
        assert len(stage.phone.calls) == 1
        await stage.press("ctrl+q", "y")
        await stage.wait(1.0)
        assert not stage.phone.calls
        assert not stage.lab.servers["primary"].bindings

    assert perform(play, monkeypatch).return_code == 0


def test_leaving_is_bounded_when_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        for name in ("primary", "fallback"):
            await stage.break_server(name, "silent")
        await stage.press("ctrl+q")
        assert "de-registering…" in stage.text()
        await stage.wait(11.0)

    assert perform(play, monkeypatch, size=SMALL).return_code == 0


def test_a_world_that_refuses_is_said_and_is_exit_status_3(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        pass

    app = perform(play, monkeypatch, port_taken=True)
    assert app.return_code == 3
    assert "192.168.1.21" in app.failure
