"""The files for systemd and nginx hold as they stand: nginx passes signed webhooks on, and nothing else."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest

from engine import Limits
from web.settings import load_settings
from web.whatsapp.signature import SIGNATURE_HEADER, sign

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "midstream.service"
SITE = ROOT / "deploy" / "nginx-midstream.conf"
PROGRAM = "/opt/midstream/.venv/bin/midstream"
PATH = "/webhook/whatsapp"
NAME = "bot.example.com"
SECRET = "the app secret"  # noqa: S105
# Not a bound on how fast anything is: only so that a hanging test ends.
HANG_SECONDS = 100.0
BODY_BYTES_MAX = 4 * 1024 * 1024


def program(name: str) -> str:
    """Where this program is; a test that needs it is skipped where it is not."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False, stdin=subprocess.DEVNULL
    )


def unit() -> dict[str, str]:
    parser = ConfigParser(strict=False, interpolation=None, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


# systemd ------------------------------------------------------------------------------------------


def test_systemd_takes_the_unit_without_a_word(tmp_path: Path) -> None:
    """A misspelt directive is only a warning, and then does nothing."""
    analyze = program("systemd-analyze")
    text = UNIT.read_text()
    assert text.count(PROGRAM) == 1
    # The program is not installed where the test runs; something that can be run must stand there.
    (tmp_path / UNIT.name).write_text(text.replace(PROGRAM, "/bin/true"))
    verified = run(analyze, "verify", "--man=no", str(tmp_path / UNIT.name))
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_stop_in_good_order_has_the_time_it_may_take() -> None:
    """The grace for a wave, then the last records; whoever is killed before leaves unknown outcomes."""
    limits = Limits()
    assert unit()["KillSignal"] == "SIGTERM"
    assert int(unit()["TimeoutStopSec"]) > limits.grace_seconds + limits.record_seconds_max


def test_the_unit_starts_the_server_in_the_folder_of_its_settings() -> None:
    """`.env` and the database are looked for in the working directory."""
    assert unit()["ExecStart"] == f"{PROGRAM} serve"
    assert unit()["WorkingDirectory"] == f"/var/lib/{unit()['StateDirectory']}"


# nginx --------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@attrs.frozen
class Nginx:
    """The site file as it stands, but for addresses, and paths that must exist here."""

    folder: Path
    port: int
    plain_port: int

    @property
    def certificate(self) -> Path:
        return self.folder / "fullchain.pem"

    def client(self) -> httpx2.Client:
        """One that trusts the certificate for the name in the site file, and reaches it here."""
        return httpx2.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": NAME},
            verify=ssl.create_default_context(cafile=str(self.certificate)),
            trust_env=False,
            timeout=HANG_SECONDS,
        )

    def configure(self, server: str) -> Path:
        """Write the configuration around the site file; returns its path."""
        site = SITE.read_text()
        for there, here in {
            "server 127.0.0.1:8080;": f"server {server};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            f"/etc/letsencrypt/live/{NAME}": str(self.folder),
        }.items():
            assert there in site
            site = site.replace(there, here)
        (self.folder / "site.conf").write_text(site)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"    {kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        # Its workers have to read and write in this folder, which is ours alone.
        user = "user root;\n" if os.geteuid() == 0 else ""
        main = self.folder / "nginx.conf"
        main.write_text(
            f"{user}daemon off;\npid {self.folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
            f"http {{\n    access_log off;\n{paths}\n    include {self.folder}/site.conf;\n}}\n"
        )
        return main


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    """With a certificate of its own."""
    made = Nginx(folder=tmp_path / "nginx", port=free_port(), plain_port=free_port())
    made.folder.mkdir()
    key = str(made.folder / "privkey.pem")
    names = f"subjectAltName=DNS:{NAME},IP:127.0.0.1"
    certified = run(
        *(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-keyout", key, "-out", str(made.certificate), "-days", "2"),
        *("-subj", f"/CN={NAME}", "-addext", names),
    )
    assert certified.returncode == 0, certified.stderr
    return made


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A real server in this folder, connected to no real Graph API; gives its address."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MIDSTREAM_", "WHATSAPP_"))
    } | {
        "MIDSTREAM_BIND": "127.0.0.1:0",
        "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
        "WHATSAPP_ACCESS_TOKEN": "EAAtoken",
        "WHATSAPP_APP_SECRET": SECRET,
        "WHATSAPP_VERIFY_TOKEN": "the verify token",
        "WHATSAPP_GRAPH_URL": "http://127.0.0.1:9/v26.0",
    }
    assert load_settings(environment).is_local is False
    command = [sys.executable, "-m", "web", "serve"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stderr=log) as process,
    ):
        try:
            url: str = waited_for(lambda: serving_url(folder / "log"), process)
            yield url.removeprefix("http://")
        finally:
            process.kill()


