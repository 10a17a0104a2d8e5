"""Whole cycles against the lab's provisioning server: what is fetched, kept, told, and refused."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from phone_emulator.config import CfgError, PhoneConfig, crypt
from phone_emulator.events import Address, Bus, CheckSync, Event, ProvisioningState, ProvisioningStep
from phone_emulator.lab.provisioning import Guard, ProvisioningServer
from phone_emulator.provisioning import Provisioner, ProvisioningError, Ways, handset_of
from phone_emulator.provisioning.fetching import FetchError, Manner
from phone_emulator.provisioning.repeat import Repeat
from phone_emulator.world import SimulatedWorld
from tests.patience import patient

MAC = "001565aabbcc"
HEADER = "#!version:1.0.0.1\n"
KEY = "0123456789abcdef"
OWN_KEY = "fedcba9876543210"
QUICK = "static.auto_provision.attempt_before_failed=1"

_Result = TypeVar("_Result")


def cfg(user: str, more: str = "") -> bytes:
    """A cfg file with one line, *user*."""
    return (
        f"{HEADER}account.1.enable = 1\naccount.1.user_name = {user}\naccount.1.password = s3cret\n"
        f"account.1.sip_server.1.address = pbx.example.com\n{more}"
    ).encode()


class Story:
    """A server with files, a phone that provisions, and what it tells."""

    def __init__(self, files: dict[str, bytes], *overrides: str, guard: Guard = Guard.NONE) -> None:
        self.files = {f"/{name}": content for name, content in files.items()}
        self.server = ProvisioningServer(self.files, guard=guard, accounts={"u": "p"})
        self.overrides = overrides
        self.own: tuple[str, ...] = ()
        self.bus = Bus()
        self.events: list[Event] = []
        self.bus.subscribe(self.events.append)
        self._ticks = itertools.count()

    def run(self, story: Coroutine[Any, Any, _Result]) -> _Result:
        """What *story* returns, while the server runs."""

        async def with_server() -> _Result:
            await self.server.start()
            try:
                return await patient(story)
            finally:
                await self.server.stop()

        return asyncio.run(with_server())

    def now(self) -> float:
        """A clock that ticks whenever it is read."""
        return float(next(self._ticks))

    def provisioner(self, path: str = "") -> Provisioner:
        """The phone; only while the server runs."""
        return Provisioner(
            self.server.url + path,
            handset_of("SIP-T46S", "66.86.0.15", MAC),
            bus=self.bus,
            now=self.now,
            own=self.own,
            overrides=self.overrides,
        )

    async def once(self) -> PhoneConfig:
        """One cycle."""
        provisioner = self.provisioner()
        await provisioner.run()
        return provisioner.loaded().config

    def refused(self) -> str:
        """The one line of a cycle that fails."""
        with pytest.raises(CfgError) as caught:
            self.run(self.once())
        assert len(caught.value.faults) == 1
        assert self.steps[-1][0] is ProvisioningState.FAILED
        return caught.value.faults[0].replace(f":{self._port}", "")

    @property
    def _port(self) -> str:
        first = next(event for event in self.events if isinstance(event, ProvisioningStep))
        return first.location.rstrip("/").rpartition(":")[2]

    @property
    def steps(self) -> list[tuple[ProvisioningState, str]]:
        """The steps told so far: state and file."""
        return [
            (event.state, event.location.rpartition("/")[2])
            for event in self.events
            if isinstance(event, ProvisioningStep)
        ]

    @property
    def asked(self) -> list[str]:
        """The files asked for so far."""
        return [asked.target.removeprefix("/") for asked in self.server.asked]


def boot(*names: str, overwrite: int = 0) -> bytes:
    """A boot file that includes *names*."""
    includes = "".join(f'include:config "{name}"\n' for name in names)
    return f"{HEADER}{includes}overwrite_mode = {overwrite}\n".encode()


# -- a cycle -----------------------------------------------------------------------------------------------


def test_common_and_own_file() -> None:
    story = Story({"y000000000066.cfg": cfg("common", "sip.listen_port = 5062\n"), f"{MAC}.cfg": cfg("own")})
    config = story.run(story.once())
    assert config.lines[0].user_name == "own"  # later files override
    assert config.listen_port == 5062
    state = ProvisioningState
    assert story.steps == [
        (state.STARTED, ""),
        (state.MISSING, f"{MAC}.boot"),
        (state.MISSING, "y000000000000.boot"),
        (state.FETCHED, "y000000000066.cfg"),
        (state.FETCHED, f"{MAC}.cfg"),
        (state.DONE, ""),
    ]
    assert {asked.user_agent for asked in story.server.asked} == {
        "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cc"  # A5
    }


def test_the_mac_may_be_left_out_of_the_user_agent() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, "static.auto_provision.user_agent_mac.enable=0")
    story.run(story.once())
    assert story.server.asked[0].user_agent == "Yealink SIP-T46S 66.86.0.15"


def test_the_local_file_counts_last() -> None:
    sync = "static.auto_provision.custom.sync = 1\n"
    files = {f"{MAC}.cfg": cfg("own", sync), f"{MAC}-local.cfg": f"{HEADER}sip.listen_port = 5070\n".encode()}
    story = Story(files)
    assert story.run(story.once()).listen_port == 5070
    assert story.asked[-2:] == [f"{MAC}.cfg", f"{MAC}-local.cfg"]


def test_the_local_file_may_be_elsewhere() -> None:
    path = "static.auto_provision.custom.sync.path = local/\n"
    sync = f"static.auto_provision.custom.sync = 1\n{path}"
    local = f"{HEADER}sip.listen_port = 5070\n".encode()
    story = Story({f"{MAC}.cfg": cfg("own", sync), f"local/{MAC}-local.cfg": local})
    assert story.run(story.once()).listen_port == 5070


@pytest.mark.parametrize(("protect", "label"), [(1, "mine"), (0, "theirs")])
def test_what_the_user_has_changed_may_be_protected(tmp_path: Path, protect: int, label: str) -> None:
    had = tmp_path / f"{MAC}-local.cfg"
    had.write_text(f"{HEADER}account.1.label = mine\n")
    key = f"static.auto_provision.custom.protect={protect}"
    story = Story({f"{MAC}.cfg": cfg("own", "account.1.label = theirs\n")}, key)
    story.own = (str(had),)
    assert story.run(story.once()).lines[0].label == label


def test_the_product_name_may_be_another() -> None:
    story = Story({f"T99/{MAC}.cfg": cfg("own")}, "static.auto_provision.url_wildcard.pn=T99")

    async def once() -> PhoneConfig:
        provisioner = story.provisioner("$PN/")
        await provisioner.run()
        return provisioner.loaded().config

    assert story.run(once()).lines[0].user_name == "own"


def test_own_files_are_what_the_phone_had_before(tmp_path: Path) -> None:
    (tmp_path / "had.cfg").write_bytes(cfg("before", "sip.listen_port = 5071\n"))
    for overwrite, port in ((0, 5071), (1, None)):  # A3: absent in all files
        story = Story({f"{MAC}.boot": boot("x.cfg", overwrite=overwrite), "x.cfg": cfg("after")})
        story.own = (str(tmp_path / "had.cfg"),)
        config = story.run(story.once())
        assert (config.lines[0].user_name, config.listen_port) == ("after", port)


def test_overrides_win() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, "account.1.user_name=set")
    assert story.run(story.once()).lines[0].user_name == "set"


def test_configured_credentials() -> None:
    credentials = ("static.auto_provision.server.username=u", "static.auto_provision.server.password=p")
    for guard in (Guard.BASIC, Guard.DIGEST):
        story = Story({f"{MAC}.cfg": cfg("own")}, *credentials, guard=guard)
        assert story.run(story.once()).lines[0].user_name == "own"


def test_encrypted_files() -> None:
    files = {
        "y000000000066.cfg": crypt.encrypt(cfg("common"), KEY.encode()),
        f"{MAC}.cfg": crypt.encrypt(cfg("own"), OWN_KEY.encode()),
    }
    keys = [
        f"static.auto_provision.aes_key_16.com={KEY}",
        f"static.auto_provision.aes_key_16.mac={OWN_KEY}",
    ]
    story = Story(files, *keys)
    assert story.run(story.once()).lines[0].user_name == "own"
    assert "the key does not open it" in Story(files, keys[0]).refused()
    assert "there is no key for it" in Story(files).refused()
    only = "static.auto_provision.update_file_mode=1"
    assert "is not encrypted" in Story({f"{MAC}.cfg": cfg("own")}, only).refused()


# -- what is refused ---------------------------------------------------------------------------------------


def test_no_file_at_all() -> None:
    names = f"{MAC}.boot, y000000000000.boot, y000000000066.cfg, {MAC}.cfg"
    assert Story({}).refused() == f"http://127.0.0.1/: has no file for {MAC}: {names}"


@pytest.mark.parametrize("name", [f"{MAC}.boot", f"{MAC}.cfg"])
def test_an_error_page_with_status_200(name: str) -> None:
    page = b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>"
    refused = Story({name: page}).refused()
    assert refused == f"http://127.0.0.1/{name}:1: is a page of HTML or XML, not a cfg file"


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({f"{MAC}.cfg": b"\x00\x01\x02" * 999}, f"{MAC}.cfg:1: "),
        ({f"{MAC}.cfg": b"hello\n"}, "holds no setting at all"),
        ({f"{MAC}.cfg": b""}, "holds no setting at all"),
        ({f"{MAC}.boot": boot()}, "includes nothing for a SIP-T46S"),
        ({f"{MAC}.boot": boot("gone.cfg")}, "of what it includes nothing is there: gone.cfg"),
        ({f"{MAC}.boot": b"hello\n"}, f"{MAC}.boot:1: "),
    ],
)
def test_garbage(files: dict[str, bytes], match: str) -> None:
    assert match in Story(files).refused()


def test_wrong_credentials() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, guard=Guard.DIGEST)
    assert "wants a user name and a password" in story.refused()


def test_an_unreachable_server_is_tried_as_often_as_the_cfg_says() -> None:
    overrides = ("attempt_before_failed=2", "retry_delay_after_file_transfer_failed=1")
    story = Story({}, *(f"static.auto_provision.{override}" for override in overrides))

    async def nobody_there() -> None:
        provisioner = story.provisioner()
        await story.server.stop()
        with pytest.raises(ProvisioningError, match=f"{MAC}.boot: connection refused"):
            await provisioner.run()

    story.run(nobody_there())
    states = [state for state, _ in story.steps]
    assert states == [ProvisioningState.STARTED, ProvisioningState.RETRYING, ProvisioningState.FAILED]
    [again] = [
        each.reason
        for each in story.events
        if isinstance(each, ProvisioningStep) and each.state is ProvisioningState.RETRYING
    ]
    assert again.endswith("; attempt 2 of 2 in 1 s")


def test_a_server_is_waited_for_as_long_as_the_cfg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def silent(_: object, manner: Manner) -> bytes:
        waits.append(manner.timeout)
        raise FetchError("no answer")

    monkeypatch.setattr("phone_emulator.provisioning.provisioner.fetch", silent)
    assert "no answer" in Story({}, QUICK, "static.auto_provision.attempt_expired_time=77").refused()
    assert waits == [77]


def test_no_url() -> None:
    with pytest.raises(ProvisioningError, match="--provision: gopher"):
        Provisioner("gopher://x", handset_of("SIP-T46S", "66", MAC), bus=Bus(), now=lambda: 0.0)


def test_passwords_are_told_to_nobody() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, guard=Guard.DIGEST)

    async def once() -> None:
        url = story.server.url.replace("://", "://u:wr0ng@")
        provisioner = Provisioner(
            url, handset_of("SIP-T46S", "66", MAC), bus=story.bus, now=story.now, overrides=(QUICK,)
        )
        await provisioner.run()

    with pytest.raises(ProvisioningError) as caught:
        story.run(once())
    assert "wr0ng" not in f"{caught.value}{story.events}"


def test_all_files_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.provisioner.MOST_BYTES", 300)
    assert (
        "with this file it is more than"
        in Story({"y000000000066.cfg": cfg("a" * 99), f"{MAC}.cfg": cfg("b" * 99)}).refused()
    )


# -- again -------------------------------------------------------------------------------------------------


def test_unchanged_files_are_skipped() -> None:
    story = Story({"y000000000066.cfg": cfg("common"), f"{MAC}.cfg": cfg("own")})

    async def thrice() -> list[bool]:
        provisioner = story.provisioner()
        changed = [await provisioner.run(), await provisioner.run()]
        story.files[f"/{MAC}.cfg"] = cfg("other")
        changed.append(await provisioner.run())
        assert provisioner.loaded().config.lines[0].user_name == "other"
        return changed

    assert story.run(thrice()) == [True, False, True]
    states = [state for state, name in story.steps if name.endswith(".cfg")]
    fetched, unchanged = ProvisioningState.FETCHED, ProvisioningState.UNCHANGED
    assert states == [fetched, fetched, unchanged, unchanged, unchanged, fetched]


def test_what_a_file_asks_not_to_be_told_goes_with_it() -> None:
    odd = "account.1.ptime = 7\n"
    story = Story({f"{MAC}.cfg": cfg("own", f"## phone-emulator: ignore bad-value\n{odd}")})

    async def twice() -> list[list[str]]:
        provisioner = story.provisioner()
        told: list[list[str]] = []
        for more in (None, f"# nothing asked\n{odd}"):
            if more:
                story.files[f"/{MAC}.cfg"] = cfg("own", more)
            await provisioner.run()
            told.append([each.code for each in provisioner.loaded().diagnostics if each.code == "bad-value"])
        return told

    assert story.run(twice()) == [[], ["bad-value"]]


def test_a_key_that_is_gone_keeps_its_value_unless_overwritten() -> None:
    for overwrite, port in ((0, 5072), (1, None)):  # A3
        story = Story({f"{MAC}.boot": boot("x.cfg", overwrite=overwrite)})
        story.files["/x.cfg"] = cfg("own", "sip.listen_port = 5072\n")

        async def twice(story: Story = story) -> int | None:
            provisioner = story.provisioner()
            await provisioner.run()
            story.files["/x.cfg"] = cfg("own")
            await provisioner.run()
            return provisioner.loaded().config.listen_port

        assert story.run(twice()) == port


def test_a_cycle_that_fails_changes_nothing() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")})

    async def twice() -> str:
        provisioner = story.provisioner()
        await provisioner.run()
        story.files[f"/{MAC}.cfg"] = b"<html>"
        with pytest.raises(ProvisioningError):
            await provisioner.run()
        return provisioner.loaded().config.lines[0].user_name

    assert story.run(twice()) == "own"


def check_sync(reboot: bool = False) -> CheckSync:
    """A NOTIFY."""
    return CheckSync(at=0.0, remote=Address("192.0.2.1", 5060), reboot=reboot)


class Watched:
    """A phone that provisions again, and the users of the configurations that it was told to live with."""

    def __init__(self, story: Story) -> None:
        self.applied: list[str] = []
        self._story = story
        self._ended = 0
        self._progress = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Repeat]:
        """It has provisioned once."""
        story, provisioner = self._story, self._story.provisioner()
        await provisioner.run()
        story.bus.subscribe(self._listen)
        repeat = Repeat(provisioner, provisioner.loaded().config, story.bus, story.now, self._apply)
        task = asyncio.create_task(repeat.run())
        await asyncio.sleep(0)
        try:
            yield repeat
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def cycles(self, count: int) -> None:
        """Wait until *count* more cycles have ended, well or badly, and what they led to has begun."""
        while self._ended < count:
            self._progress.clear()
            await self._progress.wait()
        self._ended -= count
        for _ in range(5):
            await asyncio.sleep(0)

    async def _apply(self, config: PhoneConfig) -> None:
        self.applied.append(config.lines[0].user_name)

    def _listen(self, event: Event) -> None:
        if isinstance(event, ProvisioningStep) and event.state in (
            ProvisioningState.DONE,
            ProvisioningState.FAILED,
        ):
            self._ended += 1
            self._progress.set()


@pytest.mark.parametrize(
    ("setting", "reboot", "applied"),
    [("0", False, []), ("0", True, ["own"]), ("1", False, ["own"])],
)
def test_check_sync(setting: str, reboot: bool, applied: list[str]) -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, f"sip.notify_reboot_enable={setting}")

    async def notified() -> list[str]:
        watched = Watched(story)
        async with watched.running():
            story.bus.tell(check_sync(reboot))
            await watched.cycles(1)
        return watched.applied

    assert story.run(notified()) == applied


def test_check_sync_may_be_ignored() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, "sip.notify_reboot_enable=2")

    async def notified() -> list[str]:
        watched = Watched(story)
        async with watched.running() as repeat:
            story.bus.tell(check_sync(reboot=True))
            for _ in range(5):
                await asyncio.sleep(0)
            assert story.steps.count((ProvisioningState.STARTED, "")) == 1
            repeat.again()
            await watched.cycles(1)
        return watched.applied

    assert story.run(notified()) == []


@pytest.mark.parametrize(
    ("content", "applied"),
    [(cfg("own"), []), (cfg("own", "# a comment\n"), []), (cfg("other"), ["other"])],
)
def test_the_key_applies_what_is_new_and_only_that(content: bytes, applied: list[str]) -> None:
    story = Story({f"{MAC}.cfg": cfg("own")})

    async def pressed() -> list[str]:
        watched = Watched(story)
        async with watched.running() as repeat:
            story.files[f"/{MAC}.cfg"] = content
            repeat.again()
            await watched.cycles(1)
        return watched.applied

    assert story.run(pressed()) == applied


def test_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.repeat.MINUTE", 0.1)
    repeat = ("static.auto_provision.repeat.enable=1", "static.auto_provision.repeat.minutes=1")
    story = Story({f"{MAC}.cfg": cfg("own")}, *repeat)

    async def wait() -> list[str]:
        watched = Watched(story)
        async with watched.running():
            await watched.cycles(3)
        return watched.applied

    assert story.run(wait()) == []


def test_a_failure_while_running_is_told_and_survived() -> None:
    story = Story({f"{MAC}.cfg": cfg("own")}, QUICK)
    no_line = f"{HEADER}account.1.enable = 0\n".encode()

    async def fail_then_mend() -> list[str]:
        watched = Watched(story)
        async with watched.running() as repeat:
            # Files that can be fetched and yet no phone could start with end twice: done, then failed.
            for content, ends in ((b"<html>", 1), (no_line, 2), (cfg("mended"), 1)):
                story.files[f"/{MAC}.cfg"] = content
                repeat.again()
                await watched.cycles(ends)
        return watched.applied

    assert story.run(fail_then_mend()) == ["mended"]
    assert [state for state, _ in story.steps].count(ProvisioningState.FAILED) == 2


# -- what a server cannot have -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["static.trusted_certificates.url", "static.server_certificates.url"])
@pytest.mark.parametrize("prefix", ["", "file:", "file://", "FILE:"])
def test_a_fetched_file_names_no_certificate_of_this_machine(key: str, prefix: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.pem"
    secret.write_text("not for servers")
    story = Story({f"{MAC}.cfg": cfg("1001", f"{key} = {prefix}{secret}\nstatic.security.dev_cert = 1\n")})

    async def once() -> tuple[PhoneConfig, list[str]]:
        provisioner = story.provisioner()
        await provisioner.run()
        loaded = provisioner.loaded()
        return loaded.config, [str(each) for each in loaded.diagnostics if key in str(each)]

    config, [said] = story.run(once())
    assert not config.trusted_certificates_url
    assert not config.server_certificates_url
    assert f":6: warning: local-file: {key} = " in said
    assert said.endswith("is on this machine, which what a server says may not name; no value is kept")


def test_a_certificate_without_a_scheme_is_on_a_server_as_a_server_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").write_text("not for servers")
    story = Story({f"{MAC}.cfg": cfg("1001", "static.trusted_certificates.url = ca.pem\n")})
    assert story.run(story.once()).trusted_certificates_url == "tftp://ca.pem"


@pytest.mark.parametrize("path", ["/etc", "file:/etc", "."])
def test_a_fetched_file_sends_for_no_local_settings_of_this_machine(path: str, tmp_path: Path) -> None:
    synced = f"static.auto_provision.custom.sync = 1\nstatic.auto_provision.custom.sync.path = {path}\n"
    story = Story({"a.cfg": cfg("1001", synced)})

    async def once() -> None:
        (tmp_path / f"{MAC}.boot").write_bytes(boot(f"{story.server.url}a.cfg"))
        handset = handset_of("SIP-T46S", "66.86.0.15", MAC)
        await Provisioner(f"file:{tmp_path}", handset, bus=story.bus, now=story.now).run()

    with pytest.raises(ProvisioningError, match=r"custom\.sync\.path: .* is on this machine"):
        story.run(once())


def test_a_cycle_ends_whatever_servers_do() -> None:
    world = SimulatedWorld()
    story = Story(
        {},
        "static.auto_provision.attempt_before_failed=10",
        "static.auto_provision.retry_delay_after_file_transfer_failed=300",
    )

    async def nowhere(host: str) -> list[str]:
        raise FetchError(f"{host} cannot be looked up", passing=True)

    async def once() -> None:
        await Provisioner(
            "http://pbx.example.com/",
            handset_of("SIP-T46S", "66.86.0.15", MAC),
            bus=story.bus,
            now=world.now,
            overrides=story.overrides,
            ways=Ways(lookup=nowhere),
        ).run()

    with pytest.raises(ProvisioningError, match=rf"{MAC} is not provisioned after 900 s; what was fetched"):
        world.run(once())
    assert world.now() == 900.0
    assert story.steps[-1][0] is ProvisioningState.FAILED
