"""Phones fetch their files from nginx, lighttpd, vsftpd and atftpd: right requests, in the right order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness.certificates import Certificates
from tests.integration.harness.fileservers import (
    FTP_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    PASSWORD,
    TFTP_PORT,
    USER,
    Atftpd,
    FileServer,
    Lighttpd,
    Nginx,
    Vsftpd,
)
from tests.integration.harness.net import DNS_PORT, DOMAIN
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.stage import Stage
from tests.patience import NET

pytestmark = pytest.mark.integration

MAC = "001565aabbcc"
HEADER = "#!version:1.0.0.1\n"
COMMON, OWN, LOCAL = "y000000000066.cfg", f"{MAC}.cfg", f"{MAC}-local.cfg"
USER_AGENT = "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cc"
CREDENTIALS = f"{USER}:{PASSWORD.replace('#', '%23')}@"
QUICK = ("--set", "static.auto_provision.attempt_before_failed=1")
ACCOUNT = (
    f"{HEADER}account.1.enable = 1\naccount.1.user_name = 1001\naccount.1.password = Some-Secret-1\n"
    "account.1.sip_server.1.address = 192.0.2.1\naccount.1.sip_server.2.address = 192.0.2.2\n"
)


@pytest.fixture
def root() -> Iterator[Path]:
    """The folder that the servers serve; servers that give up their privileges can read it, too."""
    folder = Path(tempfile.mkdtemp(prefix="phone-files-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def nginx(stage: Stage, root: Path, certificates: Certificates) -> Nginx:
    """nginx, running; its certificate carries the name localhost."""
    server = Nginx(stage.net.primary, stage.folder("nginx"), root, certificates.issue("localhost"))
    stage.processes.append(server)
    return server.start()


def check(url: str, *options: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit status and stderr of ``phone-emulator check --provision``."""
    return run("check", url, *options, environment=environment)