def serving_url(log: Path) -> str:
    lines = [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return next((line["url"] for line in lines if line["event"] == "serving"), "")


def waited_for(look: Callable[[], Any], process: subprocess.Popen[bytes]) -> Any:
    give_up_at = time.monotonic() + HANG_SECONDS
    while not (found := look()):
        assert process.poll() is None, "it ended"
        assert time.monotonic() < give_up_at, "it does not start"
        time.sleep(0.02)
    return found


@contextmanager
def proxying(nginx: Nginx, server: str) -> Iterator[httpx2.Client]:
    """nginx in front of the server for the length of the block; gives a client of it."""
    main = nginx.configure(server)
    checked = run(program("nginx"), "-t", "-q", "-p", str(nginx.folder), "-c", str(main))
    assert (checked.returncode, checked.stderr) == (0, "")
    command = [program("nginx"), "-p", str(nginx.folder), "-c", str(main)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process, nginx.client() as client:
        try:
            waited_for(lambda: is_reached(nginx.port), process)
            yield client
        finally:
            process.terminate()


def is_reached(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def body_of(text: str) -> bytes:
    message = {"from": "15551234567", "id": "wamid.1", "timestamp": "1700000000", "type": "text"}
    value = {"messaging_product": "whatsapp", "messages": [message | {"text": {"body": text}}]}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def test_a_signed_webhook_passes_and_nothing_else_does(tmp_path: Path, nginx: Nginx) -> None:
    """The body, the signature and the query go on as they came; what is for the operator is not to be had."""
    with serving(tmp_path) as server, proxying(nginx, server) as client:
        body = body_of("Grüße, Jürgen")
        signed = client.post(PATH, content=body, headers={SIGNATURE_HEADER: sign(body, SECRET)})
        assert signed.status_code == 200
        assert client.post(PATH, content=body).status_code == 401
        query = "?hub.mode=subscribe&hub.verify_token=the%20verify%20token&hub.challenge=42"
        assert client.get(PATH + query).text == "42"
        for path in ("/metrics", "/readyz", "/healthz", "/", f"{PATH}/more"):
            assert client.get(path).status_code == 404
        direct = httpx2.get(f"http://{server}/metrics", trust_env=False).text
        assert 'midstream_webhook_items_total{kind="message"} 1.0' in direct


def test_what_midstream_takes_nginx_takes(tmp_path: Path, nginx: Nginx) -> None:
    """A body of 4 MiB, and not a byte more; nginx alone would refuse one MiB."""
    with serving(tmp_path) as server, proxying(nginx, server) as client:
        body = body_of("").ljust(BODY_BYTES_MAX)
        headers = {SIGNATURE_HEADER: sign(body, SECRET)}
        assert client.post(PATH, content=body, headers=headers).status_code == 200
        assert client.post(PATH, content=body + b" ", headers=headers).status_code == 413


def test_plain_http_leads_to_https(nginx: Nginx) -> None:
    """Whoever types the name without a scheme."""
    with proxying(nginx, "127.0.0.1:9"):
        plain = f"http://127.0.0.1:{nginx.plain_port}/webhook/whatsapp?a=1"
        answer = httpx2.get(plain, headers={"Host": NAME}, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{NAME}{PATH}?a=1")
