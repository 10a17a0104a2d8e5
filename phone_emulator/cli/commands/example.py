"""``phone-emulator example``: the guide's example, to start from."""

from __future__ import annotations

import os
import shlex
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from phone_emulator.cli.exits import Exit
from phone_emulator.cli.talk import say
from phone_emulator.saving import saved

FILES = ("guide-example.cfg", "guide-example.zone")
SCENARIOS = "scenarios"
"""The folder of them; what they name stands above it."""


@click.command(epilog="Example: phone-emulator example my-phone && phone-emulator run my-phone/scenarios")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def example(folder: Path, force: bool) -> int:
    """Write the guide's example to DIR: a phone's cfg file, its DNS zone, and a scenario for every timeline.

    DIR is made where it is missing. The names of the files go to stdout, what to try next to stderr. A file
    that is there stays, and nothing is written, unless --force is given.
    """
    texts = {folder / name: text for name, text in _texts().items()}
    _check(folder, texts, force)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with saved(path, private=False) as file:
            file.write(text)
        click.echo(str(path))
    say("\n".join(_to_try(folder)))
    return Exit.OK


def _home() -> Traversable:
    """Where the files are: within the package as it is installed, beside it in its source."""
    package = files("phone_emulator")
    installed = package / "examples"
    return installed if installed.is_dir() else Path(str(package)).parent / "configs"


def _texts() -> dict[str, bytes]:
    """What is written, by its place below DIR."""
    home = _home()
    found = {name: (home / name).read_bytes() for name in FILES}
    scenarios = sorted((home / SCENARIOS).iterdir(), key=lambda each: each.name)
    return found | {f"{SCENARIOS}/{each.name}": each.read_bytes() for each in scenarios}


def _check(folder: Path, texts: dict[Path, bytes], force: bool) -> None:
    """Refuse what cannot be written; raises click.UsageError."""
    for path in (folder / SCENARIOS, folder, *folder.parents):
        if os.path.lexists(path) and not path.is_dir():
            raise click.UsageError(f"{path} is not a folder")
    taken = [path for path in texts if os.path.lexists(path)]
    for path in taken:
        if not path.is_file():
            raise click.UsageError(f"{path} is there, and not a plain file")
    if taken and not force:
        more = f" and {len(taken) - 1} more are" if len(taken) > 1 else " is"
        raise click.UsageError(f"{taken[0]}{more} there: name another folder, or replace them with --force")


def _to_try(folder: Path) -> list[str]:
    cfg, zone = (shlex.quote(str(folder / name)) for name in FILES)
    scenarios = shlex.quote(str(folder / SCENARIOS))
    return [
        "To try next:",
        f"  phone-emulator run {scenarios}",
        f"  phone-emulator check {cfg}",
        f"  phone-emulator explain {cfg} --zone {zone}",
        f"  phone-emulator simulate {cfg} --zone {zone} --down primary=silent --call 1002",
        f"  phone-emulator tui --world lab --zone {zone} {cfg}",
    ]
