"""The server as a process: real sockets, a real database file, a Graph API in another process, signals."""

import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest

from web.whatsapp.signature import SIGNATURE_HEADER, sign

# Not a bound on how fast anything is: only so that a hanging test ends.
HANG_SECONDS = 100.0
SECRET = "the app secret"  # noqa: S105
CREDENTIALS = {
    "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
    "WHATSAPP_ACCESS_TOKEN": "EAAtoken",
    "WHATSAPP_APP_SECRET": SECRET,
    "WHATSAPP_VERIFY_TOKEN": "the verify token",
}
ANNA = "15551234567"
# Two waves of one call each.  A call acts, and ends only when the file `gate` is there.
BOT = '''
from pathlib import Path

import trio

from engine import Assistant, Call, Plan, tool


@tool(timeout=1000)
async def act(name: str) -> str:
    """Acts, and waits until it may end."""
    while not Path("gate").exists():
        await trio.sleep(0.01)
    with open("acts", "a") as file:
        print(name, file=file)
    return name


class Planner:
    async def plan(self, message, context):
        return Plan(
            Call("one", act, {"name": f"{message.text} 1"}),
            Call("two", act, {"name": f"{message.text} 2"}, after=["one"]),
        )

    async def adapt(self, message, results, context):
        return None


async def respond(message, results, context):
    before = [request.message.text for request in context.superseded]
    return f"done: {message.text}, {results['one'].status}, after {before}"


assistant = Assistant(planner=Planner(), responder=respond, tools=[act])
'''


@attrs.define(eq=False)
class Lines:
    """What a process writes, line by line, without waiting for ever."""

    process: subprocess.Popen[bytes]
    descriptor: int
    seen: list[str] = attrs.field(factory=list)
    _rest: bytes = b""

    def next(self) -> str:
        give_up_at = time.monotonic() + HANG_SECONDS
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.descriptor], [], [], max(0, give_up_at - time.monotonic()))
            chunk = os.read(self.descriptor, 65_536) if ready else b""
            assert chunk, f"no more lines after {self.seen[-20:]} {self._rest!r}"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        self.seen.append(line.decode())
        return self.seen[-1]

    def wait_for(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next line, JSON, that matches."""
        while True:
            line = json.loads(self.next())
            if matches(line):
                return line


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process for the length of the block, and no longer."""
    with process:
        try:
            yield
        finally:
            process.kill()


@pytest.fixture
def graph() -> Iterator[Lines]:
    """The Graph API's process; its first line, the address, is read."""
    script = Path(__file__).with_name("graph_server.py")
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with running(process):
        lines = Lines(process, process.stdout.fileno())
        lines.next()
        yield lines


@attrs.define(eq=False)
class Server:
    """A server process that serves, and who calls it."""

    process: subprocess.Popen[bytes]
    log: Lines
    url: str

    def post(self, *messages: tuple[str, str]) -> int:
        """Post messages, each an id and a text, in one signed body; returns the status."""
        body = body_of(*messages)
        headers = {SIGNATURE_HEADER: sign(body, SECRET)}
        url = f"{self.url}/webhook/whatsapp"
        return httpx2.post(
            url, content=body, headers=headers, timeout=HANG_SECONDS, trust_env=False
        ).status_code

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}{path}", timeout=HANG_SECONDS, trust_env=False)

    def wait_for(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next line of the log with this event and these fields."""
        return self.log.wait_for(
            lambda line: (
                line["event"] == event and all(line.get(name) == value for name, value in fields.items())
            )
        )

    def stop(self) -> int:
        """Tell it to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG_SECONDS)


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MIDSTREAM_", "WHATSAPP_"))
    }
    return subprocess.Popen(
        [sys.executable, "-m", "web", "serve"],
        cwd=folder,
        env=clean | {"MIDSTREAM_BIND": "127.0.0.1:0"} | environment,
        stderr=subprocess.PIPE,
    )


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Server]:
    """A server in this folder, on a port of its own."""
    process = start(folder, **environment)
    assert process.stderr is not None
    with running(process):
        log = Lines(process, process.stderr.fileno())
        url = log.wait_for(lambda line: line["event"] == "serving")["url"]
        yield Server(process, log, url)


