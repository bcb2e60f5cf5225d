"""Clients that keep a server busy: two processes of four, each with a connection of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROCESSES, CLIENTS, LONGEST = 2, 8, 7200.0
ROOT = Path(__file__).resolve().parent.parent.parent
# Stands in a body where each row needs something of its own.
OWN = "@@"


def send(
    port: int,
    path: str,
    body: str,
    *,
    seconds: float,
    tag: str,
    kind: str = "application/x-www-form-urlencoded",
    headers: dict[str, str] | None = None,
    clients: int = CLIENTS,
    rate: float = 0.0,
    each: int = 0,
) -> dict[str, Any]:
    """POST for so many seconds; give per_second, ms (a list) and refused (status: count).

    With a `rate` so many a second in all, each timed from when it was due; without one as fast as answers come.
    With `each`, the body is one of so many leads of a batch.
    """
    plan = {
        "port": port, "path": path, "body": body, "each": each,
        "apart": clients / rate if rate else 0.0, "seconds": seconds,
        "headers": {"Content-Type": kind, **(headers or {})},
    }  # fmt: skip
    return _sent(plan, tag, clients)


def fetch(
    port: int, paths: Sequence[str], *, seconds: float, headers: dict[str, str], clients: int = CLIENTS
) -> dict[str, Any]:
    """GET these addresses in turn for so many seconds, as fast as answers come; give the same as `send`."""
    plan = {"port": port, "paths": list(paths), "apart": 0.0, "seconds": seconds, "headers": headers}
    return _sent(plan, "", clients)


@contextmanager
def meanwhile(
    port: int, path: str, *, rate: float, headers: dict[str, str], body: str = "", tag: str = ""
) -> Iterator[dict[str, Any]]:
    """One client who asks so many times a second until the block ends; what is given fills then as `send` gives it.

    It GETs the address, or POSTs the body to it.
    """
    plan = {"port": port, "paths": [path], "apart": 1 / rate, "seconds": None, "headers": headers, "start": 0.0}
    if body:
        plan |= {"path": path, "body": body, "paths": [], "each": 0}
    seen: dict[str, Any] = {}
    running = _begun(plan, tag, 1)
    try:
        yield seen
    finally:
        seen |= _told(running)


def _sent(plan: dict[str, Any], tag: str, clients: int) -> dict[str, Any]:
    return _told(_begun(plan, tag, clients))


def _begun(plan: dict[str, Any], tag: str, clients: int) -> list[subprocess.Popen[str]]:
    processes = min(PROCESSES, clients)
    plan = {"threads": clients // processes, "start": time.time() + 0.5} | plan
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "funnel.bench.load"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(processes)
    ]  # fmt: skip
    for number, process in enumerate(running):
        assert process.stdin is not None
        print(json.dumps({**plan, "tag": f"{tag}{number}", "number": number}), file=process.stdin, flush=True)
    return running


def _told(running: list[subprocess.Popen[str]]) -> dict[str, Any]:
    told = []
    for process in running:
        out, _ = process.communicate()
        told.append(json.loads(out))
    refused: Counter[str] = Counter()
    for one in told:
        refused.update(one["refused"])
    return {
        "per_second": sum(one["per_second"] for one in told),
        "ms": [ms for one in told for ms in one["ms"]],
        "refused": dict(refused),
    }


class Client:
    """One visitor with one connection."""

    def __init__(self, plan: dict[str, Any], number: int) -> None:
        self.plan, self.tag, self.count, self.over = plan, f"{plan['tag']}x{number}x", 0, threading.Event()
        self.ms: list[float] = []
        self.refused: Counter[str] = Counter()
        self.first = plan["apart"] * number / plan["threads"]
        self.wire: socket.socket | None = None
        # Each client begins elsewhere among the addresses.
        self.turn = (plan["number"] * plan["threads"] + number) * 13
        lines = [f"Host: 127.0.0.1:{plan['port']}", *(f"{name}: {value}" for name, value in plan["headers"].items())]
        self.head = "\r\n".join(lines)

    def run(self) -> None:
        """Send until the time is over."""
        time.sleep(max(0.0, self.plan["start"] - time.time()))
        began = time.perf_counter()
        due, end = began + self.first, began + (self.plan["seconds"] or LONGEST)
        while time.perf_counter() < end and not self.over.is_set():
            if self.plan["apart"]:
                if due >= end:
                    break
                time.sleep(max(0.0, due - time.perf_counter()))
            else:
                due = time.perf_counter()
            request = self.request()
            if not self.plan["apart"]:
                due = time.perf_counter()
            status = self.ask(request)
            self.ms.append((time.perf_counter() - due) * 1000)
            if not 200 <= status < 400:
                self.refused[str(status)] += 1
            due += self.plan["apart"]
        self.took = time.perf_counter() - began
        if self.wire is not None:
            self.wire.close()

    def request(self) -> bytes:
        """The next request: the next address, or words of its own."""
        if paths := self.plan.get("paths"):
            self.turn += 1
            return f"GET {paths[self.turn % len(paths)]} HTTP/1.1\r\n{self.head}\r\n\r\n".encode()
        body, each = self.plan["body"], self.plan["each"]
        rows = []
        for _ in range(each or 1):
            self.count += 1
            rows.append(body.replace(OWN, f"{self.tag}{self.count}"))
        text = '{"leads": [' + ",".join(rows) + "]}" if each else rows[0]
        start = f"POST {self.plan['path']} HTTP/1.1\r\n{self.head}\r\nContent-Length: {len(text)}"
        return f"{start}\r\n\r\n{text}".encode()

    def ask(self, request: bytes) -> int:
        """Send a request and give the status; 0 when nobody answered, also on a new connection."""
        for _ in range(2):
            try:
                if self.wire is None:
                    self.wire = socket.create_connection(("127.0.0.1", self.plan["port"]), timeout=60)
                    self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.wire.sendall(request)
                return self.answer(self.wire)
            except OSError:
                # The server closes a connection that was idle; then nothing was read of this request.
                if self.wire is not None:
                    self.wire.close()
                self.wire = None
        return 0

    def answer(self, wire: socket.socket) -> int:
        """Read one answer and give its status."""
        got = b""
        while b"\r\n\r\n" not in got:
            more = wire.recv(65536)
            if not more:
                raise ConnectionResetError
            got += more
        head, _, rest = got.partition(b"\r\n\r\n")
        named = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        left = int(named[b"content-length"]) - len(rest)
        while left > 0:
            more = wire.recv(65536)
            if not more:
                raise ConnectionResetError
            left -= len(more)
        if b"close" in named.get(b"connection", b""):
            wire.close()
            self.wire = None
        return int(head.split(b" ", 2)[1])


def main() -> None:
    """Read a plan, run its clients for its time or until the pipe closes, write what they saw."""
    plan = json.loads(sys.stdin.readline())
    clients = [Client(plan, number) for number in range(plan["threads"])]
    threads = [threading.Thread(target=one.run) for one in clients]
    for thread in threads:
        thread.start()
    if not plan["seconds"]:
        sys.stdin.read()
        for one in clients:
            one.over.set()
    for thread in threads:
        thread.join()
    refused: Counter[str] = Counter()
    for one in clients:
        refused.update(one.refused)
    json.dump(
        {
            "per_second": sum((len(one.ms) - one.refused.total()) / one.took for one in clients),
            "ms": [round(ms, 2) for one in clients for ms in one.ms],
            "refused": refused,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
