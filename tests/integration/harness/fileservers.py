"""Web, FTP and TFTP servers of Debian that give phones their files, each with a log of what was asked."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from pathlib import Path

import pytest

from tests.integration.harness.certificates import ServerCertificate
from tests.integration.harness.process import Process, require
from tests.patience import NET

USER, PASSWORD, REALM = "phone", "s3cret#1", "phones"
_MARK = "/is-all-in-the-log"
HTTP_PORT, HTTPS_PORT, FTP_PORT, TFTP_PORT = 8080, 8443, 2121, 6969


def is_open(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


class FileServer(Process):
    """A server of the files in ``root``, a folder that its user, too, can read."""

    def __init__(self, name: str, address: str, directory: Path, root: Path) -> None:
        super().__init__(name, directory)
        self.address = address
        self.root = root

    @property
    def asked(self) -> list[str]:
        """The paths asked for so far, with the outcome where the log has it: ``/x.cfg 404``."""
        raise NotImplementedError


class Nginx(FileServer):
    """nginx with HTTP at `HTTP_PORT`, HTTPS at `HTTPS_PORT`; ``/basic/`` asks for credentials."""

    def __init__(self, address: str, directory: Path, root: Path, certificate: ServerCertificate) -> None:
        require("nginx")
        super().__init__("nginx", address, directory, root)
        self._access = directory / "access.log"
        (directory / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        (directory / "passwords").chmod(0o644)
        temporary = "".join(
            f"  {kind}_temp_path {directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = f"user {os.environ.get('USER', 'root')};\n" if os.geteuid() == 0 else ""
        (directory / "nginx.conf").write_text(
            f"{user}daemon off;\nmaster_process off;\npid {directory}/nginx.pid;\n"
            f"error_log {directory}/error.log;\nevents {{}}\n"
            f"http {{\n{temporary}"
            "  log_format phone '$request_method $request_uri $status [$http_user_agent] $remote_user';\n"
            f"  access_log {self._access} phone;\n"
            f"  server {{\n    listen {address}:{HTTP_PORT};\n    listen {address}:{HTTPS_PORT} ssl;\n"
            f"    ssl_certificate {certificate.chain_file};\n"
            f"    ssl_certificate_key {certificate.key_file};\n"
            f"    root {root};\n"
            f"    location /basic/ {{\n      alias {root}/;\n      auth_basic {REALM};\n"
            f"      auth_basic_user_file {directory}/passwords;\n    }}\n"
            "    location /moved/ { rewrite ^/moved/(.*)$ /$1 redirect; }\n"
            "    location /broken/ { return 500; }\n"
            "    location /page/ { default_type text/html; return 200 '<html>Sorry</html>'; }\n"
            "  }\n}\n"
        )

    def start(self) -> Nginx:
        """Start it and wait until it listens; returns itself."""
        command = ["nginx", "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]
        self.launch(command, lambda: is_open(self.address, HTTPS_PORT))
        return self

    @property
    def lines(self) -> list[str]:
        """The access log: method, path, status, User-Agent, user."""
        # It serves one after the other: once this is answered, all earlier ones are in the log.
        with socket.create_connection((self.address, HTTP_PORT), NET) as client:
            client.sendall(f"GET {_MARK} HTTP/1.0\r\n\r\n".encode())
            while client.recv(65536):
                pass
        return [line for line in self._access.read_text().splitlines() if _MARK not in line]

    @property
    def asked(self) -> list[str]:
        """Path and status of each request."""
        return [" ".join(line.split()[1:3]) for line in self.lines]


class Lighttpd(FileServer):
    """lighttpd at `HTTP_PORT`, which asks for Digest credentials (RFC 7616)."""

    def __init__(self, address: str, directory: Path, root: Path, algorithm: str) -> None:
        require("lighttpd")
        super().__init__("lighttpd", address, directory, root)
        self._access = directory / "access.log"
        hashed = hashlib.new(
            "md5" if algorithm == "MD5" else "sha256", f"{USER}:{REALM}:{PASSWORD}".encode()
        ).hexdigest()
        (directory / "passwords").write_text(f"{USER}:{REALM}:{hashed}\n")
        (directory / "lighttpd.conf").write_text(
            'server.modules = ("mod_auth", "mod_authn_file", "mod_accesslog")\n'
            f'server.document-root = "{root}"\nserver.port = {HTTP_PORT}\nserver.bind = "{address}"\n'
            f'accesslog.filename = "{self._access}"\naccesslog.format = "%m %U %s [%{{User-Agent}}i] %u"\n'
            'auth.backend = "htdigest"\n'
            f'auth.backend.htdigest.userfile = "{directory}/passwords"\n'
            'auth.require = ("/" => ("method" => "digest", '
            f'"realm" => "{REALM}", "require" => "valid-user", "algorithm" => "{algorithm}"))\n'
        )

    def start(self) -> Lighttpd:
        """Start it and wait until it listens; returns itself."""
        self.launch(
            ["lighttpd", "-D", "-f", str(self.directory / "lighttpd.conf")],
            lambda: is_open(self.address, HTTP_PORT),
        )
        return self

    @property
    def asked(self) -> list[str]:
        """Path and status of each request; lighttpd writes them when it ends."""
        self.stop()
        return [" ".join(line.split()[1:3]) for line in self._access.read_text().splitlines()]


class Vsftpd(FileServer):
    """vsftpd at `FTP_PORT`, for anonymous users."""

    def __init__(self, address: str, directory: Path, root: Path) -> None:
        require("vsftpd")
        if os.geteuid() != 0:
            pytest.skip("vsftpd wants to be started by root")
        super().__init__("vsftpd", address, directory, root)
        self._transfers = directory / "vsftpd.log"
        (directory / "empty").mkdir()
        (directory / "vsftpd.conf").write_text(
            f"listen=YES\nlisten_address={address}\nlisten_port={FTP_PORT}\nbackground=NO\n"
            f"anonymous_enable=YES\nanon_root={root}\nlocal_enable=NO\nno_anon_password=NO\n"
            f"secure_chroot_dir={directory}/empty\nseccomp_sandbox=NO\n"
            f"xferlog_enable=YES\nlog_ftp_protocol=YES\nvsftpd_log_file={self._transfers}\n"
            "xferlog_std_format=NO\n"
        )

    def start(self) -> Vsftpd:
        """Start it and wait until it listens; returns itself."""
        self.launch(["vsftpd", str(self.directory / "vsftpd.conf")], lambda: is_open(self.address, FTP_PORT))
        return self

    @property
    def asked(self) -> list[str]:
        """The files asked for."""
        return re.findall(r'FTP command: .*"RETR ([^"]*)"', self._transfers.read_text())


class Atftpd(FileServer):
    """atftpd at `TFTP_PORT`."""

    def __init__(self, address: str, directory: Path, root: Path) -> None:
        require("atftpd")
        super().__init__("atftpd", address, directory, root)

    def start(self) -> Atftpd:
        """Start it and wait until it listens; returns itself."""
        command = ["atftpd", "--daemon", "--no-fork", "--verbose=7", "--logfile", "-"]
        own = ["--port", str(TFTP_PORT), "--bind-address", self.address, str(self.root)]
        inode = f"{TFTP_PORT:04X}"
        self.launch([*command, *own], lambda: f":{inode} " in Path("/proc/net/udp").read_text())
        return self

    @property
    def asked(self) -> list[str]:
        """The files served."""
        return re.findall(r"Serving (\S+) to", self.log)
