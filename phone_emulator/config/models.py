"""The phones as data: ``models.yaml`` read into `Model` objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from phone_emulator.numbers import number

DEFAULT_MODEL = "SIP-T46S"
MOST_ACCOUNTS = 16
MOST_LINE_KEYS = 29


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of phone."""

    name: str
    """As the User-Agent has it: ``SIP-T46S``."""
    accounts: int
    """How many X there are in ``account.X``."""
    line_keys: int
    """How many X there are in ``linekey.X``: the keys of all pages."""
    common_number: int
    """The number in the name of the common cfg file."""
    firmware: str
    """A firmware version of it: ``66.86.0.15``."""

    @property
    def product(self) -> str:
        """As ``[MODEL]`` prefixes and ``$PN`` have it: ``T46S``."""
        return product_of(self.name)

    @property
    def common_file(self) -> str:
        """The cfg file that all phones of the kind ask for: ``y000000000066.cfg``."""
        return f"y{self.common_number:012}.cfg"

    @property
    def generation(self) -> int:
        """The feature generation of the firmware: 86 of V86."""
        return generation_in(self.firmware) or 0


def generation_in(firmware: str) -> int | None:
    """The generation that the second field of a version says: 86 in 66.86.0.15; None where it says none."""
    return number(firmware.partition(".")[2].partition(".")[0], 999)


def product_of(name: str) -> str:
    """*name* without its ``SIP-``, in capitals."""
    return name.upper().removeprefix("SIP-")


def model(name: str) -> Model:
    """The phone called *name*, ``SIP-T46S`` or ``t46s``. Raises `ValueError`, which tells the known ones."""
    known = models()
    found = known.get(product_of(name))
    if found is None:
        from difflib import get_close_matches  # slow to import, and seldom needed

        near = get_close_matches(product_of(name), known, n=3, cutoff=0.6) or list(known)
        raise ValueError(
            f"{name!r} is not a model that is known; such are {', '.join(f'SIP-{each}' for each in near)}"
        )
    return found


def accounts_of(name: str) -> int:
    """How many accounts the phone called *name* has; as many as a T46 where it is not known."""
    found = models().get(product_of(name))
    return MOST_ACCOUNTS if found is None else found.accounts


def line_keys_of(name: str) -> int:
    """How many line keys the phone called *name* has; as many as any has where it is not known."""
    found = models().get(product_of(name))
    return MOST_LINE_KEYS if found is None else found.line_keys


def generation_of(name: str, firmware: str = "") -> int:
    """The feature generation of the phone called *name*; the latest where it is not known.

    *firmware* is the version that it has (``66.84.0.15`` is of V84); what is none is the model's last.
    """
    generation = generation_in(firmware)
    if generation is not None:
        return generation
    found = models().get(product_of(name))
    return max(each.generation for each in models().values()) if found is None else found.generation


@cache
def models() -> dict[str, Model]:
    """All phones, by product name (``T46S``)."""
    text = Path(__file__).with_name("models.yaml").read_bytes()
    facts = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {
        product_of(name): Model(name, accounts, line_keys, common, f"{prefix}.{generation}.0.15")
        for name, (accounts, line_keys, common, prefix, generation) in facts.items()
    }
