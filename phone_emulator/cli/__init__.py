"""The command line: ``phone-emulator``, one command a file."""

from __future__ import annotations


def main() -> None:
    """The entry point of ``phone-emulator``."""
    from .group import cli

    cli(prog_name="phone-emulator")
