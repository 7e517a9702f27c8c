"""A network within this machine (Linux, root): each node has a namespace and a cable that can be pulled out."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

CLONE_NEWNET = 0x40000000


def why_not() -> str | None:
    """Why no network can be made here; None where it can."""
    missing = [tool for tool in ("ip", "unshare", "nsenter", "setpriv") if shutil.which(tool) is None]
    if missing:
        return f"{missing[0]} is not installed, and a network of several nodes needs it"
    bridge = ["unshare", "--net", "ip", "link", "add", "type", "bridge"]
    tried = subprocess.run(bridge, capture_output=True, check=False)
    return None if tried.returncode == 0 else "network namespaces and bridges need root"


class Network:
    """Nodes at ``addresses``, joined by a switch, that this machine is no part of: no other process sees it."""

    def __init__(self, nodes: int, stack: ExitStack) -> None:
        subnet = f"10.213.{os.getpid() % 250}"
        self.addresses = [f"{subnet}.{n + 1}" for n in range(nodes)]
        # Namespaces without a name, and all cables within them: whatever kills us, nothing is left.
        self._switch = stack.enter_context(_namespace())
        self._nodes = [stack.enter_context(_namespace()) for _ in range(nodes)]
        self._there = [stack.enter_context(_thread_within(node)) for node in self._nodes]
        self._loop = stack.enter_context(_running_loop())
        _run(*_within(self._switch), "ip", "link", "add", "switch", "type", "bridge")
        _run(*_within(self._switch), "ip", "link", "set", "switch", "up")
        for n, node in enumerate(self._nodes):
            there = (*_within(node), "ip")
            cable = ("type", "veth", "peer", "name", "eth0", "netns", str(node))
            _run(*_within(self._switch), "ip", "link", "add", f"n{n}", *cable)
            _run(*there, "address", "add", f"{self.addresses[n]}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run(*there, "link", "set", device, "up")
            _run(*_within(self._switch), "ip", "link", "set", f"n{n}", "master", "switch", "up")

    def within(self, node: int) -> list[str]:
        """The command before one that shall run on a node."""
        return list(_within(self._nodes[node]))

    def cut(self, node: int) -> None:
        """Pulls out a node's cable: its processes run on, and no packet reaches another or comes from there."""
        _run(*_within(self._switch), "ip", "link", "set", f"n{node}", "down")

    def lead_out(self, port: int) -> None:
        """Lets every node reach this machine's ``port`` at its own loopback, also with its cable cut."""
        for there in self._there:
            self._forward(there.submit(socket.create_server, ("127.0.0.1", port)).result(), port, None)

    def lead_in(self, node: int, port: int) -> str:
        """Where this machine reaches what listens on a node's loopback."""
        listening = socket.create_server(("127.0.0.1", 0))
        self._forward(listening, port, self._there[node])
        return f"127.0.0.1:{listening.getsockname()[1]}"

    def _forward(self, listening: socket.socket, port: int, to: ThreadPoolExecutor | None) -> None:
        async def forward(source: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            connect = partial(socket.create_connection, ("127.0.0.1", port))
            try:
                connected = await asyncio.get_running_loop().run_in_executor(to, connect)
            except OSError:  # nothing listens there (yet)
                back.close()
                return
            target, sink = await asyncio.open_connection(sock=connected)
            await asyncio.gather(_copy(source, sink), _copy(target, back))

        serving = asyncio.start_server(forward, sock=listening)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result()


@contextmanager
def network(nodes: int) -> Iterator[Network]:
    """A network that is gone at the end, and all that runs in it should be by then."""
    with ExitStack() as stack:
        yield Network(nodes, stack)


@contextmanager
def _thread_within(pid: int) -> Iterator[ThreadPoolExecutor]:
    """A thread whose sockets belong to a namespace; whoever has them uses them from anywhere."""

    def enter() -> None:
        with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    with ThreadPoolExecutor(1, initializer=enter) as executor:
        yield executor


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(1 << 16):
            sink.write(chunk)
            await sink.drain()
    sink.close()


@contextmanager
def _namespace() -> Iterator[int]:
    """A process that holds one; it ends with the thread that asked for it."""
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
    with subprocess.Popen(command) as holder:
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{holder.pid}/ns/net").readlink() == own:
            assert holder.poll() is None, "unshare failed"
        yield holder.pid
        holder.kill()


def _within(pid: int) -> tuple[str, str]:
    return ("nsenter", f"--net=/proc/{pid}/ns/net")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
