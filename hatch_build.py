"""Compiles the SIP stack into the wheel, where that is asked for (docs/decisions/compiled.md).

``HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 pip install .`` does; it takes a C compiler and the headers of Python.
Without the variable nothing here runs, and the wheel is plain Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILE = """
from mypyc.build import mypycify
from setuptools import setup

extensions = mypycify({arguments}, opt_level="3", debug_level="0", group_name="phone_emulator")
setup(name="compiled", ext_modules=extensions)
"""
OUTPUT = "compiled"
MYPY = ("--follow-imports=silent", "--platform=linux")
"""What else the modules import is the business of `make check`; what only Linux has is used only there."""


class CompileHook(BuildHookInterface[Any]):
    """Hatchling calls it before and after each wheel, where it is enabled."""

    _folder: Path

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the modules that pyproject.toml names; raises RuntimeError with what mypyc says."""
        if version == "editable":
            raise RuntimeError("an editable installation runs the source, it cannot be compiled")
        # A copy: what lies compiled beside a source file is imported in its place.
        self._folder = Path(tempfile.mkdtemp(prefix="phone-emulator-"))
        try:
            self._compile(build_data)
        except BaseException:
            self._remove()
            raise

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written."""
        self._remove()

    def _compile(self, build_data: dict[str, Any]) -> None:
        shutil.copytree(Path(self.root, "phone_emulator"), self._folder / "phone_emulator")
        setup = self._folder / "setup.py"
        setup.write_text(COMPILE.format(arguments=[*MYPY, *self.config["modules"]]))
        command = [sys.executable, str(setup), "--quiet", "build_ext", "--build-lib", OUTPUT]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the SIP stack cannot be compiled:\n{done.stdout}{done.stderr}")
        compiled = [path for path in (self._folder / OUTPUT).rglob("*") if path.is_file()]
        build_data["force_include"] |= {
            str(path): path.relative_to(self._folder / OUTPUT).as_posix() for path in compiled
        }
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
