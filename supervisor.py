"""Keep Baton's three parts running: start, restart, stop, and leave nothing behind.

Two things see to it that no part outlives the supervisor, even after kill -9. On Linux the kernel sends each part a
TERM when its parent dies. And a guard, a fork of the supervisor that reads a pipe which only the supervisor holds
open, ends every process group when the pipe closes: it reaches the parts' own children too, and works elsewhere.
"""

import contextlib
import ctypes
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 15.0  # seconds that a part has to finish what it is doing
UP_WITHIN = 90.0  # seconds until the web part must have answered once
LOG_BYTES = 5_000_000
SLOWEST_RESTART = 30.0
SET_PDEATHSIG = 1  # from linux/prctl.h

LIBC = ctypes.CDLL(None)


class Trouble(Exception):
    """What stops the start, as a sentence for a person."""


def lock(path: Path, patience: float = 0.0) -> int | None:
    """Return the handle of a locked file, or None when another process keeps the lock for longer than `patience`."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(handle)
                return None
            time.sleep(0.1)


def end_with_parent() -> None:
    """Have the kernel send this process a TERM when its parent dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        LIBC.prctl(SET_PDEATHSIG, signal.SIGTERM)


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; say whether anybody of it was there."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


class Guard:
    """A process that outlives the supervisor just long enough to end what that left running."""

    def __init__(self, door: socket.socket) -> None:
        source, self.pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.pipe)
                door.close()
                self._watch(source)
            finally:
                os._exit(0)
        os.close(source)

    def tell(self, sign: str, group: int) -> None:
        """Report that a group began (+) or ended (-)."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipe, f"{sign}{group}\n".encode())

    def close(self) -> None:
        """Let the guard go; it ends whatever is still reported as running."""
        os.close(self.pipe)
        os.waitpid(self.pid, 0)

    @staticmethod
    def _watch(source: int) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        groups: set[int] = set()
        with os.fdopen(source) as lines:
            for line in lines:
                (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
        for group in groups:
            signal_group(group, signal.SIGTERM)
        until = time.monotonic() + 5
        while time.monotonic() < until and any(signal_group(group, 0) for group in groups):
            time.sleep(0.1)
        for group in groups:
            signal_group(group, signal.SIGKILL)


class Part:
    """One of web, worker and beat: its command, its log and its present process."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], door: socket.socket | None = None) -> None:
        self.name, self.command, self.env, self.door = name, command, env, door
        self.log = Path(env["DATA"]) / "logs" / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.began = self.due = time.monotonic()
        self.falls = 0

    def start(self) -> int:
        """Start the process in a group of its own and return the group."""
        supervisor = os.getpid()

        def begin() -> None:
            end_with_parent()
            if os.getppid() != supervisor:  # it died before the kernel could be asked
                os._exit(1)

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=Path(__file__).resolve().parent,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.door.fileno()] if self.door else [],
                start_new_session=True,
                preexec_fn=begin,
            )
        self.began = time.monotonic()
        return self.process.pid

    def fall(self) -> str:
        """Note that the process ended by itself, decide when to start it again, and return why it ended."""
        assert self.process is not None
        code, now = self.process.returncode, time.monotonic()
        self.falls = 1 if now - self.began > 60 else self.falls + 1
        self.due = now + min(SLOWEST_RESTART, 2.0 ** (self.falls - 1))
        self.process = None
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def trim_log(self) -> None:
        """Keep the log and one older one, each of a bounded size; the part goes on writing to the same file."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)


class Supervisor:
    """The loop that watches over the parts."""

    def __init__(self, parts: list[Part], door: socket.socket, say: Callable[[str], None]) -> None:
        self.parts, self.door, self.say = parts, door, say
        self.asked = 0  # how often somebody asked for the end

    def run(self, welcome: Callable[[], None]) -> int:
        """Run until asked to stop; call `welcome` when the first page answers. Raises Trouble if none ever does."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._ask)
        if "MAKELEVEL" in os.environ:  # then make is the parent, and killing it must not leave the rest
            end_with_parent()
        guard = Guard(self.door)
        until, up, trimmed = time.monotonic() + UP_WITHIN, False, time.monotonic()
        try:
            while not self.asked:
                self._tend(guard, up=up)
                if not up and self._answers():
                    up = True
                    welcome()
                if not up and time.monotonic() > until:
                    raise Trouble(f"Baton's pages do not answer. The end of {self.parts[0].log} may say why.")
                if time.monotonic() - trimmed > 30:
                    trimmed = time.monotonic()
                    for part in self.parts:
                        part.trim_log()
                time.sleep(0.2)
            self.say("Stopping ...")
        finally:
            self._stop(guard)
            guard.close()
        self.say("Baton has stopped.")
        return 0

    def _ask(self, _number: int, _frame: object) -> None:
        self.asked += 1

    def _tend(self, guard: Guard, *, up: bool) -> None:
        for part in self.parts:
            if part.process is not None and part.process.poll() is not None:
                signal_group(part.process.pid, signal.SIGKILL)  # what its own children left
                guard.tell("-", part.process.pid)
                why = part.fall()
                if not up and part.door:
                    raise Trouble(f"Baton's pages can't be started ({why}). The end of {part.log} says why.")
                wait = part.due - time.monotonic()
                clock = time.strftime("%H:%M:%S")
                self.say(f"{clock} The {part.name} ended by itself ({why}); again in {wait:.0f} s. Log: {part.log}")
            if part.process is None and time.monotonic() >= part.due:
                guard.tell("+", part.start())

    def _answers(self) -> bool:
        host, port = self.door.getsockname()[:2]
        open_host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        connection = http.client.HTTPConnection(open_host, port, timeout=1)
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _stop(self, guard: Guard) -> None:
        self.door.close()
        running = [part.process for part in self.parts if part.process is not None]
        for process in running:
            process.terminate()
        until, asked = time.monotonic() + PATIENCE, self.asked
        while any(process.poll() is None for process in running) and time.monotonic() < until:
            if self.asked > max(asked, 1):  # asked again: now
                break
            time.sleep(0.05)
        for process in running:
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
            guard.tell("-", process.pid)


# Threads share two heaps: with one each, as is usual, the web part holds a twentieth more.
HEAPS = {"MALLOC_ARENA_MAX": "2"}


def parts(python: Path, env: dict[str, str], door: socket.socket) -> list[Part]:
    """Return web, worker and beat as they run on one machine."""
    run = [str(python), "-m"]
    env = HEAPS | env
    door_number = f"fd://{door.fileno()}"
    # Read once for both processes, which then share it: half the memory, and neither answers before it is ready.
    web = ["gunicorn", "funnel.wsgi", "--bind", door_number, "--no-control-socket", "--worker-class", "gthread"]
    web += ["--preload", "--workers", "2", "--threads", "8", "--graceful-timeout", "10", "--timeout", "60"]
    worker = ["celery", "-A", "funnel", "worker", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    worker += ["--pool", "prefork" if env.get("REDIS_URL") else "threads", "--concurrency", "2"]
    beat = ["celery", "-A", "funnel", "beat", "--loglevel", "WARNING"]
    beat += ["--schedule", str(Path(env["DATA"]) / "beat-schedule"), "--pidfile="]
    return [
        Part("web", run + web, env, door),
        Part("worker", run + worker, env),
        Part("beat", run + beat, env),
    ]