@contextmanager
def serving_bot(folder: Path, graph: Lines, **environment: str) -> Iterator[Server]:
    """A server with the bot above, and the Graph API in the other process."""
    (folder / "bot.py").write_text(BOT)
    whatsapp = CREDENTIALS | {"WHATSAPP_GRAPH_URL": f"{graph.seen[0]}/v26.0"}
    with serving(folder, MIDSTREAM_ASSISTANT="bot:assistant", **whatsapp, **environment) as server:
        yield server


def body_of(*messages: tuple[str, str]) -> bytes:
    items = [
        {"from": ANNA, "id": id, "timestamp": "1700000000", "type": "text", "text": {"body": text}}
        for id, text in messages
    ]
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "messages": items}}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    ).encode()


def says(text: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line.get("type") == "text" and line["text"]["body"] == text


def acts(folder: Path) -> list[str]:
    """What the bot's calls did to the world."""
    file = folder / "acts"
    return file.read_text().splitlines() if file.exists() else []


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{folder / 'midstream.db'}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


# The main job -------------------------------------------------------------------------------------


def test_a_changed_mind_over_real_sockets(tmp_path, graph) -> None:
    """P1, P2, P3, P7, P9: the wave finishes, nothing after it starts, the user is told once, the new request
    begins with what was learnt."""
    with serving_bot(tmp_path, graph) as server:
        assert server.post(("m1", "Hanukkah")) == 200
        server.wait_for("wave_started", wave=1)
        assert server.post(("m2", "Passover")) == 200
        graph.wait_for(says("Got it! Switching to your new request..."))  # while the wave still runs
        assert acts(tmp_path) == []
        (tmp_path / "gate").touch()
        graph.wait_for(says("done: Passover, succeeded, after ['Hanukkah']"))
        assert server.stop() == 0
    assert acts(tmp_path) == ["Hanukkah 1", "Passover 1", "Passover 2"]
    sent = [json.loads(line) for line in graph.seen[1:]]
    assert {(line["path"], line["token"]) for line in sent} == {
        ("/v26.0/106540352242922/messages", "Bearer EAAtoken")
    }
    assert [line["text"]["body"] for line in sent if line.get("type") == "text"] == [
        "Got it! Switching to your new request...",
        "done: Passover, succeeded, after ['Hanukkah']",
    ]
    log = "\n".join(server.log.seen)
    assert ANNA not in log
    assert not any(secret in log for secret in (SECRET, "EAAtoken", "the verify token"))


def test_the_policy_that_is_set_decides_over_real_sockets(tmp_path, graph) -> None:
    """Under reject the running request is answered, and what came meanwhile refused, once."""
    with serving_bot(tmp_path, graph, MIDSTREAM_POLICY="reject") as server:
        assert server.log.seen[0].count('"policy":"reject"') == 1
        assert server.post(("m1", "Hanukkah")) == 200
        server.wait_for("wave_started", wave=1)
        assert server.post(("m2", "Passover")) == 200
        graph.wait_for(lambda line: "still working" in line.get("text", {}).get("body", ""))
        (tmp_path / "gate").touch()
        graph.wait_for(says("done: Hanukkah, succeeded, after []"))
        assert server.stop() == 0
    assert rows(tmp_path, "SELECT id, fate FROM messages ORDER BY sequence") == [
        ("m1", "answered"),
        ("m2", "rejected"),
    ]


def test_a_stop_word_of_ones_own_stops_over_real_sockets(tmp_path, graph) -> None:
    """P2, P3: the wave finishes, nothing follows, and what was done is told; in the words of the file."""
    (tmp_path / "texts.toml").write_text('[es]\nstopped = "Vale."\nstop_words = ["alto"]\n')
    with serving_bot(tmp_path, graph, MIDSTREAM_TEXTS="texts.toml") as server:
        assert server.post(("m1", "Hanukkah")) == 200
        server.wait_for("wave_started", wave=1)
        assert server.post(("m2", "¡Alto!")) == 200
        server.wait_for("message_accepted", sequence=2)
        (tmp_path / "gate").touch()
        graph.wait_for(says("Vale. Ya hecho: act."))
        cancelled = server.wait_for("session_cancelled")
        assert cancelled["reason"] == "user_stopped"
        assert server.stop() == 0
    assert acts(tmp_path) == ["Hanukkah 1"]
    assert "Vale" not in "\n".join(server.log.seen)  # what a user was told


def test_a_caller_that_hangs_up_is_answered_all_the_same(tmp_path, graph) -> None:
    """P5: delivery hangs on the commit; the connection may be gone by then."""
    (tmp_path / "gate").touch()
    with serving_bot(tmp_path, graph) as server:
        body = body_of(("m1", "Hanukkah"))
        head = (
            f"POST /webhook/whatsapp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"{SIGNATURE_HEADER}: {sign(body, SECRET)}\r\n\r\n"
        )
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + body)
        graph.wait_for(says("done: Hanukkah, succeeded, after []"))
        assert server.stop() == 0


