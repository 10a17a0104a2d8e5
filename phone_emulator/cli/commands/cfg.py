"""``phone-emulator cfg``: compare, explain, export, encrypt and decrypt cfg files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phone_emulator.cleaning import clean_json
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.options import OUTPUT, Common, cfg_argument, common_options, complete_files
from phone_emulator.saving import saved

if TYPE_CHECKING:
    from phone_emulator.config.effective import Effective
    from phone_emulator.config.reader import Reading, Setting


@click.group(epilog="Example: phone-emulator cfg diff old.cfg new.cfg")
def cfg() -> None:
    """Compare, explain, export, encrypt and decrypt cfg files."""


_key = click.option("--key", metavar="KEY", help="The AES key: 16 characters, or 32. Others may see it here.")
_key_file = click.option(
    "--key-file", type=click.Path(path_type=Path), metavar="FILE", help="A file that holds the key."
)
_output = click.option(
    "-o",
    "--output",
    type=OUTPUT,
    metavar="FILE",
    help="Write here, for your eyes only, instead of to stdout.",
)


@cfg.command(epilog="Example: phone-emulator cfg decrypt 001565aabbcc.cfg --key-file mac.key -o plain.cfg")
@click.argument("file", shell_complete=complete_files)
@_key
@_key_file
@_output
def decrypt(file: str, key: str | None, key_file: Path | None, output: Path | None) -> int:
    """Decrypt FILE, AES in ECB mode or a #!encrypt container, with your own key."""
    from phone_emulator.config import crypt
    from phone_emulator.config.reader import CfgError, file_bytes

    try:
        plain = crypt.decrypt(file_bytes(file), [_read_key(key, key_file)])
    except crypt.CryptError as error:
        raise CfgError([f"{file}:1: {error}"]) from None
    return _write(plain, output)


@cfg.command(epilog="Example: phone-emulator cfg encrypt plain.cfg --key-file mac.key -o 001565aabbcc.cfg")
@click.argument("file", shell_complete=complete_files)
@_key
@_key_file
@_output
def encrypt(file: str, key: str | None, key_file: Path | None, output: Path | None) -> int:
    """Encrypt FILE with your own key, AES in ECB mode, as the phone expects it."""
    from phone_emulator.config import crypt
    from phone_emulator.config.reader import CfgError, file_bytes

    if output is None and sys.stdout.isatty():
        raise click.UsageError("cipher text is nothing for a terminal: name a file with --output")
    try:
        cipher_text = crypt.encrypt(file_bytes(file), _read_key(key, key_file))
    except crypt.CryptError as error:
        raise CfgError([f"{file}:1: {error}"]) from None
    return _write(cipher_text, output)


def _read_key(key: str | None, key_file: Path | None) -> bytes:
    from phone_emulator.config.crypt import CryptError, read_key
    from phone_emulator.config.reader import CfgError, file_bytes

    if (key is None) == (key_file is None):
        raise click.UsageError("expected either --key or --key-file")
    if key is None:
        key = file_bytes(str(key_file)).decode("utf-8", "replace").strip("\ufeff\r\n")
    try:
        return read_key(key)
    except CryptError as error:
        raise CfgError([f"{'--key' if key_file is None else key_file}:1: {error}"]) from None


@cfg.command(epilog="Example: phone-emulator cfg diff old.cfg new.cfg")
@click.argument("left", metavar="A.cfg", shell_complete=complete_files)
@click.argument("right", metavar="B.cfg", shell_complete=complete_files)
@common_options("overrides", "format", "model")
def diff(common: Common, left: str, right: str) -> int:
    """Compare what two files come to: spelling, order and older names make no difference.

    The exit status is 1 if they differ. --set is added to both.
    """
    from phone_emulator.config.effective import differences
    from phone_emulator.config.models import accounts_of

    accounts = accounts_of(common.model)
    found = differences(_read((left,), common).settings, _read((right,), common).settings, accounts)
    for each in found:
        key = each.left.key
        if common.json:
            line = clean_json({"key": key, "left": _facts(each.left), "right": _facts(each.right)})
        else:
            line = f"{key}: {_place(each.left)} -> {_place(each.right)}"
        click.echo(line)
    if not found:
        click.echo("no difference", err=True)
    return Exit.FAILED if found else Exit.OK


