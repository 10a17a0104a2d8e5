"""Which file is next: what the phone asks for, and what it makes of the answer. No I/O.

Theory of operation. A phone asks for its own boot file, then for the one of all phones. The first that is
there decides: what it includes is fetched in its order, nothing else. Without a boot file it is the common
file of the model, then the phone's own file. Last, where local settings are kept on the
server (``custom.sync``), the phone's local file. A file that is not there is no fault: the next is asked for.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from phone_emulator.config.boot import Boot
from phone_emulator.provisioning.errors import ProvisioningError
from phone_emulator.provisioning.handset import GENERIC_BOOT_FILE, Handset
from phone_emulator.provisioning.location import Location, LocationError, resolve

MOST_INCLUDES = 256
"""Of one boot file that concern this phone; a real one has a handful."""


class Stage(StrEnum):
    """What kind of file is asked for."""

    OWN_BOOT = "the phone's boot file"
    GENERIC_BOOT = "the boot file of all phones"
    INCLUDED = "included by the boot file"
    COMMON = "the common file of the model"
    OWN = "the phone's file"
    LOCAL = "the phone's local settings"
    GIVEN = "the file that the URL names"
    DONE = "done"

    @property
    def is_boot(self) -> bool:
        """Whether a boot file is expected."""
        return self in (Stage.OWN_BOOT, Stage.GENERIC_BOOT)


_NEXT: dict[tuple[Stage, bool], Stage] = {
    (Stage.OWN_BOOT, True): Stage.INCLUDED,
    (Stage.OWN_BOOT, False): Stage.GENERIC_BOOT,
    (Stage.GENERIC_BOOT, True): Stage.INCLUDED,
    (Stage.GENERIC_BOOT, False): Stage.COMMON,
    (Stage.COMMON, True): Stage.OWN,
    (Stage.COMMON, False): Stage.OWN,
    (Stage.OWN, True): Stage.LOCAL,
    (Stage.OWN, False): Stage.LOCAL,
    (Stage.GIVEN, True): Stage.LOCAL,
    (Stage.GIVEN, False): Stage.LOCAL,
    (Stage.LOCAL, True): Stage.DONE,
    (Stage.LOCAL, False): Stage.DONE,
}
"""(stage, whether the file was there) -> next stage. INCLUDED goes on to LOCAL after the last include."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The next file to fetch."""

    location: Location
    stage: Stage


class Plan:
    """One provisioning cycle. Ask ``wish``, fetch it, tell ``found`` or ``missing``; until ``wish`` is None.

    Args:
        base: what the phone was given: a folder, or one ``.boot`` or ``.cfg`` file.
        handset: the phone.
        wildcard: what ``$PN`` stands for; empty for the product name.
    """

    def __init__(self, base: Location, handset: Handset, wildcard: str = "") -> None:
        self._base = base
        self._handset = handset
        self._variables = handset.variables(wildcard)
        self._includes: deque[Location] = deque()
        self._local: Location | None = None
        self._stage = Stage.OWN_BOOT
        if base.is_file:
            self._stage = Stage.GENERIC_BOOT if base.path.lower().endswith(".boot") else Stage.GIVEN

    @property
    def wish(self) -> Wish | None:
        """The file to fetch now; None when all is fetched but perhaps the local file (see `local`)."""
        location = self._location()
        return None if location is None else Wish(location, self._stage)

    def found(self, boot: Boot | None = None) -> None:
        """The file was there; *boot* is what it says if it is a boot file. Raises ProvisioningError."""
        if boot is not None:
            self._includes.extend(self._included(boot))
        self._go_on(there=True)

    def missing(self) -> None:
        """The file was not there."""
        self._go_on(there=False)

    def local(self, path: str = "", source: str = "") -> None:
        """The local file is wanted, too: at *path* (a URL or a folder), else with the others.

        *source* is the file that says so. Raises ProvisioningError.
        """
        folder = self._base
        try:
            if path:
                folder = resolve(folder, path.removesuffix("/") + "/", self._variables, source=source)
        except LocationError as error:
            raise ProvisioningError([f"static.auto_provision.custom.sync.path: {error}"]) from None
        self._local = folder.file(f"{self._handset.mac}-local.cfg")

    def _location(self) -> Location | None:
        match self._stage:
            case Stage.OWN_BOOT:
                return self._base.file(f"{self._handset.mac}.boot")
            case Stage.GENERIC_BOOT | Stage.GIVEN:
                return self._base if self._base.is_file else self._base.file(GENERIC_BOOT_FILE)
            case Stage.INCLUDED:
                return self._includes[0]
            case Stage.COMMON:
                return self._base.file(self._handset.common_file or "")
            case Stage.OWN:
                return self._base.file(f"{self._handset.mac}.cfg")
            case Stage.LOCAL:
                return self._local
            case Stage.DONE:
                return None

    def _go_on(self, *, there: bool) -> None:
        if self._stage is Stage.INCLUDED:
            self._includes.popleft()
        else:
            self._stage = _NEXT[self._stage, there]
        if self._stage is Stage.INCLUDED and not self._includes:
            self._stage = Stage.LOCAL
        if self._stage is Stage.COMMON and self._base.is_file:
            self._stage = Stage.DONE  # the URL names the boot file, and it is not there
        if self._stage is Stage.COMMON and self._handset.common_file is None:
            self._stage = Stage.OWN

    def _included(self, boot: Boot) -> list[Location]:
        """What *boot* includes for this phone, in its order; what is named twice counts where it last is."""
        faults = []
        locations: dict[Location, None] = {}
        folder = self._boot_location
        for include in boot.includes_for(self._handset.model):
            try:
                location = resolve(folder, include.target, self._variables)
            except LocationError as error:
                faults.append(f"{folder}:{include.line}: {error}")
                continue
            locations.pop(location, None)
            locations[location] = None
        if len(locations) > MOST_INCLUDES:
            faults = [f"{folder}:1: includes {len(locations)} files, expected {MOST_INCLUDES} at most"]
        if faults:
            raise ProvisioningError(faults[:20])
        return list(locations)

    @property
    def _boot_location(self) -> Location:
        location = self._location()
        assert location is not None
        return location