def test_after_kill_9_the_work_goes_on(tmp_path, graph) -> None:
    """P5, P14: 200 means that it is on disk, and what is on disk is worked on by the next process."""
    with serving_bot(tmp_path, graph) as server:
        assert server.post(("m1", "Hanukkah")) == 200
        server.wait_for("wave_started", wave=1)
        server.process.kill()
        server.process.wait(HANG_SECONDS)
    (tmp_path / "gate").touch()
    with serving_bot(tmp_path, graph) as server:  # the file is whole, and nobody owns it any more
        resumed = server.wait_for("session_resumed")
        assert resumed["crashes"] == 1
        graph.wait_for(says("done: Hanukkah, unknown, after []"))
        assert server.post(("m1", "Hanukkah")) == 200  # redelivered: of no effect
        assert server.stop() == 0
    assert acts(tmp_path) == []  # what may have acted is not made again
    assert rows(tmp_path, "SELECT id, fate FROM messages") == [("m1", "answered")]


def test_an_idle_connection_is_closed(tmp_path) -> None:
    """Kept-alive connections that nobody uses would add up, and hold every shutdown."""
    with serving(tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=HANG_SECONDS) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200")
        assert server.stop() == 0


# The end ------------------------------------------------------------------------------------------


def test_sigterm_lets_the_wave_finish_and_still_stores_what_comes(tmp_path, graph) -> None:
    """The drain: not ready, nothing new starts, exit 0."""
    with serving_bot(tmp_path, graph) as server:
        server.post(("m1", "Hanukkah"))
        server.wait_for("wave_started", wave=1)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("drain_started")
        assert server.get("/readyz").status_code == 503
        assert server.post(("m2", "Passover")) == 200
        (tmp_path / "gate").touch()
        server.wait_for("session_suspended", reason="shutdown")
        assert server.process.wait(HANG_SECONDS) == 0
    assert acts(tmp_path) == ["Hanukkah 1"]
    assert rows(tmp_path, "SELECT id FROM messages WHERE fate IS NULL ORDER BY sequence") == [
        ("m1",),
        ("m2",),
    ]
    assert not [line for line in graph.seen[1:] if json.loads(line).get("type") == "text"]


def test_sighup_reads_what_an_operator_put_into_the_outbox(tmp_path, graph) -> None:
    """A dead letter brought back goes out without a restart."""
    with serving_bot(tmp_path, graph) as server:
        with sqlite3.connect(tmp_path / "midstream.db") as operator:
            operator.execute(
                "INSERT INTO outbox (sequence, id, user_id, kind, text, operation_id, message_id, state,"
                " attempts, provider_id, error)"
                " VALUES (1000, 'r', ?, 'reply', 'late', '', '', 'pending', 0, '', '')",
                (ANNA,),
            )
        operator.close()
        server.process.send_signal(signal.SIGHUP)
        graph.wait_for(says("late"))
        assert server.stop() == 0


def test_a_second_signal_exits_at_once(tmp_path, graph) -> None:
    """Whoever will not wait for the wave need not."""
    with serving_bot(tmp_path, graph, MIDSTREAM_GRACE_SECONDS="1000") as server:
        server.post(("m1", "Hanukkah"))
        server.wait_for("wave_started", wave=1)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("drain_started")
        assert server.stop() == 128 + signal.SIGTERM


def test_a_signal_while_starting_just_ends_the_start(tmp_path) -> None:
    """Another process still owns the database: waiting for it can be ended."""
    with serving(tmp_path) as owner:
        second = start(tmp_path)
        assert second.stderr is not None
        with running(second):
            log = Lines(second, second.stderr.fileno())
            log.wait_for(lambda line: line["event"] == "waiting for the database")
            second.send_signal(signal.SIGINT)
            assert second.wait(HANG_SECONDS) == 0
        assert owner.stop() == 0


# The start ----------------------------------------------------------------------------------------


