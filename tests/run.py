"""Run every check and the whole suite, and say at the end what was left out: what `make test` does."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from tests import servers

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
OURS = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "PUBLIC_URL", "HOST", "PORT", "SECRET_KEY", "MAKELEVEL", "MAKEFLAGS")
# Hundreds of processes start; with this each of them would compile all of the code again.
AFRESH = ("PYTHONDONTWRITEBYTECODE",)
CODE = ["funnel", "marketing", "sales"]
CHECKS = {
    "ruff check": ["ruff", "check", "--output-format", "concise", "."],
    "ruff format": ["ruff", "format", "--check", "--output-format", "concise", "."],
    "mypy": ["mypy", *CODE, "start.py", "supervisor.py", "tests/run.py", "tests/servers.py"],
    "import-linter": ["lint-imports", "--no-cache"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
}
LONGEST = 20 * 60
# One more than there are cores: where an installation is started or broken, half of the time is waiting.
AT_ONCE = "3"
# Under this name each pass finds the tables that it copies.
RUN = secrets.token_hex(16)


@dataclass
class Tally:
    """What happened so far."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, why: str, names: list[str]) -> None:
        """Remember tests that did not run, and why."""
        if names:
            self.left_out.setdefault(why, []).extend(names)

    def close(self) -> int:
        """Print what was left out and the closing line; return the exit code."""
        skipped = sum(len(names) for names in self.left_out.values())
        for why, names in self.left_out.items():
            print(f"\nLeft out, {len(names)}: {why}")
            for name in sorted(set(names)):
                print(f"  {name}")
        if self.failed:
            print("\nFailed:")
            for name in self.failed:
                print(f"  {name}")
        strict = os.environ.get("CI") == "true" and skipped > 0
        if strict:
            print("\nHere (CI=true) nothing may be left out.")
        print(f"\n{self.passed} passed, {len(self.failed)} failed, {skipped} skipped")
        return 1 if self.failed or strict else 0


def environment(data: str, **more: str) -> dict[str, str]:
    """Return an environment in which nothing of this machine's own settings reaches the tests."""
    return {**{name: value for name, value in os.environ.items() if name not in OURS + AFRESH}, "DATA": data, **more}


def checks(tally: Tally, env: dict[str, str]) -> None:
    """Run the checks that need no test, side by side."""
    running = {
        name: subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in CHECKS.items()
    }
    for name, process in running.items():
        output, _ = process.communicate()
        if process.returncode:
            tally.failed.append(name)
            print(f"{name}: failed\n{output}")
        else:
            tally.passed += 1
            print(f"{name}: ok")
        sys.stdout.flush()


def tables(env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Begin to make what a pass copies, which else keeps all of its processes waiting for the one that makes it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stack"], cwd=ROOT, env={**env, "PYTEST_XDIST_TESTRUNUID": RUN}
    )


def names(env: dict[str, str], which: str, arguments: list[str]) -> list[str]:
    """Return the names of the tests that a marker expression chooses, without running them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", which, *arguments]
    output = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True).stdout
    return [line for line in output.splitlines() if "::" in line]


def suite(tally: Tally, title: str, which: str, env: dict[str, str], arguments: list[str]) -> None:
    """Run the chosen tests and count them."""
    print(f"\n{title}", flush=True)
    began = time.monotonic()
    report = Path(env["DATA"]) / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        AT_ONCE,
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        "--testrunuid",
        RUN,
        "-m",
        which,
        f"--junitxml={report}",
        *arguments,
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        tally.failed.append(f"{title}: not finished after {LONGEST // 60} minutes")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode not in ((0, 1, 5) if arguments else (0, 1)):  # 5: nothing was chosen
        tally.failed.append(f"{title}: pytest ended with code {process.returncode}")
    if report.is_file():
        count(tally, title, report)
    print(f"{title}: {time.monotonic() - began:.0f} s", flush=True)


def count(tally: Tally, title: str, report: Path) -> None:
    """Add one pytest report to the tally; a test that also fails in its clearing up counts once."""
    outcomes: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')} ({title})"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcomes[name] = "failed"
        elif skipped is not None:
            outcomes.setdefault(name, f"left out: {skipped.get('message', '')}")
        else:
            outcomes.setdefault(name, "passed")
    for name, outcome in outcomes.items():
        if outcome == "failed":
            tally.failed.append(name)
        elif outcome == "passed":
            tally.passed += 1
        else:
            tally.leave_out(outcome.removeprefix("left out: "), [name])


def main(arguments: list[str]) -> int:
    """Run all; with arguments, only what they choose of the tests, on both databases; with `faults` those alone."""
    tally = Tally()
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    only = "" if browser else " and not browser"
    asked = ""
    if arguments[:1] == ["faults"]:
        asked, arguments = " and faults", arguments[1:] or ["tests/faults"]
    missing = [name for name in ("initdb", "postgres", "redis-server") if not servers.program(name)]
    with tempfile.TemporaryDirectory(prefix="baton-tests-") as folder, contextlib.ExitStack() as started:
        plain = environment(f"{folder}/sqlite")
        both = environment(f"{folder}/postgres")
        for env in (plain, both):
            Path(env["DATA"]).mkdir()
        if not missing:
            both["DATABASE_URL"] = started.enter_context(servers.postgres())
            both["REDIS_URL"] = started.enter_context(servers.redis())
        if not arguments:
            made = [tables(env) for env in ((plain,) if missing else (plain, both))]
            checks(tally, plain)
            if sum(process.wait() for process in made):
                tally.failed.append("the tables that the passes copy could not be made")
        suite(tally, "SQLite", f"not postgres{only}{asked}", plain, arguments)
        if not browser:
            tally.leave_out("chromium is not installed", names(plain, f"browser and not postgres{asked}", arguments))
        if missing:
            why = f"on PostgreSQL + Redis: {' and '.join(missing)} not installed"
            tally.leave_out(why, names(plain, f"not once{asked}", arguments))
        else:
            suite(tally, "PostgreSQL + Redis", f"not once{only}{asked}", both, arguments)
            if not browser:
                tally.leave_out("chromium is not installed", names(plain, f"browser and not once{asked}", arguments))
    return tally.close()


def stop(_number: int, _frame: object) -> None:
    """End as by Ctrl-C, so that the instances are stopped."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    print("\nStopped before the end.", file=sys.stderr)
    sys.exit(1)
