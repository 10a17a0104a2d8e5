"""What means something in which world: the keys of scenario files, and the options of the program.

What means nothing in a world is refused there: it would be obeyed to somebody's surprise, or dropped without
a word. The tables name every key and every option, so that a new one has to say where it counts; a kind of
step says so itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIMULATED, LAB, REAL = "simulated", "lab", "real"


@dataclass(frozen=True, slots=True)
class Where:
    """The worlds in which a key or an option means something."""

    worlds: frozenset[str]
    why: str = ""
    """What is said elsewhere, to people; ``{name}`` and ``{world}`` stand for what was given."""


def _embedded(why: str) -> Where:
    return Where(frozenset({SIMULATED, LAB}), why)


EVERYWHERE = Where(frozenset({SIMULATED, LAB, REAL}))
_OF_A_SERVER = _embedded("'{name}' is for the embedded servers of simulated and lab; a real one is as it is")
OF_THE_LAB = _embedded("nobody can do that in the {world} world, only in simulated and lab")
OF_A_CALLER = _embedded("nobody is made to call in the {world} world: there is no call to take")

FILE: Mapping[str, Where] = {
    "name": EVERYWHERE,
    "world": EVERYWHERE,
    "config": EVERYWHERE,
    "set": EVERYWHERE,
    "zone": _embedded("zone: in the {world} world the phone asks the network's DNS servers; leave it out"),
    # In the real world they give names to addresses, for 'via', 'route' and 'registered'.
    "servers": EVERYWHERE,
    "callee": _embedded("callee: nobody can say what a called user does in the {world} world"),
    "sound": EVERYWHERE,
    "steps": EVERYWHERE,
}
"""The keys of the file."""

SERVER: Mapping[str, Where] = {
    "address": EVERYWHERE,
    "port": EVERYWHERE,
    "tls_port": EVERYWHERE,
    "transports": _OF_A_SERVER,
    "behaviour": _OF_A_SERVER,
    "names": _OF_A_SERVER,
}
"""The keys of ``servers: {NAME: …}``."""

OPTION: Mapping[str, Where] = {
    "overrides": EVERYWHERE,
    "set_from": EVERYWHERE,
    "world": EVERYWHERE,
    "format": EVERYWHERE,
    "pcap": EVERYWHERE,
    "pcap_media": EVERYWHERE,
    "mask": EVERYWHERE,
    # The real world's chance is seeded by it, too.
    "seed": EVERYWHERE,
    "silence": EVERYWHERE,
    "reaction": EVERYWHERE,
    "offer": EVERYWHERE,
    "optional_srtp": EVERYWHERE,
    "log_level": EVERYWHERE,
    "mac": EVERYWHERE,
    "model": EVERYWHERE,
    "firmware": EVERYWHERE,
    "local_address": EVERYWHERE,
    "known": EVERYWHERE,
    "local_port": EVERYWHERE,
    "dns": Where(
        frozenset({REAL}), "--dns is for --world real: the {world} world has a name server of its own"
    ),
    "zone": _embedded("--zone is about the embedded servers: add --world lab or simulated"),
    "down": _embedded("--down is about the embedded servers: add --world lab or simulated"),
    "provision": EVERYWHERE,
    "pnp": EVERYWHERE,
    # The embedded servers' certificates are checked against it, and then not trusted.
    "ca": EVERYWHERE,
    "client_cert": Where(
        frozenset({REAL}), "--client-cert is for --world real: no server of the {world} world asks for one"
    ),
    "large_requests": EVERYWHERE,
    # Of ``call``:
    "line": EVERYWHERE,
    "duration": EVERYWHERE,
    "register": EVERYWHERE,
    # Of ``call`` and ``run``:
    "play": EVERYWHERE,
    "repeat": EVERYWHERE,
    "record": EVERYWHERE,
    "record_side": EVERYWHERE,
    # Of ``tui``:
    "sound": EVERYWHERE,
    # Of ``run``:
    "junit": EVERYWHERE,
    "html": EVERYWHERE,
    "fail_fast": EVERYWHERE,
    "routes": EVERYWHERE,
}
"""The options of the commands that put a phone into a world, by the names of their parameters."""


def why_not(world: str, table: Mapping[str, Where], name: str) -> str:
    """Why *name* of *table* means nothing in *world*; empty where it does, or where there is no such name."""
    return why_not_there(world, table.get(name, EVERYWHERE), name)


def why_not_there(world: str, where: Where, name: str) -> str:
    """Why *name*, which means something at *where*, means nothing in *world*; empty where it does."""
    known = world in EVERYWHERE.worlds
    return where.why.format(name=name, world=world) if known and world not in where.worlds else ""
