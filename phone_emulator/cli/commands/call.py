"""``phone-emulator call``: one call, its route printed as it grows."""

from __future__ import annotations

from pathlib import Path

import click

from phone_emulator.cli.desk import check_line, load_cfg, make_desk, refuse_elsewhere
from phone_emulator.cli.options import (
    DURATION,
    LINE,
    OUTPUT,
    PHONE,
    SOUND,
    Common,
    cfg_argument,
    common_options,
)
from phone_emulator.cli.outputs import check_outputs
from phone_emulator.cli.placing import Order, place
from phone_emulator.cli.sides import check_sides, sides_options
from phone_emulator.media.sides import Side
from phone_emulator.media.wav import read_wav
from phone_emulator.phone.dialling.number import why_undialable


@click.command(
    epilog="Example: phone-emulator call phone.cfg 1002 --set account.1.sip_server.1.failback_mode=3",
)
@cfg_argument()
@click.argument("destination")
@click.option("--line", type=LINE, metavar="N", help="The line to call from [default: the first one].")
@click.option(
    "--duration",
    type=DURATION,
    metavar="DURATION",
    default="1s",
    show_default=True,
    help="How long the call stays up after the answer.",
)
@click.option("--register/--no-register", default=True, show_default=True, help="Register the line first.")
@sides_options(
    click.option(
        "--record", type=OUTPUT, metavar="WAV", help="Write what is said and heard, the last ten minutes."
    )
)
@common_options(*PHONE, *SOUND, world="real")
def call(
    common: Common,
    cfg: tuple[str, ...],
    destination: str,
    line: int | None,
    duration: float,
    register: bool,
    play: Path | None,
    repeat: bool,
    record: Path | None,
    record_side: Side | None,
) -> int:
    """Place one call to DESTINATION, a number or a SIP URI, and print its route as it grows.

    The line registers first, as a phone on a desk would have, but a registration that fails does not stop the
    call. The exit status is 0 if the call was answered, else 1.
    """
    refuse_elsewhere(common, common.world)
    check_sides(play, repeat, record, record_side)
    check_outputs({"--record": record}, (*cfg, play), common)
    config = load_cfg(cfg, common)
    order = Order(
        destination=destination,
        line=line,
        duration=duration,
        register=register,
        play=None if play is None else read_wav(play),
        repeat=repeat,
        record=record,
        side=record_side or "both",
    )
    if wrong := why_undialable(destination, config.call_num_filter):
        raise click.BadParameter(wrong, param_hint="'DESTINATION'")
    check_line(config, line)
    # In virtual time sound takes time, and is left out where nobody asks for it.
    listens = common.world != "simulated" or play is not None or record is not None
    return place(make_desk(config, common, listens=listens), common, order)
