"""The pytest plugin, run by pytest in folders of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from inspect import Parameter, signature
from pathlib import Path

import pytest

from phone_emulator.lab.plans import example_config
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.runner import run as scenario_run
from phone_emulator.scenario.session import RunOptions, prepare
from phone_emulator.testing.sip_lab import SipLab
from phone_emulator.testing.virtual_phone import MakePhone, VirtualPhone

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "pytest.md").read_text()
EXAMPLES: dict[str, str] = dict(
    re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)```$", DOCUMENT, re.MULTILINE | re.DOTALL)
)
SCENARIO = EXAMPLES["failover.scenario.yaml"]


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Import all that the runs need: pytester forgets what a run imported, and C modules come only once."""
    scenario = parse_scenario(SCENARIO.replace("phone.", "guide-example."), ROOT / "configs" / "it.yaml")
    assert scenario_run(prepare(scenario, RunOptions()), RunOptions()).verdict == "passed"
    VirtualPhone(example_config()).stop()
    SipLab().stop()


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the guide's example phone, and nothing else; pytest runs there without other plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for kind in ("cfg", "zone"):
        shutil.copy(ROOT / "configs" / f"guide-example.{kind}", pytester.path / f"phone.{kind}")
    return pytester


def run(folder: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest in *folder*, where the plugin may be loaded already by the run that runs it."""
    plugin = ("-p", "phone_emulator.pytest_plugin", "-p", "no:cacheprovider")
    warnings = ("-W", "error", "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
    return folder.runpytest_inprocess(*plugin, *warnings, "--strict-markers", *args)


def write(folder: pytest.Pytester, **files: str) -> None:
    for name, text in files.items():
        (folder.path / f"test_{name}.py").write_text(text)


# -- what the document says -------------------------------------------------------------------------------


def test_the_document_has_an_example_of_each_kind() -> None:
    assert list(EXAMPLES) == ["failover.scenario.yaml", "test_failover.py", "test_my_program.py"]


@pytest.mark.parametrize(("name", "tests"), [(name, 1 + (name == "test_failover.py")) for name in EXAMPLES])
def test_an_example_of_the_document_passes(folder: pytest.Pytester, name: str, tests: int) -> None:
    (folder.path / name).write_text(EXAMPLES[name])
    run(folder).assert_outcomes(passed=tests)


# -- scenario files ---------------------------------------------------------------------------------------


def test_a_scenario_that_fails_shows_its_route(folder: pytest.Pytester) -> None:
    (folder.path / "a.scenario.yaml").write_text(SCENARIO.replace("via: secondary", "via: primary"))
    result = run(folder)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*primary silent, the call goes to the secondary*",
            "failed *virtual*",
            "*step 1 (call): *via*",
            "*1  primary * no-response * 32.0 s *",
            "*2  secondary * answered *",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "runner.py" not in result.stdout.str()


def test_a_scenario_that_passed_shows_its_route_when_asked(folder: pytest.Pytester) -> None:
    (folder.path / "a.scenario.yaml").write_text(SCENARIO)
    result = run(folder, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*Captured route call*", "*1  primary * no-response *"])


def test_a_scenario_that_cannot_be_used_is_told_line_by_line(folder: pytest.Pytester) -> None:
    text = SCENARIO.replace("to:", "too:").replace("phone.zone", "no.zone")
    (folder.path / "a.scenario.yaml").write_text(text)
    result = run(folder)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a.scenario.yaml:4: *no.zone*", "*a.scenario.yaml:9: *too*"])
    assert "reader.py" not in result.stdout.str()


def test_a_cfg_that_cannot_be_used_is_told_too(folder: pytest.Pytester) -> None:
    (folder.path / "a.scenario.yaml").write_text(SCENARIO)
    (folder.path / "phone.cfg").write_text("account.1.enable = 1\n")
    result = run(folder)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*phone.cfg:1: *no server*"])


def test_a_scenario_is_chosen_like_any_test(folder: pytest.Pytester) -> None:
    for name in ("one", "two"):
        (folder.path / f"{name}.scenario.yaml").write_text(SCENARIO.replace("primary silent", f"{name} x::y"))
    run(folder, "one.scenario.yaml").assert_outcomes(passed=1)
    run(folder, "-k", "two").assert_outcomes(passed=1, deselected=1)
    listed = run(folder, "--collect-only", "-q").stdout
    listed.fnmatch_lines(["one.scenario.yaml::one x:y, the call goes to the secondary"])


def test_other_yaml_files_are_left_alone(folder: pytest.Pytester) -> None:
    for name in ("failover.yaml", "scenario.yaml", "x.scenario.yml"):
        (folder.path / name).write_text("- neither\n- this\n")
    run(folder).assert_outcomes()


# -- virtual_phone ----------------------------------------------------------------------------------------


def test_a_failed_test_shows_the_routes_of_its_phones(folder: pytest.Pytester) -> None:
    write(
        folder,
        phone="""
            def test_it(virtual_phone):
                phone = virtual_phone("phone.cfg", servers={"primary": 503})
                phone.register()
                call = phone.call("1002")
                assert call.via == "primary"
        """.replace("\n            ", "\n"),
    )
    result = run(folder)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert 'secondary' == 'primary'*",
            "*virtual phone*",
            "registrations:",
            "*1  primary * unavailable 503 *",
            "call call-1, line 1 to 1002: answered via secondary*",
            "*2  secondary * answered *",
        ]
    )


PHONE_TESTS = '''
import pytest
from phone_emulator.config import CfgError
from phone_emulator.phone import CallError
from phone_emulator.world import Deadlock

TEXT = """
account.1.enable = 1
account.1.user_name = 1001
account.1.password = x
account.1.sip_server.1.address = pbx.test
account.1.sip_server.1.port = 5060
"""
ZONE = "pbx.test. 60 IN A 192.168.1.40\\npbx.test. 60 IN A 192.168.1.41\\n"


def test_text_instead_of_files(virtual_phone):
    phone = virtual_phone(TEXT, zone=ZONE, servers={"primary": "refuse"})
    [icmp, answered] = phone.register()
    assert (icmp.outcome, answered.outcome) == ("icmp", "answered")
    assert answered.target.address == "192.168.1.41"
    assert phone.registered == ["secondary"]
    phone.unregister()
    assert phone.registered == []


def test_a_made_up_zone(virtual_phone):
    phone = virtual_phone("phone.cfg", servers={"primary": 503, "secondary": 503})
    assert phone.call("1002").via == "fallback"


def test_a_call_and_what_can_be_done_with_it(virtual_phone):
    phone = virtual_phone("phone.cfg")
    call = phone.call("1002")
    assert (call.state, call.result, call.status, call.reason) == ("talking", "answered", 200, "200 OK")
    call.hold()
    assert call.state == "held"
    call.resume()
    call.send_dtmf("1")
    call.hang_up()
    assert call.state == "ended"
    methods = [request.method for request in phone.sent()]
    assert methods == ["INVITE", "ACK", "INVITE", "ACK", "INVITE", "ACK", "INVITE", "ACK", "BYE"]
    assert phone.sent("BYE")[0].cseq.method == "BYE"
    with pytest.raises(CallError, match="the far end answers"):
        call.answer()
    assert "answered via primary" in repr(call)


def test_digits_of_the_far_end(virtual_phone):
    phone = virtual_phone("phone.cfg")
    phone.callee({"press": "12#"})
    call = phone.call("1002")
    phone.wait("1s")
    assert call.digits_heard == "12#"
    assert call.numbers is not None
    assert (call.numbers.sent.packets, call.numbers.mos) == (0, None), "no sound flows here"


def test_transfers(virtual_phone):
    phone = virtual_phone("phone.cfg")
    call = phone.call("1002")
    call.transfer("1003")
    assert call.state == "ended"
    first, second = phone.call("1002"), phone.call("1004")
    first.transfer(second)
    assert (first.state, second.state) == ("ended", "ended")
    phone.callee("busy")
    with pytest.raises(CallError, match="not up"):
        first.transfer("1003")


def test_a_second_call_holds_the_first(virtual_phone):
    phone = virtual_phone("phone.cfg")
    first, second = phone.call("1002"), phone.call("1003")
    assert (first.state, second.state) == ("held", "talking")
    phone.swap()
    assert (first.state, second.state) == ("talking", "held")
    phone.swap(second)
    assert (first.state, second.state) == ("held", "talking")
    first.resume()
    assert (first.state, second.state) == ("talking", "held")
    first.hang_up()
    second.hang_up()
    with pytest.raises(CallError, match="no call on hold"):
        phone.swap()


def test_what_follows_at_once_has_happened(virtual_phone):
    phone = virtual_phone("phone.cfg")
    phone.call("1002")
    assert [request.method for request in phone.sent()][-1] == "ACK"


def test_a_call_in_the_background(virtual_phone):
    phone = virtual_phone("phone.cfg", servers={"primary": "silent"})
    call = phone.dial("1002")
    assert call.result is None
    phone.wait(31.999)
    assert [attempt.target.role for attempt in call.route] == ["primary"]
    assert call.route[0].sends == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    call.wait()
    assert (call.via, phone.now) == ("secondary", 32.0)


def test_a_call_is_cancelled(virtual_phone):
    phone = virtual_phone("phone.cfg", servers={"primary": "ringing"})
    call = phone.dial("1002")
    phone.wait(1)
    call.hang_up()
    assert (call.result, call.state) == ("cancelled", "ended")


def test_somebody_calls(virtual_phone):
    phone = virtual_phone("phone.cfg")
    with pytest.raises(CallError, match="registered nowhere"):
        phone.ring()
    phone.register()
    call = phone.ring(caller="1005")
    assert (call.state, call._call.remote) == ("ringing", "1005")
    call.answer()
    assert call.state == "talking"
    phone.ring(server="fallback").reject()


def test_what_happens_around_it(virtual_phone):
    phone = virtual_phone(TEXT, zone=ZONE, callee="busy")
    assert phone.call("1002").status == 486
    phone.callee("answer")
    phone.change_zone("pbx.test. 60 IN A 192.168.1.41\\n")
    phone.wait("1m")
    assert phone.call("1002").route[0].target.address == "192.168.1.41"
    phone.wait("1m")
    phone.dns("silent")
    call = phone.call("1002")
    assert (call.result, call.elapsed) == ("failed", 9.0)
    assert call.route[0].outcome == "unresolved"


def test_another_reading_of_the_guide(virtual_phone):
    phone = virtual_phone("phone.cfg", servers={"primary": "silent"}, silence="retry-counts")
    assert phone.call("1002").elapsed == 7.5


def test_every_codec_of_the_cfg_can_be_offered(virtual_phone):
    for offer, formats in (("spoken", b" 9 0 8 101"), ("declared", b" 9 0 8 18 101")):
        phone = virtual_phone("phone.cfg", offer=offer)
        phone.call("1002")
        assert b"RTP/AVP" + formats in phone.sent("INVITE")[0].body


def test_two_phones_at_once(virtual_phone):
    one, two = virtual_phone("phone.cfg"), virtual_phone("phone.cfg")
    one.wait(5)
    assert (one.now, two.now) == (5.0, 0.0)


def test_mistakes_are_told_in_words(virtual_phone):
    with pytest.raises(ValueError, match="no server 'tertiary' here: primary, secondary, fallback"):
        virtual_phone("phone.cfg", servers={"tertiary": "silent"})
    with pytest.raises(ValueError, match="there is no behaviour 'lazy'"):
        virtual_phone("phone.cfg", servers={"primary": "lazy"})
    with pytest.raises(CfgError, match="nowhere.cfg"):
        virtual_phone("nowhere.cfg")
    phone = virtual_phone("phone.cfg")
    with pytest.raises(ValueError, match="no server 'tertiary'"):
        phone.behave("tertiary", "ok")
    with pytest.raises(ValueError, match="not a duration"):
        phone.wait("soon")
    with pytest.raises(CallError, match="no line 7"):
        phone.call("1002", line=7)
    phone.call("1002")


def test_a_stopped_phone_says_so(virtual_phone):
    phone = virtual_phone("phone.cfg")
    call = phone.call("1002")
    phone.stop()
    phone.stop()
    assert call.via == "primary"
    with pytest.raises(RuntimeError, match="stopped"):
        phone.wait(1)
'''


def test_virtual_phones(folder: pytest.Pytester) -> None:
    write(folder, phone=PHONE_TESTS)
    run(folder).assert_outcomes(passed=PHONE_TESTS.count("\ndef test_"))


# -- sip_lab ----------------------------------------------------------------------------------------------

FAULTY = """\
import pytest

from phone_emulator.lab.server import SipServer
from phone_emulator.redundancy import Walk


heard = []


def planted(*args, **named):
    heard.append(args)
    raise ValueError("planted")


def test_in_the_phone(virtual_phone, monkeypatch):
    phones = [virtual_phone("phone.cfg", zone="phone.zone") for _ in range(2)]
    monkeypatch.setattr(Walk, "next", planted)
    call = phones[0].call("1002")
    assert call.reason == "internal fault: ValueError: planted"


def test_in_the_lab(sip_lab, monkeypatch):
    heard.clear()
    monkeypatch.setattr(SipServer, "_take", planted)
    sip_lab.call("1002", "primary")
    sip_lab.wait_until(lambda lab: heard)
"""


def test_a_fault_fails_the_test_with_its_traceback(folder: pytest.Pytester) -> None:
    write(folder, faulty=FAULTY)
    result = run(folder)
    result.assert_outcomes(passed=2, errors=2)
    for where in ("dialling of call-1", "the callback * of the event loop"):
        said = f"*Faulted: internal fault in {where}: ValueError: planted"
        result.stdout.fnmatch_lines(['*raise ValueError("planted")', said])


LAB_TESTS = """
import threading
import pytest
from phone_emulator.config import load_text
from phone_emulator.lab.plans import EXAMPLE_CFG
from phone_emulator.events import Bus
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.world import RealWorld


def use(lab, story):
    fallback = f"account.1.sip_server.2.address={lab.fallback.address.host}"
    config = load_text(EXAMPLE_CFG, overrides=[fallback]).config
    options = PhoneOptions(local_address=lab.phone_host, local_port=0, nameservers=(lab.nameserver,))

    async def main():
        phone = Phone(config, world, Bus(), options)
        await phone.start()
        await story(phone)
        await phone.stop()

    world = RealWorld()
    world.run(main())


def test_a_program_registers_and_calls(sip_lab):
    async def story(phone):
        await phone.register()
        call = phone.dial("1002")
        seen.append((str(await call.settled()), call.via))
        seen.append(sorted(name for name, users in sip_lab.bindings.items() if "1001" in users))

    seen = []
    use(sip_lab, story)
    assert seen == [("answered", "primary"), ["fallback", "primary"]]
    assert sip_lab.users == {"1001": "lab-secret"}
    sip_lab.wait_until(lambda lab: not lab.primary.bindings)
    assert sip_lab.primary.received["REGISTER"] >= 2


@pytest.mark.sip_lab(primary=503)
def test_servers_that_are_down_at_first(sip_lab):
    async def story(phone):
        call = phone.dial("1002")
        await call.settled()
        seen.append(call.via)

    seen = []
    assert sip_lab.primary.behaviour == "503"
    use(sip_lab, story)
    assert seen == ["secondary"]


def test_mistakes_are_told_in_words(sip_lab):
    with pytest.raises(ValueError, match="no server 'tertiary' here: primary, secondary, fallback"):
        sip_lab.behave("tertiary", "ok")
    with pytest.raises(ValueError, match="there is no behaviour"):
        sip_lab.behave("primary", "lazy")
    with pytest.raises(ValueError, match="1001 is registered at no server"):
        sip_lab.call("1001")
    with pytest.raises(TimeoutError, match="not within 0.05 s; registered: "):
        sip_lab.wait_until(lambda lab: lab.primary.bindings, timeout=0.05)
    sip_lab.callee("busy")
    sip_lab.dns("silent")


def test_two_labs_side_by_side(sip_lab):
    from phone_emulator.testing.sip_lab import SipLab

    other = SipLab()
    try:
        assert other.primary.address != sip_lab.primary.address
        assert other.domain == sip_lab.domain == "yealink.pbx.com"
        assert "BEGIN CERTIFICATE" in other.ca_pem
        assert set(other.primary.ports) == {"udp", "tcp", "tls"}
    finally:
        other.stop()
    other.stop()
    with pytest.raises(RuntimeError, match="the lab was stopped"):
        other.behave("primary", "ok")


def test_nothing_is_left_of_the_labs_before():
    assert [thread.name for thread in threading.enumerate() if thread.name == "SIP lab"] == []
"""


def test_sip_labs(folder: pytest.Pytester) -> None:
    write(folder, lab=LAB_TESTS)
    run(folder).assert_outcomes(passed=LAB_TESTS.count("\ndef test_"))


# -- being in nobody's way --------------------------------------------------------------------------------


def test_without_scenarios_and_fixtures_nothing_of_the_package_is_imported() -> None:
    text = (
        "import sys, pytest; before = set(sys.modules); import phone_emulator.pytest_plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "['phone_emulator', 'phone_emulator.pytest_plugin']"


def test_the_annotation_of_the_fixture_takes_what_the_phone_takes() -> None:
    asked = dict(signature(MakePhone.__call__).parameters)
    own = signature(VirtualPhone.__init__).parameters.values()
    taken = [each for each in own if each.kind is Parameter.KEYWORD_ONLY]
    assert [asked.get(each.name) for each in taken] == taken


def test_the_plugin_is_an_entry_point() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert (
        '[project.entry-points.pytest11]\n"phone_emulator.pytest_plugin" = "phone_emulator.pytest_plugin"'
        in text
    )


def test_fixtures_and_marker_are_listed_with_their_words(folder: pytest.Pytester) -> None:
    write(folder, nothing="def test_nothing(): pass\n")
    run(folder, "--fixtures").stdout.fnmatch_lines(
        ["sip_lab*", "virtual_phone*", "*Makes phones in virtual time*"]
    )
    run(folder, "--markers").stdout.fnmatch_lines(["@pytest.mark.sip_lab(*"])
    run(folder).assert_outcomes(passed=1)
