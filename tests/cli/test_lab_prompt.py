"""The orders of the lab's prompt, in virtual time."""

from __future__ import annotations

import pytest

from phone_emulator.cli.lab_prompt import LabPrompt, help_lines
from phone_emulator.events import Bus
from phone_emulator.lab import plans
from phone_emulator.lab.lab import Lab
from phone_emulator.lab.vocabulary import CALLEE, SERVER, offers
from phone_emulator.world import SimulatedWorld


def told(capsys: pytest.CaptureFixture[str], *orders: str) -> tuple[list[str], list[str]]:
    """What the prompt says to *orders*, on stdout and on stderr."""
    config = plans.example_config()
    stage = plans.simulated(config, plans.EXAMPLE_PLACES, plans.example_zone())
    world = SimulatedWorld(nameservers=stage.plan.nameservers)
    prompt = LabPrompt(config)

    async def main() -> None:
        lab = Lab(world, stage.plan, config, Bus())
        await lab.start()
        for order in orders:
            assert await prompt.obey(lab, order)
        await lab.stop()

    world.run(main())
    said = capsys.readouterr()
    return said.out.splitlines(), said.err.splitlines()


def test_every_offer_can_be_ordered(capsys: pytest.CaptureFixture[str]) -> None:
    orders = [f"primary {text}" for text, _ in offers(SERVER)] + [
        f"callee {text}" for text, _ in offers(CALLEE)
    ]
    said, wrong = told(capsys, *orders)
    assert wrong == []
    assert len(said) == len(orders)
    assert "primary: 503 next 3" in said
    assert "callee: answer hang-up-after 5s" in said


def test_help_lists_every_offer() -> None:
    text = "\n".join(help_lines())
    for offer, means in (*offers(SERVER), *offers(CALLEE)):
        assert f"  {offer}" in text
        assert means in text


def test_what_cannot_be_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    said, wrong = told(capsys, "primary INVITE: close-after 5s", "primary asleep", "callee asleep", "callee")
    assert said == ["callee: answer"]
    assert [line.partition(":")[0] for line in wrong] == [
        "INVITE",
        "there is no behaviour 'asleep'",
        "a called user cannot be 'asleep'",
    ]
