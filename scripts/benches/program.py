"""What a user of the commands waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benches.measuring import ROOT, SCENARIOS, Bench, best_of

PROGRAM = Path(sys.executable).with_name("phone-emulator")


def everything_silent() -> str:
    """96 virtual seconds of an INVITE that nobody answers, wall time in a running process."""
    from phone_emulator.scenario.reader import read_scenario
    from phone_emulator.scenario.runner import run
    from phone_emulator.scenario.session import RunOptions, prepare

    options = RunOptions()
    prepared = prepare(read_scenario(SCENARIOS / "all-silent.yaml"), options)
    run(prepared, options)
    took = best_of(10, lambda: run(prepared, options))
    return f"{1000 * took:.1f} ms (asked for: under 50 ms)"


def many_scenarios() -> str:
    """500 scenario files in one ``phone-emulator run``, start-up included."""
    sources = sorted(path for path in SCENARIOS.glob("*.yaml") if "world: simulated" in path.read_text())
    with tempfile.TemporaryDirectory() as folder:
        for number in range(500):
            text = sources[number % len(sources)].read_text()
            for name in ("guide-example.cfg", "guide-example.zone"):
                text = text.replace(f"../{name}", str(ROOT / "configs" / name))
            Path(folder, f"{number:03}.yaml").write_text(text)
        began = time.perf_counter()
        done = subprocess.run([PROGRAM, "run", folder], capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
    verdict = "all passed" if done.returncode == 0 else f"exit status {done.returncode}"
    return f"{500 / took:.0f} a second, {verdict} (asked for: 50 or more)"


def help_answers() -> str:
    """``phone-emulator --help``, from nothing to the prompt."""
    command = [PROGRAM, "--help"]
    took = best_of(5, lambda: subprocess.run(command, capture_output=True, check=True))
    return f"{1000 * took:.0f} ms (asked for: under 300 ms)"


def cfg_reads() -> str:
    """A cfg file of 3,300 lines, read and validated."""
    from phone_emulator.config import load_text

    keys = [f"linekey.{n % 27 + 1}.label = key {n}" for n in range(1500)]
    keys += [f"account.{n % 16 + 1}.display_name = Name {n}" for n in range(1780)]
    text = "\n".join(["#!version:1.0.0.1", *keys, *(f"account.{n}.enable = 0" for n in range(1, 17))])
    text += "\naccount.1.enable = 1\naccount.1.user_name = 1\naccount.1.sip_server.1.address = a.example\n"
    took = best_of(10, lambda: load_text(text))
    return f"{1000 * took:.1f} ms (asked for: under 25 ms)"


def provisioning_file() -> str:
    """3,300 lines such as a PBX renders: all parameters, blank or default; @ is the phone's number."""
    from phone_emulator.config.catalogue import catalogue, fill

    own = {f"account.{n}.{key}": f"@-{n}" for n in range(1, 17) for key in ("user_name", "password")}
    own |= {f"account.{n}.sip_server.1.address": "pbx.example.com" for n in range(1, 17)}
    own |= {"account.1.enable": "1"}
    lines = ["#!version:1.0.0.1"]
    for n in range(1, 17):
        for each in catalogue():
            key = fill(f"{each.name}.", X=n, Y=1, N=n)[:-1]
            if n == 1 or ".X." in each.name:
                lines.append(f"{key} = {own.get(key, each.default)}")
            if len(lines) == 3300:
                return "\n".join(lines)
    raise AssertionError("the catalogue has shrunk")


def checks() -> str:
    """1,000 different files of 3,300 lines through one ``phone-emulator check --each``, on one core."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{number:04}.cfg") for number in range(1000)]
        text = provisioning_file()
        for number, file in enumerate(files):
            file.write_text(text.replace("@", str(number)))
        began, before = time.perf_counter(), os.times()
        done = subprocess.run([PROGRAM, "check", "--each", *files], capture_output=True, check=False)
        took, after = time.perf_counter() - began, os.times()
    core = after.children_user + after.children_system - before.children_user - before.children_system
    return f"{core:.1f} s of one core, {took:.1f} s by the clock, exit status {done.returncode} (asked: 30 s)"


def params_answers() -> str:
    """``phone-emulator params``, from nothing to the prompt."""
    command = [PROGRAM, "params", "account.1.sip_server.1.port"]
    took = best_of(5, lambda: subprocess.run(command, capture_output=True, check=True))
    return f"{1000 * took:.0f} ms (asked for: under 400 ms)"


def week_of_life() -> str:
    """A week of one phone's life in virtual time: ``scripts/week``."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "week"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr.strip()


BENCHES: dict[str, Bench] = {
    "everything silent, 96 virtual seconds": everything_silent,
    "500 scenario files in one run": many_scenarios,
    "phone-emulator --help": help_answers,
    "cfg file of 3,300 lines": cfg_reads,
    "1,000 cfg files through check": checks,
    "phone-emulator params": params_answers,
    "a week of one phone's life": week_of_life,
}
