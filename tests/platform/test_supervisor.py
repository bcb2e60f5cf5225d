"""The supervisor with stand-ins for web, worker and beat: real processes, no Django."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import supervisor

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
WEB = """
import http.server, socket, sys
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
server = http.server.HTTPServer(("", 0), Ok, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""
# Deaf to TERM, like its child: only the guard's KILL ends them.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[2:] != ["child"]:
    subprocess.Popen([*sys.orig_argv, "child"])
time.sleep(600)
"""
MAIN = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
import supervisor
supervisor.PATIENCE = 2
door = socket.create_server(("127.0.0.1", 0))
open(sys.argv[2] + "/port", "w").write(str(door.getsockname()[1]))
env = {**os.environ, "DATA": sys.argv[2]}
python, mark = sys.executable, sys.argv[2]
parts = [
    supervisor.Part("web", [python, "-c", sys.argv[3], str(door.fileno()), mark], env, door),
    supervisor.Part("worker", [python, "-c", sys.argv[4], mark], env),
]
say = lambda text: print(text, flush=True)
try:
    sys.exit(supervisor.Supervisor(parts, door, say).run(lambda: say("up")))
except supervisor.Trouble as trouble:
    sys.exit(str(trouble))
"""


def alive(mark: Path) -> list[int]:
    """Return the processes that carry the mark, the supervisor and its guard among them."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(row[0]) for row in rows if len(row) == 3 and str(mark) in row[2] and not row[1].startswith("Z")]


def gone(mark: Path, within: float) -> bool:
    """Wait until nothing that carries the mark is left."""
    until = time.monotonic() + within
    while alive(mark) and time.monotonic() < until:
        time.sleep(0.1)
    return not alive(mark)


@pytest.fixture
def start(tmp_path):
    """Start a supervisor over a page and a worker, and end whatever a failed test leaves."""
    (tmp_path / "logs").mkdir()
    started = []

    def begin(worker: str = STUBBORN, web: str = WEB) -> subprocess.Popen:
        command = [sys.executable, "-c", MAIN, str(ROOT), str(tmp_path), web, worker]
        env = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            # Where the suite runs by nohup, its programs would not hear this signal.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for pid in alive(tmp_path):
        os.kill(pid, signal.SIGKILL)
    for process in started:
        process.communicate()


def test_a_killed_supervisor_leaves_nobody_behind_not_even_the_children_of_its_parts(start, tmp_path):
    process = start()
    assert process.stdout.readline() == "up\n"
    until = time.monotonic() + 20  # the worker's child starts a moment after it
    while len(alive(tmp_path)) < 5 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(alive(tmp_path)) == 5  # supervisor, guard, web, worker and the worker's child
    process.kill()
    assert gone(tmp_path, within=12)


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel tells a process that its parent died")
def test_on_linux_parts_end_even_when_the_guard_is_killed_too(start, tmp_path):
    process = start(worker="import time; time.sleep(600)")
    assert process.stdout.readline() == "up\n"
    guard = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()[0]
    os.kill(int(guard), signal.SIGKILL)
    process.kill()
    assert gone(tmp_path, within=12)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asking_for_the_end_stops_all_parts_and_is_no_failure(start, tmp_path, number):
    process = start()
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    said, complaints = process.communicate(timeout=15)
    assert process.returncode == 0
    assert said.splitlines() == ["Stopping ...", "Baton has stopped."]
    assert complaints == ""
    assert gone(tmp_path, within=2)


def test_a_part_that_dies_is_started_again_and_said_in_a_line(start, tmp_path):
    process = start(worker="import sys; sys.exit(3)")
    lines = [process.stdout.readline() for _ in range(3)]
    falls = [line for line in lines if line != "up\n"]
    assert "The worker ended by itself (exit code 3); again in 1 s. Log: " in falls[0]
    assert "again in 2 s" in falls[1]


def test_children_of_a_part_that_died_do_not_linger(start, tmp_path):
    process = start()
    assert process.stdout.readline() == "up\n"
    child, until = 0, time.monotonic() + 20  # it starts a moment after its parent
    while not child and time.monotonic() < until:
        family = [pid for pid in alive(tmp_path) if "time.sleep(600)" in command_of(pid)]
        leader = min(pid for pid in family if os.getpgid(pid) == pid)
        child = next((pid for pid in family if pid != leader and os.getpgid(pid) == leader), 0)
    os.kill(leader, signal.SIGKILL)
    assert "The worker ended by itself (killed by signal 9)" in process.stdout.readline()
    until = time.monotonic() + 3  # a killed process takes a moment to go
    while child in alive(tmp_path):
        assert time.monotonic() < until


def command_of(pid: int) -> str:
    """Return a process's command line, without the supervisor's own, which holds all programs."""
    told = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
    return "" if "import supervisor" in told else told


def test_pages_that_do_not_start_end_the_start_with_a_sentence(start, tmp_path):
    process = start(web="import sys; sys.exit(1)")
    _, complaints = process.communicate(timeout=15)
    assert process.returncode == 1
    assert complaints.startswith("Baton's pages can't be started (exit code 1). The end of ")
    assert "Traceback" not in complaints
    assert gone(tmp_path, within=2)


def part(folder: Path, program: str = "pass") -> supervisor.Part:
    """Return one part with its log folder."""
    (folder / "logs").mkdir(exist_ok=True)
    return supervisor.Part("worker", [sys.executable, "-c", textwrap.dedent(program)], {"DATA": str(folder)})


def test_restarts_slow_down_and_a_long_life_forgives(tmp_path):
    worker = part(tmp_path)
    waits = []
    for _ in range(7):
        worker.start()
        worker.process.wait()
        worker.fall()
        waits.append(round(worker.due - time.monotonic()))
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    worker.start()
    worker.process.wait()
    worker.began -= 61
    worker.fall()
    assert round(worker.due - time.monotonic()) == 1


def test_a_log_is_cut_off_while_the_part_goes_on_writing_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    worker = part(tmp_path, "import sys; print('a long first line', flush=True); sys.stdin.read(); print('more')")
    worker.start()
    worker.process.wait()
    worker.trim_log()
    assert worker.log.read_text() == ""
    assert "a long first line" in worker.log.with_suffix(".log.1").read_text()
    worker.start()
    worker.process.wait()
    assert "a long first line" in worker.log.read_text()


def test_a_lock_is_free_again_as_soon_as_its_holder_ends(tmp_path):
    held = supervisor.lock(tmp_path / "lock")
    assert held is not None
    assert supervisor.lock(tmp_path / "lock") is None
    os.close(held)
    again = supervisor.lock(tmp_path / "lock")
    assert again is not None
    os.close(again)


def test_the_door_stays_open_while_the_web_part_starts_again(start, tmp_path):
    process = start(worker="import time; time.sleep(600)")
    assert process.stdout.readline() == "up\n"
    web = next(pid for pid in alive(tmp_path) if "serve_forever" in command_of(pid))
    port = int((tmp_path / "port").read_text())
    os.kill(web, signal.SIGKILL)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as visitor:
        visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200" in visitor.recv(100)
