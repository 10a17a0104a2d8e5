"""The group of all commands; a command is imported when it is used, so that ``--help`` is instant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from phone_emulator import __version__

from .exits import exit_status

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "tui": "The terminal phone, with your cfg files or in the embedded lab.",
    "run": "Run scenario files; the exit status is the verdict.",
    "call": "Place one call and print its route as it grows.",
    "register": "Register every enabled line and print who is registered where.",
    "route": "Ask DNS which servers a call would go to, and how long each is waited for.",
    "check": "Say what is wrong or surprising in cfg files.",
    "cfg": "Compare, explain, export, encrypt and decrypt cfg files.",
    "params": "Print the reference of the parameters that are known.",
    "simulate": "What would happen if servers were down, in virtual time.",
    "explain": "What will happen to calls and registrations when servers fail, in plain sentences.",
    "lab": "The embedded SIP servers alone, for other phones to try.",
    "example": "Write the guide's example (cfg file, zone, scenarios) to start from.",
    "completion": "Print what makes a shell complete commands, options and files.",
}
"""Each command, as ``--help`` lists it; its module has the same name, and in it the command too."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"phone_emulator.cli.commands.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell may complete *incomplete* to, without importing the commands."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; ends the program with an exit status of :class:`Exit` unless *standalone_mode* is False."""

        def command() -> object:
            return super(LazyGroup, self).main(args, prog_name, complete_var, False, **extra)

        if not standalone_mode:
            return command()
        sys.exit(exit_status(command))


@click.command(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: phone-emulator simulate configs/guide-example.cfg --down primary=silent --call 1002",
)
@click.version_option(__version__, prog_name="phone-emulator")
@click.pass_context
def cli(ctx: click.Context) -> object:
    """A virtual Yealink phone that shows which SIP server every call goes through, and why.

    Without a command: the terminal phone in the embedded lab (three SIP servers, a DNS server and someone to
    call, on loopback), so it works with nothing set up.
    """
    if ctx.invoked_subcommand is not None:
        return None
    from .commands.tui import tui

    # Not ctx.invoke(), which passes over the callbacks of options.
    with tui.make_context("tui", [], parent=ctx) as own:
        return tui.invoke(own)
