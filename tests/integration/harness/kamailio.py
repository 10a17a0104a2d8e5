"""Kamailio as a registrar and proxy whose behaviour can be switched while it runs."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.integration.harness.certificates import ServerCertificate
from tests.integration.harness.net import DOMAIN
from tests.integration.harness.process import Process, require
from tests.patience import NET

TEMPLATE = Path(__file__).parent.parent / "templates" / "kamailio.cfg"
USERS: Mapping[str, str] = {"1001": "secret", "1002": "secret2"}
"""The accounts that every server knows: user name to password."""

Behaviour = Literal["ok", "silent", "trying"] | int
"""``ok``; ``silent`` (drops every request); ``trying`` (100, then nothing); or the status to answer."""

_CODES = {"ok": 0, "silent": 1, "trying": 2}


@dataclass(frozen=True, slots=True)
class Binding:
    """A contact that is registered."""

    user: str
    contact: str
    expires: int
    """Seconds left."""


class Kamailio(Process):
    """One Kamailio at *address*: UDP and TCP at *port*, TLS at 5061 when it has a certificate.

    It challenges REGISTER (401) and INVITE (407) with digest, stays in the route set unless told not to,
    and sends calls to the user's registered contacts, or to *callee* (``address:port``) for everybody else.
    `stop` and `start` close and open its ports; registrations live in memory and do not outlast a stop.
    """

    def __init__(
        self,
        name: str,
        address: str,
        directory: Path,
        *,
        callee: str,
        port: int = 5060,
        certificate: ServerCertificate | None = None,
        tls_port: int = 5061,
        users: Mapping[str, str] = USERS,
        retry_after: int = 0,
        min_expires: int = 1,
        max_expires: int = 3600,
        algorithm: Literal["MD5", "SHA-256"] = "MD5",
        record_routes: bool = True,
        relay: str = "",
        namespace: str | None = None,
    ) -> None:
        """A server that is not started yet.

        Args:
            retry_after: seconds; goes into refusals when positive.
            min_expires: seconds, of leases.
            max_expires: seconds, of leases.
            algorithm: of the digest.
            record_routes: whether it stays in the way of the dialogs (``record_route()``).
            relay: where an rtpengine takes orders, through which all sound goes: encrypted on the side of
                1001, in the clear on the other, and transcoded where they have no codec in common.
        """
        require("kamailio")
        super().__init__(name, directory, namespace)
        self.address = address
        self.port = port
        self.tls_port = tls_port
        self._calls = 0
        self._config = directory / "kamailio.cfg"
        listen = [f"listen=udp:{address}:{port}", f"listen=tcp:{address}:{port}"]
        tls = ""
        if certificate is not None:
            listen += ["enable_tls=yes", f"listen=tls:{address}:{tls_port}"]
            profile = directory / "tls.cfg"
            profile.write_text(
                "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n"
                f"private_key = {certificate.key_file}\ncertificate = {certificate.chain_file}\n"
            )
            tls = f'loadmodule "tls.so"\nmodparam("tls", "config", "{profile}")'
        passwords = [f'    if ($au == "{user}") $var(password) = "{word}";' for user, word in users.items()]
        values = {
            "LISTEN": "\n".join(listen),
            "TLS": tls,
            "RELAY": f'#!define RELAY "{relay}"' if relay else "",
            "CALLEE": callee,
            "DIRECTORY": str(directory),
            "REALM": DOMAIN,
            "PASSWORDS": "\n".join(passwords),
            "RETRY_AFTER": str(retry_after),
            "MIN_EXPIRES": str(min_expires),
            "MAX_EXPIRES": str(max_expires),
            "ALGORITHM": algorithm,
            "RECORD_ROUTES": str(int(record_routes)),
        }
        text = TEMPLATE.read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        self._config.write_text(text)

    def start(self, behaviour: Behaviour = "ok") -> Kamailio:
        """Start it, wait until it serves, and make it behave; returns itself."""
        for stale in self.directory.glob("*.sock"):
            stale.unlink()
        command = ["kamailio", "-DD", "-E", "-m", "64", "-M", "8", "-w", str(self.directory)]
        command += [
            "-f",
            str(self._config),
            "-P",
            str(self.directory / "kamailio.pid"),
            "-Y",
            str(self.directory),
        ]
        self.launch(command, self._answers)
        self.behave(behaviour)
        return self

    def behave(self, behaviour: Behaviour, method: Literal["INVITE", "REGISTER"] | None = None) -> None:
        """Treat every request, or those of *method*, like this from now on; the method's own comes first."""
        code = behaviour if isinstance(behaviour, int) else _CODES[behaviour]
        self.rpc("pv.shvSet", (method or "all").lower(), "int", code)

    def challenge_dialogs(self, status: Literal[0, 401, 407]) -> None:
        """Ask 1001 for credentials in every request within a dialog as well; 0: no more."""
        self.rpc("pv.shvSet", "dialog", "int", status)

    def bindings(self) -> list[Binding]:
        """Who is registered here now."""
        result = self.rpc("ul.dump")
        return [
            Binding(record["Info"]["AoR"], contact["Contact"]["Address"], int(contact["Contact"]["Expires"]))
            for domain in result.get("Domains", [])
            for record in domain["Domain"]["AoRs"]
            for contact in record["Info"]["Contacts"]
        ]

    def rpc(self, method: str, *params: str | int) -> Any:
        """Call *method* of Kamailio's JSON-RPC; raises RuntimeError with its complaint, TimeoutError."""
        self._calls += 1
        reply_to = self.directory / f"reply{self._calls}.sock"
        request = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": list(params)}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(str(reply_to))
            try:
                channel.settimeout(NET)
                channel.sendto(json.dumps(request).encode(), str(self.directory / "rpc.sock"))
                answer = json.loads(channel.recv(65536))
            finally:
                reply_to.unlink()
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {method}{params}: {answer['error']}")
        return answer["result"]

    def _answers(self) -> bool:
        try:
            self.rpc("core.uptime")
        except OSError:
            return False
        return True