@cfg.command(epilog="Example: phone-emulator cfg explain account.1.sip_server.1.port common.cfg mac.cfg")
@click.argument("key")
@cfg_argument()
@common_options("overrides", "format", "model")
def explain(common: Common, key: str, cfg: tuple[str, ...]) -> int:
    """Say which value of KEY is in force in CFG files, where it comes from, and what it replaced."""
    from phone_emulator.config.catalogue import catalogue, suggestion
    from phone_emulator.config.effective import by_todays_name, slots_of, value_in_force
    from phone_emulator.config.models import accounts_of

    reading = _read(cfg, common)
    named = by_todays_name(reading.settings, accounts_of(common.model))
    slots = slots_of(key, named)
    if not any(slot in named for slot in slots) and catalogue().find(key) is None:
        click.echo(f"{key}: not set, and not a known parameter{suggestion(key)}", err=True)
        return Exit.FAILED
    for slot in slots:
        each = value_in_force(slot, named.get(slot))
        earlier = _earlier(reading, slot)
        if common.json:
            facts = {"key": each.key, **_facts(each), "effect": _effect(each)}
            replaced = [{"value": old.shown, "file": old.file, "line": old.line} for old in earlier]
            click.echo(clean_json({**facts, "default": _default(each), "replaced": replaced}))
        else:
            click.echo("\n".join(_explained(each, named.get(slot), earlier)))
    return Exit.OK


def _explained(each: Effective, setting: Setting | None, earlier: list[Setting]) -> list[str]:
    """The lines that explain a value to people; *earlier* is what was said before, oldest first."""
    lines = [f"{each.key} = {each.shown}", f"  {_source(each)}"]
    if each.setting is None and setting is not None:
        asks = setting.given is None
        why = "which asks for the default" if asks else "which is no value of it"
        lines.append(f"  {setting.file}:{setting.line} says {setting.shown or 'nothing'}, {why}")
    elif setting is not None and setting.key != each.key:
        lines.append(f"  there it is called {setting.key}")
    lines += [f"  replaced {old.file}:{old.line}: {old.shown or '(blank)'}" for old in reversed(earlier)]
    if each.parameter is not None:
        lines.append(f"  takes {each.parameter.expected}; default {_default(each) or '(none)'}")
    lines.append(f"  {_effect(each)}{_missed(each)}")
    return lines


def _earlier(reading: Reading, slot: str) -> list[Setting]:
    """What *slot* was before the word in force, by any of its names, in the order it was said."""
    from phone_emulator.config.catalogue import catalogue

    key = slot.partition("[")[0]
    found: list[Setting] = []
    for each, olds in reading.earlier.items():
        if each == slot or (each == olds[0].key and key in catalogue().todays(each)):
            found += olds
    return found


@cfg.command(epilog="Example: phone-emulator cfg export common.cfg mac.cfg --what non-static -o phone.cfg")
@cfg_argument()
@click.option(
    "--what",
    type=click.Choice(("all", "local", "static", "non-static")),
    default="all",
    help="local: what the user has changed (--set, and files called *-local.cfg).",
)
@click.option("--reveal", is_flag=True, help="Passwords on stdout as they are, not as dots.")
@_output
@common_options("overrides", "model")
def export(common: Common, cfg: tuple[str, ...], what: str, reveal: bool, output: Path | None) -> int:
    """Write the configuration that CFG files come to, as one clean file that loads back to the same.

    A file gets the passwords as they are, and only you may read it; stdout gets dots.
    """
    from phone_emulator.config.export import export as exported
    from phone_emulator.config.models import accounts_of

    reveal, accounts = reveal or output is not None, accounts_of(common.model)
    text = exported(_read(cfg, common).settings, what, reveal=reveal, accounts=accounts)
    return _write(text.encode(), output)


def _read(files: tuple[str, ...], common: Common) -> Reading:
    from phone_emulator.config.reader import read

    return read(files, common.overrides, common.model)


def _write(data: bytes, output: Path | None) -> int:
    """Puts *data* into *output*, which only its owner may read, at once or not at all; else on stdout."""
    if output is None:
        click.echo(data, nl=False)
        return Exit.OK
    with saved(output, private=True) as file:
        file.write(data)
    return Exit.OK


def _facts(each: Effective) -> dict[str, Any]:
    setting = each.setting
    return {
        "value": each.shown,
        "origin": str(each.origin),
        "file": None if setting is None else setting.file,
        "line": None if setting is None else setting.line,
    }


def _place(each: Effective) -> str:
    setting = each.setting
    place = "default" if setting is None else f"{setting.file}:{setting.line}"
    return f"{each.shown or '(blank)'} ({place})"


def _source(each: Effective) -> str:
    setting = each.setting
    return "factory: the default" if setting is None else f"{each.origin}: {setting.file}:{setting.line}"


def _missed(each: Effective) -> str:
    from phone_emulator.config.catalogue import Effect
    from phone_emulator.config.effects import missed

    if each.parameter is None or each.parameter.effect is not Effect.NONE:
        return ""
    return f": {missed(each.parameter.name).sentence}"


def _effect(each: Effective) -> str:
    return "unknown" if each.parameter is None else each.parameter.effect


def _default(each: Effective) -> str:
    return "" if each.parameter is None else each.parameter.default
