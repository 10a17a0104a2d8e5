"""``--provision`` as its users meet it, and phones that are provisioned again while they run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phone_emulator.cli.desk import Desk, make_desk
from phone_emulator.cli.group import cli
from phone_emulator.cli.options import Common
from phone_emulator.cli.provision_again import kept_provisioned, provisioned_by_lab
from phone_emulator.events import CheckSync, ProvisioningState, ProvisioningStep
from phone_emulator.lab.plans import EXAMPLE_CFG, example_config
from phone_emulator.lab.provisioning import ProvisioningServer
from phone_emulator.provisioning import Provisioner, handset_of
from phone_emulator.world import WorldError
from tests.integration.harness.net import reserved_net
from tests.patience import patient, until

MAC = "001565aabbcc"
HEADER = "#!version:1.0.0.1\n"
ACCOUNT = (
    f"{HEADER}account.1.enable = 1\naccount.1.user_name = 1001\naccount.1.password = Some-Secret-1\n"
    "account.1.sip_server.1.address = 192.0.2.1\naccount.1.sip_server.2.address = 192.0.2.2\n"
)


def run(*words: object) -> Result:
    """What the command of *words* did."""
    result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="phone-emulator")
    assert "Traceback" not in result.output
    return result


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("route",),
        ("simulate", "--call", "1002"),
        ("register", "--world", "simulated"),
        ("call", "1002", "--world", "simulated"),
    ],
)
def test_commands_take_their_files_from_a_server(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / f"{MAC}.cfg").write_text(ACCOUNT)
    result = run(*command, "--provision", f"file:{tmp_path}")
    assert result.exit_code == 0, result.output


def test_what_is_found_names_the_url(tmp_path: Path) -> None:
    (tmp_path / f"{MAC}.boot").write_text("include:config <a.cfg>\n")
    (tmp_path / "a.cfg").write_text(ACCOUNT + "account.1.sip_server.1.port = many\n")
    result = run("check", "--provision", f"file:{tmp_path}")
    assert f"file:{tmp_path}/{MAC}.boot:1: warning: no-header" in result.stdout
    assert f"file:{tmp_path}/a.cfg:7: " in result.stdout


def test_own_files_come_first(tmp_path: Path) -> None:
    (tmp_path / f"{MAC}.cfg").write_text(ACCOUNT)
    (tmp_path / "before.cfg").write_text(f"{HEADER}account.1.sip_server.1.address = 192.0.2.99\n")
    result = run("route", tmp_path / "before.cfg", "--provision", f"file:{tmp_path}")
    assert "192.0.2.1:" in result.stdout
    assert "192.0.2.99" not in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--provision", "gopher://x/"), "--provision: gopher://x/: expected tftp, ftp, http, https or file"),
        (("--provision", ""), "--provision: is empty"),
        (("--provision", "http://127.0.0.1:9/"), "http://127.0.0.1:9/001565aabbcc.boot: connection refused"),
        (("--provision", "http://x.invalid/"), "x.invalid cannot be looked up"),
        (("--provision", "file:/nowhere"), "file:/nowhere: has no file for 001565aabbcc"),
        (("--provision", "file:/nowhere", "--ca", "/nowhere/ca.pem"), "/nowhere/ca.pem: No such file"),
        ((), "Missing argument 'CFG...', or --provision URL."),
    ],
)
@pytest.mark.parametrize("command", [("check",), ("route",), ("call", "1002")])
def test_one_line_and_status_2(command: tuple[str, ...], options: tuple[str, ...], told: str) -> None:
    result = run(*command, *options, "--set", "static.auto_provision.attempt_before_failed=1")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


# -- while the phone runs ----------------------------------------------------------------------------------


def steps(desk: Desk) -> list[ProvisioningStep]:
    """Filled with the steps that *desk* is told from now on."""
    kept: list[ProvisioningStep] = []
    desk.bus.subscribe(lambda event: kept.append(event) if isinstance(event, ProvisioningStep) else None)
    return kept


def test_the_embedded_lab_gives_its_phone_its_file() -> None:
    with reserved_net() as net:
        common = Common(world="lab", local_address=net.phone)
        desk = make_desk(example_config(), common, every_transport=True)
        desk.phone.config, expected = dataclasses.replace(desk.phone.config, accounts=()), desk.phone.config
        told = steps(desk)

        async def story() -> None:
            async with provisioned_by_lab(desk, common) as provisioner:
                assert provisioner is not None

        desk.world.run(story())
    assert desk.phone.config == expected
    states = [step.state for step in told]
    fetched = ProvisioningState.FETCHED
    assert states == [ProvisioningState.STARTED, fetched, fetched, ProvisioningState.DONE]


def test_without_a_server_the_phone_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(server: ProvisioningServer) -> None:
        raise WorldError("no port is free")

    monkeypatch.setattr(ProvisioningServer, "start", refuse)
    with reserved_net() as net:
        common = Common(world="lab", local_address=net.phone)
        desk = make_desk(example_config(), common, every_transport=True)
        before, told = desk.phone.config, steps(desk)

        async def story() -> None:
            async with provisioned_by_lab(desk, common) as provisioner:
                assert provisioner is None

        desk.world.run(story())
    assert desk.phone.config is before
    assert [step.reason for step in told] == ["no port is free; the phone keeps what it has"]


def test_a_check_sync_notify_reboots_the_phone_with_its_new_file(tmp_path: Path) -> None:
    with reserved_net() as net:
        common = Common(world="lab", local_address=net.phone)
        desk = make_desk(example_config(), common, every_transport=True)
        lab, phone = desk.lab, desk.phone
        assert lab is not None
        label = "account.1.display_name"

        def write(name: str) -> None:
            (tmp_path / f"{MAC}.cfg").write_text(f"{EXAMPLE_CFG}{label} = {name}\n")

        async def story() -> tuple[str, bool]:
            await lab.start()
            write("Before")
            handset = handset_of("SIP-T46S", "66.86.0.15", MAC)
            provisioner = Provisioner(
                f"file:{tmp_path}", handset, bus=desk.bus, now=desk.world.now, overrides=()
            )
            await provisioner.run()
            await phone.start()
            await phone.register()
            try:
                async with kept_provisioned(desk, common, provisioner):
                    write("After")
                    desk.bus.tell(CheckSync(at=0.0, remote=lab.plan.phone, reboot=True))
                    old = phone.lines[1]
                    await until(lambda: phone.lines[1] is not old, "the phone to start anew")
                    await patient(phone.register())
                    registered = bool(phone.lines[1].bindings.targets)
                    return phone.config.lines[0].display_name, registered
            finally:
                await phone.stop()
                await lab.stop()

        assert desk.world.run(story()) == ("After", True)