def run(command: str, url: str, *options: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit status and stderr of *command* with ``--provision``."""
    done = subprocess.run(
        [sys.executable, "-m", "phone_emulator", command, "--provision", url, *options],
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=NET,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def write(root: Path, **files: str) -> None:
    """Put *files* there: common, own, local, or the name of a boot file."""
    names = {"common": COMMON, "own": OWN, "local": LOCAL, "boot": f"{MAC}.boot", "all": "y000000000000.boot"}
    for name, content in files.items():
        path = root / names.get(name, f"{name}.cfg")
        path.write_text(content)
        path.chmod(0o644)


def test_the_order_without_boot_files(nginx: Nginx, root: Path) -> None:
    sync = "static.auto_provision.custom.sync = 1\n"
    write(root, common=f"{HEADER}sip.listen_port = 5062\n{sync}", own=ACCOUNT)
    assert check(f"http://{nginx.address}:{HTTP_PORT}")[0] == 0
    assert nginx.asked == [
        f"/{MAC}.boot 404",
        "/y000000000000.boot 404",
        f"/{COMMON} 200",
        f"/{OWN} 200",
        f"/{LOCAL} 404",
    ]
    assert {line.partition("[")[2].partition("]")[0] for line in nginx.lines} == {USER_AGENT}


def test_a_boot_file_with_relative_and_absolute_includes(nginx: Nginx, root: Path) -> None:
    base = f"http://{nginx.address}:{HTTP_PORT}"
    includes = ['include:config "a.cfg"', f"include:config <{base}/b.cfg>", "[T19P_E2]include:config <c.cfg>"]
    write(root, all=HEADER + "\n".join([*includes, "include:config </own.cfg>"]), own=ACCOUNT)
    (root / "own.cfg").write_text(ACCOUNT)
    write(root, a=f"{HEADER}sip.listen_port = 5062\n")
    assert check(base)[0] == 0
    assert nginx.asked == [
        f"/{MAC}.boot 404",
        "/y000000000000.boot 200",
        "/a.cfg 200",
        "/b.cfg 404",
        "/own.cfg 200",
    ]


def test_basic_credentials(nginx: Nginx, root: Path) -> None:
    write(root, own=ACCOUNT)
    place = f"{nginx.address}:{HTTP_PORT}/basic/"
    assert check(f"http://{CREDENTIALS}{place}")[0] == 0
    assert nginx.asked[-2:] == [f"/basic/{OWN} 401", f"/basic/{OWN} 200"]
    assert nginx.lines[-1].endswith(f" {USER}")
    settings = ("server.username=" + USER, "server.password=" + PASSWORD)
    options = [word for text in settings for word in ("--set", f"static.auto_provision.{text}")]
    assert check(f"http://{place}", *options)[0] == 0
    status, told = check(f"http://{USER}:wrong@{place}")
    warning, fault = told.splitlines()
    assert status == 2
    assert "password" in warning
    assert "wrong" not in told
    assert "does not accept the password of user 'phone' (401)" in fault
    assert "wants a user name and a password" in check(f"http://{place}")[1]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest_credentials(stage: Stage, root: Path, algorithm: str) -> None:
    server = Lighttpd(stage.net.primary, stage.folder("lighttpd"), root, algorithm)
    stage.processes.append(server)
    server.start()
    write(root, own=ACCOUNT)
    place = f"{server.address}:{HTTP_PORT}/"
    assert check(f"http://{CREDENTIALS}{place}")[0] == 0
    status, told = check(f"http://{USER}:wrong@{place}")
    warning, fault = told.splitlines()
    assert status == 2
    assert "password" in warning
    assert "wrong" not in told
    assert "does not accept the password" in fault
    assert server.asked[:8][-2:] == [f"/{OWN} 401", f"/{OWN} 200"]


def test_https(nginx: Nginx, root: Path, certificates: Certificates, stage: Stage) -> None:
    write(root, own=ACCOUNT)
    ca, url = str(certificates.ca_file), f"https://localhost:{HTTPS_PORT}/"
    by_address = url.replace("localhost", nginx.address)
    hint = "certificate is"
    assert hint in check(by_address, "--ca", ca)[1]  # it carries another name
    assert "unknown authority" in check(by_address)[1]
    assert check(by_address)[0] == 2
    assert check(by_address, "--set", "static.security.trust_certificates=0")[0] == 0
    # One more nginx, whose certificate has its address, is trusted by --ca and by SSL_CERT_FILE.
    second = Nginx(stage.net.secondary, stage.folder("nginx2"), root, certificates.issue(stage.net.secondary))
    stage.processes.append(second)
    second.start()
    url = f"https://{second.address}:{HTTPS_PORT}/"
    assert check(url, "--ca", ca)[0] == 0
    assert check(url, environment={"SSL_CERT_FILE": ca})[0] == 0
    assert check(f"{url.replace(str(HTTPS_PORT), str(HTTP_PORT))}", *QUICK)[0] == 2


def test_redirects_and_pages_and_errors(nginx: Nginx, root: Path) -> None:
    write(root, own=ACCOUNT)
    base = f"http://{nginx.address}:{HTTP_PORT}"
    assert check(f"{base}/moved/")[0] == 0
    assert nginx.asked[-2:] == [f"/moved/{OWN} 302", f"/{OWN} 200"]
    for folder, match in (("page", "is a page of HTML"), ("broken", "500"), ("none", "has no file for")):
        status, told = check(f"{base}/{folder}/", *QUICK)
        assert (status, told.count("\n")) == (2, 1), told
        assert match in told


@pytest.fixture(params=["ftp", "tftp"])
def plain_server(request: pytest.FixtureRequest, stage: Stage, root: Path) -> FileServer:
    """vsftpd, then atftpd, running."""
    directory = stage.folder(request.param)
    server: Vsftpd | Atftpd
    if request.param == "ftp":
        server = Vsftpd(stage.net.primary, directory, root)
    else:
        server = Atftpd(stage.net.primary, directory, root)
    stage.processes.append(server)
    return server.start()


def test_ftp_and_tftp(plain_server: FileServer, root: Path) -> None:
    # Longer than many TFTP blocks and a few TCP segments.
    padding = "".join(f"# {number:070}\n" for number in range(3000))
    write(root, boot=f"{HEADER}include:config <{COMMON}>\ninclude:config <sub/$MAC.cfg>\n")
    write(root, common=f"{HEADER}sip.listen_port = 5062\n{padding}")
    (root / "sub").mkdir()
    (root / "sub" / OWN).write_text(ACCOUNT)
    tftp = isinstance(plain_server, Atftpd)
    url = f"{plain_server.address}:{TFTP_PORT}" if tftp else f"ftp://{plain_server.address}:{FTP_PORT}"
    status, told = check(url)
    assert status == 0, told
    names = [name.removeprefix(f"{root}/").lstrip("/") for name in plain_server.asked]
    assert names == [f"{MAC}.boot", COMMON, f"sub/{OWN}"]
    (root / f"{MAC}.boot").unlink()
    status, told = check(f"{url}/nowhere")
    assert (status, told.count("\n")) == (2, 1)
    assert "has no file for" in told


def test_the_user_agent_names_the_model(nginx: Nginx, root: Path) -> None:
    write(root, own=ACCOUNT)
    check(f"http://{nginx.address}:{HTTP_PORT}", "--model", "SIP-T19P_E2", "--mac", "00:15:65:01:02:03")
    assert nginx.asked[2] == "/y000000000053.cfg 404"
    assert "SIP-T19P_E2 " in nginx.lines[0]
    assert "00:15:65:01:02:03]" in nginx.lines[0]


def test_names_are_looked_up_where_the_user_says(nginx: Nginx, root: Path, stage: Stage) -> None:
    write(root, own=ACCOUNT)
    zone = guide_zone(stage.net, "SIP+D2U") + f"files A {nginx.address}\n"
    nsd = Nsd(stage.net.dns, stage.folder("nsd"), zone)
    stage.processes.append(nsd)
    nsd.start()
    asked = ("--dns", f"{stage.net.dns}:{DNS_PORT}", *QUICK)
    assert run("route", f"http://files.{DOMAIN}:{HTTP_PORT}/", *asked)[0] == 0
    status, told = run("route", f"http://none.{DOMAIN}:{HTTP_PORT}/", *asked)
    assert (status, told.count("\n")) == (2, 1)
    assert f"none.{DOMAIN} has no address" in told
