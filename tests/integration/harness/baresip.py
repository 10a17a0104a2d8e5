"""baresip as another phone: registered, and answering whoever calls with a tone."""

from __future__ import annotations

from pathlib import Path

from tests.integration.harness.process import Process, require

MODULES = ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules")


class Baresip(Process):
    """One baresip that registers *user* at *server* and answers every call with a tone of *hertz*."""

    def __init__(
        self,
        address: str,
        directory: Path,
        *,
        user: str,
        password: str,
        server: str,
        hertz: int = 440,
        namespace: str | None = None,
    ) -> None:
        require("baresip")
        super().__init__("baresip", directory, namespace)
        self.address = address
        modules = next((path for path in MODULES if Path(path).is_dir()), MODULES[0])
        (directory / "config").write_text(
            f"sip_listen {address}:5060\n"
            # ausine knows no other rate and number of channels; baresip turns them into PCMU's.
            f"audio_source ausine,{hertz}\nausrc_srate 48000\nausrc_channels 2\n"
            "audio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n"
            f"module_path {modules}\n"
            "module g711.so\nmodule ausine.so\nmodule aubridge.so\n"
            "module_app account.so\nmodule_app menu.so\n"
        )
        (directory / "accounts").write_text(
            f"<sip:{user}@{server}>;auth_user={user};auth_pass={password};answermode=auto;regint=60\n"
        )
        (directory / "contacts").write_text("")

    def start(self) -> Baresip:
        """Start it and wait until it is registered; returns itself."""
        self.launch(["baresip", "-f", str(self.directory), "-v"], lambda: "200 OK" in self.log)
        return self
