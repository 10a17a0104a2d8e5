"""The phone as its provisioning server knows it."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.config.models import models, product_of

GENERIC_BOOT_FILE = "y000000000000.boot"
"""The boot file of all phones that have none of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handset:
    """What file names, variables and the User-Agent are made of."""

    mac: str
    """12 lower-case hexadecimal digits."""
    model: str
    """``SIP-T46S``"""
    firmware: str
    """``66.86.0.15``"""
    common_file: str | None
    """``y000000000066.cfg``; None where it is not known."""
    address: str = ""
    """The phone's own IP address, where it is known."""

    @property
    def product(self) -> str:
        """The model as ``$PN`` and ``[MODEL]`` have it: ``T46S``."""
        return product_of(self.model)

    def user_agent(self, with_mac: bool = True) -> str:
        """The User-Agent of HTTP requests; *with_mac*: ``static.auto_provision.user_agent_mac.enable``."""
        pairs = (self.mac[start : start + 2] for start in range(0, 12, 2))
        return f"Yealink {self.model} {self.firmware}" + (f" {':'.join(pairs)}" if with_mac else "")

    def variables(self, wildcard: str = "") -> dict[str, str]:
        """What variables in URLs stand for; *wildcard*: ``static.auto_provision.url_wildcard.pn``."""
        known = {"PN": wildcard or self.product, "MAC": self.mac, "MODEL": self.model}
        return known | ({"IP": self.address} if self.address else {})


def handset_of(model: str, firmware: str, mac: str, address: str = "") -> Handset:
    """The phone of that *model*, which need not be a known one; see `Handset` for the arguments."""
    known = models().get(product_of(model))
    common = None if known is None else known.common_file
    return Handset(mac=mac, model=model, firmware=firmware, common_file=common, address=address)
