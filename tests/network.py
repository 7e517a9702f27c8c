"""A network within this machine (Linux, root): each node has a namespace and a cable that can be pulled out."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
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
    """This machine at ``host``, and nodes at ``addresses``, joined by a switch."""

    def __init__(self, nodes: int, stack: ExitStack) -> None:
        subnet = f"10.213.{os.getpid() % 250}"
        self.host = f"{subnet}.1"
        self.addresses = [f"{subnet}.{n + 2}" for n in range(nodes)]
        # Namespaces without a name, and all cables within them: whatever kills us, nothing is left.
        self._switch = stack.enter_context(_namespace())
        self._nodes = [stack.enter_context(_namespace()) for _ in range(nodes)]
        ours = f"kolray{os.getpid()}"
        _run("ip", "link", "add", ours, "type", "veth", "peer", "name", "host", "netns", str(self._switch))
        _run("ip", "address", "add", f"{self.host}/24", "dev", ours)
        _run("ip", "link", "set", ours, "up")
        _run(*_within(self._switch), "ip", "link", "add", "switch", "type", "bridge")
        _run(*_within(self._switch), "ip", "link", "set", "switch", "up")
        self._plug("host")
        for n, node in enumerate(self._nodes):
            there = (*_within(node), "ip")
            cable = ("type", "veth", "peer", "name", "eth0", "netns", str(node))
            _run(*_within(self._switch), "ip", "link", "add", f"n{n}", *cable)
            _run(*there, "address", "add", f"{self.addresses[n]}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run(*there, "link", "set", device, "up")
            self._plug(f"n{n}")

    def within(self, node: int) -> list[str]:
        """The command before one that shall run on a node."""
        return list(_within(self._nodes[node]))

    def cut(self, node: int) -> None:
        """Pulls out a node's cable: its processes run on, and no packet reaches another or comes from there."""
        _run(*_within(self._switch), "ip", "link", "set", f"n{node}", "down")

    def listen(self, node: int, port: int) -> socket.socket:
        """A socket that listens on a node's loopback and belongs to this process."""

        def open_there() -> socket.socket:
            with Path(f"/proc/{self._nodes[node]}/ns/net").open("rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_server(("127.0.0.1", port))

        with ThreadPoolExecutor(1) as elsewhere:  # a thread enters a namespace for good
            return elsewhere.submit(open_there).result()

    def _plug(self, cable: str) -> None:
        _run(*_within(self._switch), "ip", "link", "set", cable, "master", "switch", "up")


@contextmanager
def network(nodes: int, ports: list[int]) -> Iterator[Network]:
    """Nodes that reach servers of this machine at ``ports`` of their own loopback, also with their cable cut."""
    with ExitStack() as stack:
        made = Network(nodes, stack)
        sockets = [(made.listen(node, port), port) for node in range(nodes) for port in ports]
        loop = asyncio.new_event_loop()
        for listening, port in sockets:
            loop.run_until_complete(asyncio.start_server(_to(port), sock=listening))
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


def _to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def forward(source: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        target, sink = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(source, sink), _copy(target, back))

    return forward


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
