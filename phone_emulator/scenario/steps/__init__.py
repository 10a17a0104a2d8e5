"""The kinds of steps, one a file: what can be written, what it does, where, and what may be expected."""

from __future__ import annotations

from collections.abc import Mapping

from phone_emulator.scenario.kinds import StepKind

from . import (
    address,
    answer,
    call,
    callee,
    conference,
    dns,
    dtmf,
    expect,
    hangup,
    hold,
    incoming,
    play,
    reboot,
    record,
    register,
    reject,
    resume,
    server,
    split,
    swap,
    transfer,
    unregister,
    wait,
)

STEPS: Mapping[str, StepKind] = {
    module.KIND.name: module.KIND
    for module in (
        register,
        unregister,
        call,
        hangup,
        answer,
        reject,
        hold,
        resume,
        swap,
        conference,
        split,
        transfer,
        dtmf,
        play,
        record,
        wait,
        incoming,
        dns,
        server,
        address,
        reboot,
        callee,
        expect,
    )
}
"""By the key in the file."""
