"""The phone fetches its configuration: a plan walked over the network, told as it goes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from phone_emulator.config import CfgError, Diagnostic, Loaded, Setting, Severity, load_settings
from phone_emulator.config.boot import Boot, read_boot
from phone_emulator.config.effective import by_todays_name
from phone_emulator.config.reader import Reading, read_sources
from phone_emulator.config.store import provision
from phone_emulator.events import Bus, ProvisioningState, ProvisioningStep
from phone_emulator.provisioning.content import in_clear
from phone_emulator.provisioning.errors import ProvisioningError
from phone_emulator.provisioning.fetch import fetch
from phone_emulator.provisioning.fetching import MOST_BYTES, FetchError, Lookup, Manner, NotThere
from phone_emulator.provisioning.handset import Handset
from phone_emulator.provisioning.location import Location, LocationError, parse_location
from phone_emulator.provisioning.plan import Plan, Wish
from phone_emulator.provisioning.settings import ProvisioningSettings, provisioning_settings
from phone_emulator.scarcity import MachineRefused, raise_shortage, shortage

MOST_SECONDS = 900.0
"""Of one cycle, with all its files, redirects, attempts and the waits between them."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A cfg file as the phone keeps it."""

    name: str
    """Its URL, without credentials."""
    data: bytes
    """In clear."""


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

    Raises ProvisioningError where *url* is none, CfgError where an own file or an override cannot be used.
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
        self._bus = bus
        self._now = now
        self._own = tuple(own)
        self._overrides = tuple(overrides)
        self._boot: Boot | None = None
        self._sums: dict[str, str] = {}
        """The MD5 of each file of that cycle, boot file included, by name."""
        given = read_sources([(name, None) for name in own], model=handset.model)
        said = read_sources([], overrides, handset.model)
        self._store = by_todays_name(given.settings)
        """What the phone remembers, by slot of today's name."""
        self._overriding = by_todays_name(said.settings)
        self._said = [*given.diagnostics, *said.diagnostics]
        self._ignores = given.ignores
        """What the files ask not to be told."""
        self._found: list[Diagnostic] = []
        """What there is to say about the files of the server."""
        self._ways = ways or Ways()
        self._running = asyncio.Lock()
        wildcard = self.settings.wildcard
        try:
            self.base = parse_location(url, handset.variables(wildcard))
        except LocationError as error:
            raise ProvisioningError([f"--provision: {error}"]) from None

    @property
    def settings(self) -> ProvisioningSettings:
        """How the phone provisions, as what it has says."""
        return provisioning_settings({**self._store, **self._overriding})

    def loaded(self, *, strict: bool = True) -> Loaded:
        """What the phone's own files, those of the server and the overrides ask for; raises CfgError."""
        store = {**self._store, **self._overriding}
        loaded = load_settings(store, self.handset.model, strict=strict, ignores=self._ignores)
        return replace(loaded, diagnostics=[*self._said, *self.boot_said, *self._found, *loaded.diagnostics])

    def reading(self) -> Reading:
        """All files as they stand, for those who judge files; raises CfgError."""
        sources = [*((name, None) for name in self._own), *self._sources(self.files)]
        return read_sources(sources, self._overrides, self.handset.model)

    @property
    def boot_said(self) -> list[Diagnostic]:
        """What there is to say about the boot file."""
        return [] if self._boot is None else self._boot.diagnostics

    def join(self, bus: Bus, now: Callable[[], float]) -> None:
        """Tell *bus* from now on, by the clock *now*."""
        self._bus, self._now = bus, now

    async def run(self) -> bool:
        """One cycle; whether any file is another than before.

        Raises CfgError, MachineRefused, after telling it.
        """
        async with self._running:
            self._tell(ProvisioningState.STARTED, self.base, f"provisioning {self.handset.mac}")
            try:
                changed = await self._in_time()
            except (CfgError, MachineRefused) as error:
                reason = error.faults[0] if isinstance(error, CfgError) else str(error)
                self._tell(ProvisioningState.FAILED, self.base, reason)
                raise
            count = len(self.files)
            told = f"{count} file{'s' * (count != 1)}" + ("" if changed else ", nothing new")
            self._tell(ProvisioningState.DONE, self.base, told)
            return changed

    async def _in_time(self) -> bool:
        """As `_cycle`, whatever servers do to make it last."""
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return await self._cycle()
        except TimeoutError:
            why = f"is not provisioned after {MOST_SECONDS:g} s; what was fetched until then is not used"
            raise ProvisioningError([f"{self.base}: {self.handset.mac} {why}"]) from None

    async def _cycle(self) -> bool:
        settings = self.settings
        plan = Plan(self.base, self.handset, settings.wildcard)
        boot: Boot | None = None
        files: list[Fetched] = []
        sums: dict[str, str] = {}
        tried: list[str] = []
        synced = False
        while True:
            wish = plan.wish
            if wish is None:
                if synced or not (asked := self._settings_after(files, boot)).sync:
                    break
                plan.local(asked.sync_path, asked.sync_path_source)
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
            sums[name] = _md5(data)
            clear = in_clear(data, name, settings)
            if wish.stage.is_boot:
                boot = read_boot(clear, name)
                plan.found(boot)
            else:
                plan.found()
                files.append(Fetched(name, clear))
        if not files:
            raise ProvisioningError(self._nothing(boot, tried))
        if list(sums.items()) == list(self._sums.items()):
            return False
        self._keep(files, boot)
        self._sums = sums
        return True

    def _keep(self, files: list[Fetched], boot: Boot | None) -> None:
        """Make *files* what the phone has; raises CfgError."""
        reading = self._read(files)
        self._store = self._stored(reading, boot)
        self._ignores.reread(reading.files, reading.ignores)
        self.files, self._boot, self._found = tuple(files), boot, reading.diagnostics

    def _stored(self, reading: Reading, boot: Boot | None) -> dict[str, Setting]:
        return provision(
            self._store,
            reading.settings,
            overwrite_mode=boot is not None and boot.overwrite_mode,
            protect=self.settings.protect,
        )

    def _settings_after(self, files: list[Fetched], boot: Boot | None) -> ProvisioningSettings:
        """How the phone provisions once it has *files*; raises CfgError."""
        return provisioning_settings({**self._stored(self._read(files), boot), **self._overriding})

    def _read(self, files: Sequence[Fetched]) -> Reading:
        return read_sources(self._sources(files), model=self.handset.model)

    @staticmethod
    def _sources(files: Sequence[Fetched]) -> list[tuple[str, bytes | None]]:
        return [(file.name, file.data) for file in files]

    def _nothing(self, boot: Boot | None, tried: list[str]) -> list[str]:
        """The faults where no cfg file came."""
        if boot is None:
            return [f"{self.base}: has no file for {self.handset.mac}: {', '.join(tried)}"]
        errors = [str(found) for found in boot.diagnostics if found.severity is Severity.ERROR]
        if boot.includes_for(self.handset.model):
            return [f"{boot.name}: of what it includes nothing is there: {', '.join(tried)}"]
        return errors[:20] or [f"{boot.name}: includes nothing for a {self.handset.model}"]

    async def _fetch(self, wish: Wish, settings: ProvisioningSettings) -> bytes | None:
        """The file, or None where there is none; tells it. Raises ProvisioningError."""
        location = wish.location
        for attempt in range(1, settings.attempts + 1):
            try:
                data = await fetch(location, self._manner(settings))
            except NotThere as error:
                self._tell(ProvisioningState.MISSING, location, f"{wish.stage}: {error}")
                return None
            except (FetchError, OSError, RuntimeError, MemoryError) as error:
                # A machine that has run short may have enough again the next time.
                if not isinstance(error, FetchError) and not shortage(error):
                    raise
                passing = not isinstance(error, FetchError) or error.passing
                if not passing or attempt == settings.attempts:
                    raise_shortage(error, str(location))
                    raise ProvisioningError([f"{location}: {error}"]) from None
                again = f"attempt {attempt + 1} of {settings.attempts} in {settings.retry_delay} s"
                self._tell(ProvisioningState.RETRYING, location, f"{error}; {again}")
                await asyncio.sleep(settings.retry_delay)
            else:
                known = self._sums.get(str(location)) == _md5(data)
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
