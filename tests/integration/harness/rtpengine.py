"""rtpengine in user space: the media relay of Kamailio, as it stands in an SBC."""

from __future__ import annotations

from pathlib import Path

from tests.integration.harness.net import listening
from tests.integration.harness.process import Process, require

CONTROL_PORT = 2223
"""Where Kamailio gives its orders, over UDP."""


class Rtpengine(Process):
    """One rtpengine that relays at *address*: it encrypts, decrypts and transcodes as it is told."""

    def __init__(self, address: str, directory: Path) -> None:
        require("rtpengine")
        super().__init__("rtpengine", directory)
        self.address = address

    @property
    def control(self) -> str:
        """Where it takes orders, as Kamailio writes it."""
        return f"udp:{self.address}:{CONTROL_PORT}"

    def start(self) -> Rtpengine:
        """Start it and wait until it takes orders; returns itself."""
        options = ["--config-file=none", "--foreground", "--log-stderr", "--log-level=5"]
        # Without its module for the kernel.
        options += ["--table=-1", f"--interface={self.address}", "--port-min=40000", "--port-max=40999"]
        options += [f"--listen-ng={self.address}:{CONTROL_PORT}"]
        self.launch(["rtpengine", *options], lambda: listening(self.address, CONTROL_PORT, "udp"))
        return self
