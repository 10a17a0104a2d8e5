"""What ends a provisioning cycle without a result."""

from __future__ import annotations

from phone_emulator.config import CfgError


class ProvisioningError(CfgError):
    """Nothing was provisioned; ``faults`` are lines for people, each with the file it is about."""