def refusal(folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a server that cannot start, and the last line it says."""
    process = start(folder, **environment)
    _, said = process.communicate(timeout=HANG_SECONDS)
    assert b"Traceback" not in said
    return process.returncode, said.decode().splitlines()[-1]


def test_a_wrong_setting_is_refused_in_one_line(tmp_path) -> None:
    """By the name of its variable, before anything is begun."""
    code, line = refusal(tmp_path, MIDSTREAM_WAVE_SECONDS_MAX="soon")
    assert code == 2
    assert line.startswith("midstream: MIDSTREAM_WAVE_SECONDS_MAX: ")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_texts_that_cannot_be_used_is_refused_in_one_line(tmp_path) -> None:
    """Before anything is begun: a word that does not stop would be noticed too late."""
    (tmp_path / "texts.toml").write_text('[es]\nstop_word = ["alto"]\n')
    code, line = refusal(tmp_path, MIDSTREAM_TEXTS="texts.toml")
    assert code == 2
    assert line.startswith(
        "midstream: MIDSTREAM_TEXTS: 'texts.toml' [es] stop_word: there is no such text; there are: "
    )
    assert [path.name for path in tmp_path.iterdir()] == ["texts.toml"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bot", "is neither almanac nor of the form module:attribute"),
        ("nowhere:assistant", "nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("broken:assistant", "broken cannot be imported: ZeroDivisionError: division by zero"),
        ("unreadable:assistant", "unreadable cannot be imported: SyntaxError: "),
        ("bot:nothing", "there is no nothing in bot"),
        ("bot:Planner", "bot:Planner is of type type; it must be an Assistant"),
    ],
)
def test_an_assistant_that_cannot_be_loaded_is_refused_in_one_line(tmp_path, name, says) -> None:
    """Whatever is wrong with its module; the line tells its author where."""
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "broken.py").write_text("\n1 / 0\n")
    (tmp_path / "unreadable.py").write_text("this is no Python\n")
    code, line = refusal(tmp_path, MIDSTREAM_ASSISTANT=name)
    assert code == 2
    assert line.startswith("midstream: MIDSTREAM_ASSISTANT: ")
    assert says in line
    if name.startswith("broken"):
        assert line.endswith("broken.py, line 2)")


def test_an_address_in_use_is_refused_in_one_line(tmp_path) -> None:
    """The other program keeps it; the database is not even opened."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, line = refusal(tmp_path, MIDSTREAM_BIND=f"127.0.0.1:{port}")
    assert code == 2
    assert line == (
        f"midstream: MIDSTREAM_BIND: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "choose another address"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_use_is_refused_in_one_line(tmp_path) -> None:
    """Two processes on one database would run everything twice."""
    with serving(tmp_path) as owner:
        code, line = refusal(tmp_path)
        assert owner.stop() == 0
    assert code == 1
    assert line.startswith("midstream: MIDSTREAM_DATABASE: midstream.db is in use by process ")


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path) -> None:
    """And left as it is."""
    (tmp_path / "midstream.db").write_text("my diary\n" * 1000)
    code, line = refusal(tmp_path)
    assert code == 1
    assert line.startswith("midstream: MIDSTREAM_DATABASE: midstream.db cannot be used as a database: ")
    assert (tmp_path / "midstream.db").read_text() == "my diary\n" * 1000


# Local mode ---------------------------------------------------------------------------------------


def test_local_mode_says_so_and_answers_the_page(tmp_path) -> None:
    """No credentials: a phone in the browser, through the same webhook, client and outbox."""
    with serving(tmp_path, MIDSTREAM_PACE_SECONDS="0") as server:
        page = server.get("/")
        assert page.headers["Content-Type"].startswith("text/html")
        assert '<button type="button">Check Hanukkah</button>' in page.text
        draft = {"user": ANNA, "key": "k1", "text": "Actually Passover"}
        accepted = httpx2.post(
            f"{server.url}/local/messages", json=draft, timeout=HANG_SECONDS, trust_env=False
        )
        assert accepted.json() == {"state": "accepted", "reason": ""}
        with httpx2.stream(
            "GET", f"{server.url}/local/events?user={ANNA}", timeout=HANG_SECONDS, trust_env=False
        ) as events:
            for line in events.iter_lines():
                if "Passover" in line and "sunset" in line.lower():
                    break
        assert server.stop() == 0
