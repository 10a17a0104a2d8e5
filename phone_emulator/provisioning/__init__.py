"""The phone fetches its own files: boot, common, own and local; over HTTP(S), FTP or TFTP."""

from phone_emulator.provisioning.errors import ProvisioningError
from phone_emulator.provisioning.handset import Handset, handset_of
from phone_emulator.provisioning.provisioner import Provisioner, Ways
from phone_emulator.provisioning.settings import NotifyReboot, ProvisioningSettings

__all__ = [
    "Handset",
    "NotifyReboot",
    "Provisioner",
    "ProvisioningError",
    "ProvisioningSettings",
    "Ways",
    "handset_of",
]
