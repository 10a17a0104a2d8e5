"""Where the details of internal faults are saved, for whoever mends them."""

from __future__ import annotations

import os
import tempfile

from phone_emulator.events import InternalFault
from phone_emulator.scarcity import shortage


class FaultFile:
    """A file of this program's own in the folder for temporary files, made with the first fault."""

    def __init__(self) -> None:
        self.path = ""

    def save(self, fault: InternalFault) -> str:
        """Add *fault*; the file's path, or why it could not be saved."""
        made = ""
        try:
            if not self.path:
                descriptor, made = tempfile.mkstemp(prefix="phone-emulator-fault-", suffix=".txt")
                os.close(descriptor)
            with open(self.path or made, "a", encoding="utf-8") as file:
                file.write(f"at {fault.at:.3f} s: {fault}\n{fault.traceback}\n\n")
        except OSError as error:
            if made:
                os.unlink(made)  # half of one is none
            return f"no file: {shortage(error) or error.strerror or error}"
        self.path = self.path or made
        return self.path
