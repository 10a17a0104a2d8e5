"""The phone fetches its configuration: a plan walked over the network, told as it goes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phone_emulator.config import CfgError, Loaded
from phone_emulator.events import Bus, ProvisioningState, ProvisioningStep
from phone_emulator.provisioning._standin import read_boot
from phone_emulator.provisioning.content import in_clear
from phone_emulator.provisioning.errors import ProvisioningError
from phone_emulator.provisioning.fetch import fetch
from phone_emulator.provisioning.fetching import MOST_BYTES, FetchError, Lookup, Manner, NotThere
from phone_emulator.provisioning.handset import Handset
from phone_emulator.provisioning.location import Location, LocationError, parse_location
from phone_emulator.provisioning.plan import Plan, Wish
from phone_emulator.provisioning.reading import Source, load_files, read_files
from phone_emulator.provisioning.settings import ProvisioningSettings, provisioning_settings


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as the phone keeps it."""

    name: str
    """Its URL, without credentials."""
    data: bytes
    """In clear."""
    md5: str
    """Of what the server sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How this machine gets at servers."""

    ca_pem: str | None = None
    """Trusted CAs in PEM; None trusts the machine's own (or those of ``SSL_CERT_FILE``)."""
    local_host: str = ""
    """The address to fetch from; empty lets the machine choose."""
    lookup: Lookup | None = None
    """How names are looked up; None asks the machine."""


class Provisioner:
    """Fetches a phone's files, and again when it is told to; keeps what it fetched last.

    Args:
        url: the server's folder, as the user gave it.
        handset: the phone.
        bus: is told every step.
        now: seconds since the world began.
        own: names of files that the phone has already; those of the server win over them.
        overrides: ``KEY=VALUE``, which win over all files.
        ways: how servers are reached.

    Raises ProvisioningError where *url* is none.
    """

    def __init__(
        self,
        url: str,
        handset: Handset,
        *,
        bus: Bus,
        now: Callable[[], float],
        own: Sequence[str] = (),
        overrides: Sequence[str] = (),
        ways: Ways | None = None,
    ) -> None:
        self.handset = handset
        self.files: tuple[Fetched, ...] = ()
        """Of the last cycle that ended well, in the order in which they count."""
        self.overwrite_mode: bool | None = None
        """As the boot file of that cycle says; None without one."""
        self._bus = bus
        self._now = now
        self._own = tuple(own)
        self._overrides = tuple(overrides)
        self._ways = ways or Ways()
        self._running = asyncio.Lock()
        wildcard = self.settings.wildcard
        try:
            self.base = parse_location(url, handset.variables(wildcard))
        except LocationError as error:
            raise ProvisioningError([f"--provision: {error}"]) from None

    @property
    def settings(self) -> ProvisioningSettings:
        """How the phone provisions, as the files it has say."""
        return self._settings_of(self.files)

    def loaded(self, *, strict: bool = True) -> Loaded:
        """What the phone's own files, those of the server and the overrides ask for; raises CfgError."""
        return load_files(self._sources(self.files), self._overrides, self.handset.model, strict=strict)

    def _sources(self, files: Sequence[Fetched]) -> list[Source]:
        return [*((name, None) for name in self._own), *((file.name, file.data) for file in files)]

    def _settings_of(self, files: Sequence[Fetched]) -> ProvisioningSettings:
        """Raises CfgError where a file holds nothing."""
        reading = read_files(self._sources(files), self._overrides, self.handset.model)
        return provisioning_settings(reading.settings)

    def join(self, bus: Bus, now: Callable[[], float]) -> None:
        """Tell *bus* from now on, by the clock *now*."""
        self._bus, self._now = bus, now

    async def run(self) -> bool:
        """One cycle; whether any file is another than before. Raises CfgError, after telling it."""
        async with self._running:
            self._tell(ProvisioningState.STARTED, self.base, f"provisioning {self.handset.mac}")
            try:
                changed = await self._cycle()
            except CfgError as error:
                self._tell(ProvisioningState.FAILED, self.base, error.faults[0])
                raise
            count = len(self.files)
            told = f"{count} file{'s' * (count != 1)}" + ("" if changed else ", nothing new")
            self._tell(ProvisioningState.DONE, self.base, told)
            return changed

    async def _cycle(self) -> bool:
        settings = self.settings
        plan = Plan(self.base, self.handset, settings.wildcard)
        files: list[Fetched] = []
        tried: list[str] = []
        synced = False
        while True:
            wish = plan.wish
            if wish is None:
                asked = self._settings_of(files) if files and not synced else None
                if asked is None or not asked.sync:
                    break
                plan.local(asked.sync_path)
                synced = True
                continue
            data = await self._fetch(wish, settings)
            if data is None:
                tried.append(wish.location.path.rpartition("/")[2])
                plan.missing()
                continue
            if sum(len(file.data) for file in files) + len(data) > MOST_BYTES:
                raise ProvisioningError(
                    [f"{wish.location}: with this file it is more than {MOST_BYTES >> 20} MiB"]
                )
            name = str(wish.location)
            clear = in_clear(data, name, settings)
            if wish.stage.is_boot:
                boot = read_boot(_text(clear), name)
                if boot.faults:
                    raise ProvisioningError([str(fault) for fault in boot.faults])
                plan.found(boot)
            else:
                plan.found()
                files.append(Fetched(name, clear, _md5(data)))
        if not files:
            raise ProvisioningError([f"{self.base}: has no file for {self.handset.mac}: {', '.join(tried)}"])
        before = [(file.name, file.md5) for file in self.files]
        changed = (
            before != [(file.name, file.md5) for file in files] or self.overwrite_mode != plan.overwrite_mode
        )
        self.files, self.overwrite_mode = tuple(files), plan.overwrite_mode
        return changed

    async def _fetch(self, wish: Wish, settings: ProvisioningSettings) -> bytes | None:
        """The file, or None where there is none; tells it. Raises ProvisioningError."""
        location = wish.location
        for attempt in range(1, settings.attempts + 1):
            try:
                data = await fetch(location, self._manner(settings))
            except NotThere as error:
                self._tell(ProvisioningState.MISSING, location, f"{wish.stage}: {error}")
                return None
            except FetchError as error:
                if not error.passing or attempt == settings.attempts:
                    raise ProvisioningError([f"{location}: {error}"]) from None
                again = f"attempt {attempt + 1} of {settings.attempts} in {settings.retry_delay} s"
                self._tell(ProvisioningState.RETRYING, location, f"{error}; {again}")
                await asyncio.sleep(settings.retry_delay)
            else:
                known = any(file.name == str(location) and file.md5 == _md5(data) for file in self.files)
                state = ProvisioningState.UNCHANGED if known else ProvisioningState.FETCHED
                self._tell(state, location, f"{wish.stage}, {len(data)} bytes")
                return data
        raise AssertionError("every attempt returns or raises")

    def _manner(self, settings: ProvisioningSettings) -> Manner:
        return Manner(
            user_agent=self.handset.user_agent(settings.mac_in_user_agent),
            timeout=settings.timeout,
            user=settings.user,
            password=settings.password,
            home=self.base.origin,
            verify=settings.trust_certificates,
            ca_pem=self._ways.ca_pem,
            local_host=self._ways.local_host,
            lookup=self._ways.lookup,
        )

    def _tell(self, state: ProvisioningState, location: Location, reason: str) -> None:
        self._bus.tell(ProvisioningStep(at=self._now(), state=state, location=str(location), reason=reason))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
