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
@click.option(
    "--play",
    type=click.Path(path_type=Path),
    metavar="WAV",
    help="Say this, of any rate and width; the call stays up until it has been said.",
)
@click.option("--record", type=OUTPUT, metavar="WAV", help="Write what is heard, ten minutes at most.")
@common_options(*PHONE, *SOUND, world="real")
def call(
    common: Common,
    cfg: tuple[str, ...],
    destination: str,
    line: int | None,
    duration: float,
    register: bool,
    play: Path | None,
    record: Path | None,
) -> int:
    """Place one call to DESTINATION, a number or a SIP URI, and print its route as it grows.

    The line registers first, as a phone on a desk would have, but a registration that fails does not stop the
    call. The exit status is 0 if the call was answered, else 1.
    """
    refuse_elsewhere(common, common.world, {"play": play, "record": record})
    check_outputs({"--record": record}, (*cfg, play), common)
    config = load_cfg(cfg, common)
    order = Order(
        destination=destination,
        line=line,
        duration=duration,
        register=register,
        play=None if play is None else read_wav(play),
        record=record,
    )
    if wrong := why_undialable(destination, config.call_num_filter):
        raise click.BadParameter(wrong, param_hint="'DESTINATION'")
    check_line(config, line)
    return place(make_desk(config, common), common, order)
