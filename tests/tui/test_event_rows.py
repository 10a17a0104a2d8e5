"""What the lines pane and the log show of voice mail, BLF keys and text messages."""

from __future__ import annotations

from phone_emulator.phone.wire.dialog_info import DialogInfo, DialogState, write
from phone_emulator.tui.rows.log import log_rows
from phone_emulator.tui.rows.registration import LampRow, line_rows
from tests.lab.peers import PHONE
from tests.phone.far_end import Play, play
from tests.phone.presence.watching import DIALOG_INFO, MWI, notify, registered

SUMMARY = b"Messages-Waiting: yes\r\nVoice-Message: 2/8\r\n"


def test_lamps_and_voice_mail() -> None:
    async def story(on: Play) -> None:
        [row] = line_rows(on.phone.lines.values(), 0.0, 1)
        assert (row.mail, row.lamps) == ("", (LampRow("Bob", "unknown", busy=False),))
        await registered(on)
        requests = [await on.far.heard("SUBSCRIBE"), await on.far.heard("SUBSCRIBE")]
        dialog = DialogState(
            id="d", phase="confirmed", incoming=True, remote="sip:1003@pbx", remote_name="Carol"
        )
        info = DialogInfo(entity="sip:1002@pbx", version=0, full=True, dialogs=(dialog,))
        for request, body, kind in zip(requests, (SUMMARY, write(info)), (MWI, DIALOG_INFO), strict=True):
            on.far.answer(request, 200)
            on.far.send(notify(on.far, request, 1, body=body, content_type=kind))
            await on.far.response(200, "NOTIFY")
        [row] = line_rows(on.phone.lines.values(), 0.0, 1)
        assert (row.mail, row.lamps) == (
            "2 New Voice Mail(s)",
            (LampRow("Bob", "talking with Carol", busy=True),),
        )
        text = on.far.make("MESSAGE", f"sip:1001@{PHONE}", user="1002")
        text.body = b"Hello"
        on.far.send(text)
        await on.far.response(200, "MESSAGE")
        told = [f"{each.topic}: {each.text}" for each in log_rows(on.events) if not each.bad]
        assert told[-5:] == [
            "line 1: voice mail: 2 new, 8 old",
            "line 1: message-summary: subscribed at primary 192.168.1.13:5060/udp",
            "line 1: key 1, 1002: talking with Carol",
            "line 1: dialog of 1002: subscribed at primary 192.168.1.13:5060/udp",
            "line 1: text message from 1002: Hello",
        ]

    play(
        story,
        account__1__subscribe_mwi=1,
        linekey__1__type=16,
        linekey__1__value="1002",
        linekey__1__label="Bob",
    )
