"""A wire that can be cut as a firewall cuts it: what is sent vanishes, and nobody is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """A TCP proxy on loopback in a thread of its own.

    While it is cut, bytes stay where they are, and who asks for a new connection gets no answer: the queue of those
    who knock is full, so the kernel drops the knock.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.door = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.door.setblocking(False)
        self.port = int(self.door.getsockname()[1])
        self.knocks: list[socket.socket] = []
        self.whole, self.ended, self.listens = asyncio.Event(), asyncio.Event(), threading.Event()
        self.whole.set()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="wire", daemon=True)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        listening = self.loop.create_task(self._listen())
        self.listens.set()
        await self.ended.wait()
        listening.cancel()

    async def _listen(self) -> None:
        carried = set()
        while await self.whole.wait():
            near, _ = await self.loop.sock_accept(self.door)
            carried.add(self.loop.create_task(self._carry(near)))

    async def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.socket() as far:
            far.setblocking(False)
            await self.loop.sock_connect(far, ("127.0.0.1", self.to))
            ways = [self.loop.create_task(self._pass(*pair)) for pair in ((near, far), (far, near))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()

    async def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := await self.loop.sock_recv(one, 65536):
                await self.whole.wait()
                await self.loop.sock_sendall(other, data)

    def cut(self) -> None:
        """Let everything vanish from now on."""
        self.loop.call_soon_threadsafe(self.whole.clear)
        for _ in range(8):
            knock = socket.socket()
            knock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                knock.connect(("127.0.0.1", self.port))
            self.knocks.append(knock)

    def mend(self) -> None:
        """Carry again, what waited first."""
        for knock in self.knocks:
            knock.close()
        self.knocks.clear()
        self.loop.call_soon_threadsafe(self.whole.set)


@contextlib.contextmanager
def wire(to: int) -> Iterator[Wire]:
    """A wire to a port of this machine; it ends with the block."""
    made = Wire(to)
    made.thread.start()
    made.listens.wait(5)
    try:
        yield made
    finally:
        made.loop.call_soon_threadsafe(made.ended.set)
        made.thread.join(5)
        made.door.close()
