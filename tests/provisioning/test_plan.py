"""Which file is next: the order of phone.md A2, without any I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.config.boot import read_boot
from phone_emulator.provisioning import ProvisioningError, handset_of
from phone_emulator.provisioning.location import parse_location
from phone_emulator.provisioning.plan import MOST_INCLUDES, Plan

MAC = "001565aabbcc"
OWN_BOOT, GENERIC_BOOT = f"{MAC}.boot", "y000000000000.boot"
COMMON, OWN, LOCAL = "y000000000066.cfg", f"{MAC}.cfg", f"{MAC}-local.cfg"
HEADER = "#!version:1.0.0.1\n"


def walk(
    files: dict[str, str],
    *,
    url: str = "http://pbx.test/cfg",
    model: str = "SIP-T46S",
    sync: str | None = None,
) -> list[str]:
    """What a phone asks for on a server with *files* (boot files: their text), below ``http://pbx.test/cfg/``."""
    plan = Plan(parse_location(url), handset_of(model, "66.86.0.15", MAC))
    asked: list[str] = []
    synced = sync is None
    while True:
        wish = plan.wish
        if wish is None:
            if synced:
                return asked
            plan.local(sync or "")
            synced = True
            continue
        name = str(wish.location).removeprefix("http://pbx.test/cfg/")
        asked.append(name)
        assert len(asked) < 1000
        if name not in files:
            plan.missing()
        elif wish.stage.is_boot:
            plan.found(read_boot(HEADER + files[name], name))
        else:
            plan.found()


def test_without_boot_files_it_is_the_common_file_and_the_own_one() -> None:
    expected = [OWN_BOOT, GENERIC_BOOT, COMMON, OWN]
    assert walk({COMMON: "", OWN: ""}) == expected
    assert walk({}) == expected  # a missing file is not fatal


def test_a_boot_file_decides_alone() -> None:
    boot = f'include:config "{COMMON}"\ninclude:config <sub/office.cfg>\ninclude:config "{OWN}"\n'
    included = [COMMON, "sub/office.cfg", OWN]
    assert walk({OWN_BOOT: boot}) == [OWN_BOOT, *included]
    assert walk({GENERIC_BOOT: boot}) == [OWN_BOOT, GENERIC_BOOT, *included]


def test_a_boot_file_without_includes_fetches_nothing() -> None:
    assert walk({OWN_BOOT: "overwrite_mode = 1\n"}) == [OWN_BOOT]


def test_the_local_file_comes_last_and_only_when_asked_for() -> None:
    boot = f'include:config "{OWN}"\n'
    assert walk({OWN_BOOT: boot}, sync="") == [OWN_BOOT, OWN, LOCAL]
    assert walk({COMMON: ""}, sync="")[-1] == LOCAL
    assert walk({}, sync="http://other.test/sync/")[-1] == f"http://other.test/sync/{LOCAL}"
    assert walk({}, sync="kept")[-1] == f"kept/{LOCAL}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("x.cfg", "x.cfg"),
        ("a/b/x.cfg", "a/b/x.cfg"),
        ("./a/../x.cfg", "x.cfg"),
        ("/top/x.cfg", "http://pbx.test/top/x.cfg"),
        ("../x.cfg", "http://pbx.test/x.cfg"),
        ("../../../../x.cfg", "http://pbx.test/x.cfg"),
        ("http://192.0.2.1:8080/cfg/x.cfg", "http://192.0.2.1:8080/cfg/x.cfg"),
        ("ftp://192.0.2.1/x.cfg", "ftp://192.0.2.1/x.cfg"),
        ("$MAC-$PN-$MODEL.cfg", f"{MAC}-T46S-SIP-T46S.cfg"),
    ],
)
def test_where_an_include_leads(target: str, expected: str) -> None:
    assert walk({OWN_BOOT: f'include:config "{target}"\n'}) == [OWN_BOOT, expected]


def test_includes_for_other_models_are_passed_over() -> None:
    boot = (
        "[T46S,T48S]include:config <t4s.cfg>\n[T19P_E2]include:config <t19.cfg>\ninclude:config <all.cfg>\n"
    )
    assert walk({OWN_BOOT: boot}) == [OWN_BOOT, "t4s.cfg", "all.cfg"]
    assert walk({OWN_BOOT: boot}, model="SIP-T19P_E2") == [OWN_BOOT, "t19.cfg", "all.cfg"]
    assert walk({OWN_BOOT: boot}, model="SIP-T58") == [OWN_BOOT, "all.cfg"]


def test_excluded_mode_keeps_the_models_own_includes_alone() -> None:
    boot = "include:config <all.cfg>\n[T46S]include:config <t46.cfg>\nspecific_model.excluded_mode = 1\n"
    assert walk({OWN_BOOT: boot}) == [OWN_BOOT, "t46.cfg"]
    assert walk({OWN_BOOT: boot}, model="SIP-T58") == [OWN_BOOT, "all.cfg"]


def test_what_is_included_twice_is_fetched_once_where_it_counts() -> None:
    boot = "include:config <a.cfg>\ninclude:config <b.cfg>\ninclude:config <a.cfg>\n"
    assert walk({OWN_BOOT: boot}) == [OWN_BOOT, "b.cfg", "a.cfg"]


def test_ten_thousand_includes_are_refused() -> None:
    boot = "".join(f"include:config <{number}.cfg>\n" for number in range(10_000))
    with pytest.raises(ProvisioningError, match=f"includes 10000 files, expected {MOST_INCLUDES} at most"):
        walk({OWN_BOOT: boot})


def test_a_server_may_not_name_files_of_this_machine() -> None:
    with pytest.raises(ProvisioningError, match=rf"{OWN_BOOT}:2: .*is on this machine"):
        walk({OWN_BOOT: "include:config <file:/etc/passwd.cfg>\n"})


def test_a_url_may_name_the_file_itself() -> None:
    assert walk({}, url="http://pbx.test/cfg/special.cfg") == ["special.cfg"]
    assert walk({}, url="http://pbx.test/cfg/all.boot") == ["all.boot"]
    boot = "include:config <x.cfg>\n"
    assert walk({"all.boot": boot}, url="http://pbx.test/cfg/all.boot") == ["all.boot", "x.cfg"]


def test_the_common_file_is_that_of_the_model() -> None:
    assert walk({}, model="SIP-T19P_E2")[2] == "y000000000053.cfg"
    assert walk({}, model="T46U")[2] == "y000000000108.cfg"
    assert walk({}, model="SIP-UNHEARD-OF") == [OWN_BOOT, GENERIC_BOOT, OWN]


NAMES = st.sampled_from(["a.cfg", "b/c.cfg", "/d.cfg", "$MAC.cfg", "http://e.test/f.cfg"])


@given(
    st.lists(NAMES, max_size=6),
    st.sets(st.sampled_from([OWN_BOOT, GENERIC_BOOT, COMMON, OWN])),
    st.booleans(),
)
def test_a_plan_ends_and_asks_for_nothing_twice(includes: list[str], there: set[str], sync: bool) -> None:
    boot = "".join(f"include:config <{name}>\n" for name in includes)
    asked = walk(dict.fromkeys(there, boot), sync="" if sync else None)
    assert asked[0] == OWN_BOOT
    without_local = asked[:-1] if sync else asked
    assert len(set(without_local)) == len(without_local)
    assert (asked[-1] == LOCAL) == sync
    assert (GENERIC_BOOT in asked) == (OWN_BOOT not in there)
    assert (COMMON in asked) == (not there & {OWN_BOOT, GENERIC_BOOT})
