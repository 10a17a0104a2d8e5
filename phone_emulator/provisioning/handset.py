"""The phone as its provisioning server knows it."""

from __future__ import annotations

from dataclasses import dataclass

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
    common_number: int | None
    """``66`` of ``y000000000066.cfg``; None where it is not known."""
    address: str = ""
    """The phone's own IP address, where it is known."""

    @property
    def product(self) -> str:
        """The model as ``$PN`` and ``[MODEL]`` have it: ``T46S``."""
        return self.model.upper().removeprefix("SIP-")

    @property
    def common_file(self) -> str | None:
        """``y000000000066.cfg``, or None."""
        return None if self.common_number is None else f"y{self.common_number:012}.cfg"

    def user_agent(self, with_mac: bool = True) -> str:
        """The User-Agent of HTTP requests; *with_mac*: ``static.auto_provision.user_agent_mac.enable``."""
        pairs = (self.mac[start : start + 2] for start in range(0, 12, 2))
        return f"Yealink {self.model} {self.firmware}" + (f" {':'.join(pairs)}" if with_mac else "")

    def variables(self, wildcard: str = "") -> dict[str, str]:
        """What variables in URLs stand for; *wildcard*: ``static.auto_provision.url_wildcard.pn``."""
        known = {"PN": wildcard or self.product, "MAC": self.mac, "MODEL": self.model}
        return known | ({"IP": self.address} if self.address else {})
