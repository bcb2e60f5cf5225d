"""`make run` as a person meets it: the sentences when something is wrong, and the whole of it running."""

import ast
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings

from tests import servers
from tests.run import environment
from tests.stack import tables

ROOT = Path(__file__).resolve().parents[2]


def run(data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start Baton where it can't start and return what it said."""
    env = environment(str(data), **{"PORT": str(servers.free_port()), **settings})
    return subprocess.run(
        [sys.executable, "start.py", "run"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Assert that the start was refused in one sentence, and return it."""
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


# What is wrong is said in a sentence -------------------------------------------------------------------------------


@pytest.mark.once
def test_an_older_python_gets_a_sentence():
    program = "import runpy, sys; sys.version_info = (3, 9, 18); runpy.run_path('start.py')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert refused(done).startswith("Baton needs Python 3.11 or newer, and this is 3.9.")


@pytest.mark.once
def test_an_older_python_can_read_the_file_at_all():
    ast.parse((ROOT / "start.py").read_text(), feature_version=(3, 6))


@pytest.mark.once
@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80 80"])
def test_a_port_that_is_none_is_named(tmp_path, port):
    assert refused(run(tmp_path, PORT=port)).startswith(f"PORT is '{port}'")


@pytest.mark.once
def test_a_port_in_use_is_named_and_another_proposed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(run(tmp_path, PORT=str(port))) == (
            f"Port {port} is in use by another program. Choose another: make run PORT={port + 1}"
        )


@pytest.mark.once
def test_a_host_that_is_not_this_machine_is_named(tmp_path):
    assert refused(run(tmp_path, HOST="192.0.2.7")).startswith("Baton can't listen on 192.0.2.7")
    assert "no address of this machine" in refused(run(tmp_path, HOST="no such host"))


@pytest.mark.once
def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    read_only = Path("/proc") if os.geteuid() == 0 else tmp_path  # root may write where the mode forbids it
    tmp_path.chmod(0o500)
    try:
        said = refused(run(read_only / "data"))
    finally:
        tmp_path.chmod(0o700)
    assert said.startswith(f"Baton can't write in its data folder {read_only / 'data'} (")


@pytest.mark.once
def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "data").write_text("")
    assert refused(run(tmp_path / "data")).startswith(f"Baton can't write in its data folder {tmp_path / 'data'} (")


@pytest.mark.once
def test_a_database_that_nobody_answers_at_is_named_without_its_password(tmp_path):
    port = servers.free_port()
    said = refused(run(tmp_path, DATABASE_URL=f"postgres://baton:hush@127.0.0.1:{port}/baton"))
    assert said.startswith(f"The database at 127.0.0.1, port {port} can't be reached (Connection refused).")
    assert "hush" not in said


@pytest.mark.once
@pytest.mark.parametrize("url", ["postgres://baton@host:port/baton", "oracle://host/baton", "baton"])
def test_a_database_url_that_can_not_be_read_is_named(tmp_path, url):
    assert refused(run(tmp_path, DATABASE_URL=url)).startswith("DATABASE_URL can't be read; write it like postgres://")


@pytest.mark.once
def test_a_setting_with_a_bad_value_is_named(tmp_path):
    said = refused(run(tmp_path, PUBLIC_URL="crm.example.com"))
    assert said.startswith("PUBLIC_URL is 'crm.example.com'; write it like https://")


@pytest.mark.once
def test_a_database_that_refuses_is_told_in_its_own_words(tmp_path):
    said = refused(run(tmp_path, DATABASE_URL="sqlite:////proc/baton.sqlite3"))
    assert said.startswith("Preparing the database did not work: unable to open database file")


@pytest.mark.once
def test_an_unknown_word_is_answered_with_the_known_ones():
    done = subprocess.run([sys.executable, "start.py", "walk"], cwd=ROOT, capture_output=True, text=True)
    assert refused(done) == "Use: start.py run, start.py test, or start.py faults"


# The whole of it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stores():
    """Make the settings of the present pass: none on SQLite, else a database of this test's own and the broker."""
    url, made = os.environ.get("DATABASE_URL", ""), []

    def sql(statement: str) -> None:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def make(template: str) -> dict[str, str]:
        if not url:
            return {}
        if not made:
            made.append(f"start_{secrets.token_hex(4)}")
            sql(f'CREATE DATABASE {made[0]} TEMPLATE "{template or "template1"}"')
        broker = urlsplit(os.environ["REDIS_URL"])._replace(path="/7").geturl()
        return {"DATABASE_URL": urlsplit(url)._replace(path=f"/{made[0]}").geturl(), "REDIS_URL": broker}

    yield make
    for name in made:
        sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def start(tmp_path, stores):
    """Start Baton for real, wait until it says how to stop, and end whatever a failed test leaves."""
    started = []

    def begin(*, new: bool = True) -> tuple[subprocess.Popen, dict[str, str], str]:
        template = ""
        if not new:  # as if it had run before: to make the tables and play a quarter takes longer than all the rest
            mould, template = tables(settings.DATA / "moulds", os.environ.get("DATABASE_URL", ""))
            shutil.copytree(mould, tmp_path / "data")
        given = stores(template)
        if not new:
            made = hashlib.sha256(given.get("DATABASE_URL", "").encode()).hexdigest()
            (tmp_path / "data" / "demo-made").write_text(made)
        env = environment(str(tmp_path / "data"), PORT=str(servers.free_port()), **given)
        process = subprocess.Popen(
            [sys.executable, "start.py", "run"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        said = ""
        for line in process.stdout:
            said += line
            if "To stop:" in line:
                break
        else:
            logs = "".join(log.read_text() for log in (tmp_path / "data" / "logs").glob("*.log"))
            raise AssertionError(said + logs)
        return process, env, said

    yield begin
    for pid in ours(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in started:
        process.kill()
        process.communicate()


def ours(folder: Path) -> list[int]:
    """Return all processes that were started for this data folder, found by their environment."""
    mark = f"DATA={folder / 'data'}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def gone(folder: Path, within: float) -> bool:
    """Wait until no process of this data folder is left."""
    until = time.monotonic() + within
    while ours(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return not ours(folder)


def get(env: dict[str, str], path: str) -> tuple[int, str]:
    """Return status and text of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{env['PORT']}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until_ready(env: dict[str, str], within: float) -> str:
    """Wait until /readyz is content, and return the last it said."""
    until = time.monotonic() + within
    while (answer := get(env, "/readyz"))[0] != 200:
        assert time.monotonic() < until, answer[1]
        time.sleep(0.2)
    return answer[1]


@pytest.mark.skipif(sys.platform != "linux", reason="the processes are found through /proc")
class TestRunning:
    def test_it_runs_tells_how_to_get_in_and_stops_when_asked(self, start, tmp_path):
        process, env, said = start()
        assert f"Baton is running: http://127.0.0.1:{env['PORT']}" in said
        assert len(re.findall(r"^  (Owner|Marketer|Rep) +\S+@\S+ +password \S{10,}$", said, re.MULTILINE)) == 4
        logins = tmp_path / "data" / "demo-logins.json"
        assert logins.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "data").glob("*.sqlite3"))
        assert all(login["password"] in said for login in json.loads(logins.read_text())["logins"])
        assert get(env, "/healthz")[0] == 200
        until_ready(env, within=60)

        assert "Baton already runs on the data in" in refused(run(tmp_path / "data"))

        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert rest.splitlines() == ["Stopping ...", "Baton has stopped."]
        assert gone(tmp_path, within=2)

        second, _, again = start()
        assert "Installing" not in again
        assert "Making a demo" not in again
        assert re.findall("password .*", again) == re.findall("password .*", said)
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=60)
        assert second.returncode == 0
        assert gone(tmp_path, within=2)

    def test_killed_outright_it_leaves_no_orphan(self, start, tmp_path):
        process, env, _ = start(new=False)
        until_ready(env, within=60)
        assert len(ours(tmp_path)) >= 6  # supervisor, guard, web and its two, worker, beat
        process.kill()
        assert gone(tmp_path, within=15)

    def test_a_killed_worker_comes_back_by_itself(self, start, tmp_path):
        process, env, _ = start(new=False)
        until_ready(env, within=60)
        worker = next(pid for pid in ours(tmp_path) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.killpg(os.getpgid(worker), signal.SIGKILL)
        assert "The worker ended by itself (killed by signal 9)" in process.stdout.readline()
        until = time.monotonic() + 20
        while not [pid for pid in ours(tmp_path) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]:
            assert time.monotonic() < until
            time.sleep(0.1)
