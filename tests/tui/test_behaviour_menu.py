"""What the menu of behaviours offers for which server."""

from __future__ import annotations

from phone_emulator.lab.vocabulary import CALLEE, SERVER, offers
from phone_emulator.tui.lab_control import ServerView
from phone_emulator.tui.screens.behaviour import BehaviourScreen


def offered(*transports: str) -> list[str]:
    view = ServerView("primary", "primary", "127.0.0.13:5060", transports, "ok")
    return [text for text, _ in BehaviourScreen.for_server(view).choices]


def test_only_what_means_something_for_the_server_is_offered() -> None:
    every = [text for text, _ in offers(SERVER)]
    assert offered("udp", "tcp", "tls") == every
    assert offered("udp", "tcp") == [text for text in every if not text.startswith("certificate")]
    over_udp = [text for text in every if not text.startswith(("certificate", "close-after"))]
    assert offered("udp") == over_udp


def test_called_users() -> None:
    assert BehaviourScreen.for_callee("answer").choices == offers(CALLEE)
