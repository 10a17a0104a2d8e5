"""The options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from phone_emulator.cli.group import cli
from phone_emulator.cli.options import Common, common_options
from phone_emulator.config import PhoneConfig

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ([], ()),
        (["192.0.2.5"], ("192.0.2.5",)),
        (["192.0.2.5, [2001:DB8::5]"], ("192.0.2.5", "2001:db8::5")),
        (["2001:db8::5", "192.0.2.5"], ("2001:db8::5", "192.0.2.5")),
    ],
)
def test_local_addresses_by_commas_or_one_by_one(given: list[str], addresses: tuple[str, ...]) -> None:
    got: list[Common] = []
    command = click.command()(common_options("local_address")(got.append))
    said = CliRunner().invoke(command, [word for each in given for word in ("--local-address", each)])
    assert said.exit_code == 0, said.output
    assert got[0].local_addresses == addresses
    assert got[0].first_local_address == (addresses[0] if addresses else "")


@pytest.mark.parametrize("name", ["call", "check", "explain", "register", "route", "simulate", "tui"])
def test_a_command_that_can_fetch_files_lets_say_which_phone_it_is(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {parameter.name for parameter in command.params}
    assert {"provision", "pnp", "ca", "mac", "model", "firmware"} <= known


def test_no_command_is_the_terminal_phone_as_its_own_command_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Common] = []

    def make_desk(config: PhoneConfig, common: Common, *, every_transport: bool) -> NoReturn:
        made.append(common)
        raise click.UsageError("far enough")

    monkeypatch.setenv("TEXTUAL_DRIVER", "none")
    monkeypatch.setattr("phone_emulator.cli.commands.tui.make_desk", make_desk)
    for args in ((), ("tui",)):
        assert "far enough" in run(*args).stderr
    assert made[0] == made[1]
    assert made[0].local_address == ""
