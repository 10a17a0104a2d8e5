"""``phone-emulator completion``: what makes a shell complete commands, options and files."""

from __future__ import annotations

import click

from phone_emulator.cli.exits import Exit

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PHONE_EMULATOR_COMPLETE"
"""In which the shell asks; click reads it whenever the program starts."""


@click.command(epilog="Example: phone-emulator completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print what makes SHELL complete the commands, options and files of this program.

    In ~/.bashrc or ~/.zshrc: eval "$(phone-emulator completion bash)", or zsh; for fish, once:
    phone-emulator completion fish > ~/.config/fish/completions/phone-emulator.fish
    """
    from click.shell_completion import get_completion_class

    made_by = get_completion_class(shell)
    assert made_by is not None
    program = ctx.find_root()
    click.echo(made_by(program.command, {}, "phone-emulator", VARIABLE).source())
    return Exit.OK
