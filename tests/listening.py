"""Who listens where."""

from __future__ import annotations

import ipaddress

import psutil


def listeners(*roots: psutil.Process) -> dict[str, str]:
    """Address that is listened on by these or by what they started → the process that does."""
    found = {}
    for process in [each for root in roots for each in (root, *root.children(recursive=True))]:
        try:
            for socket in process.net_connections("tcp"):
                if socket.status == psutil.CONN_LISTEN:
                    found[f"{socket.laddr.ip} {socket.laddr.port}"] = " ".join(process.cmdline())[:200]
        except psutil.NoSuchProcess:
            continue
    return found


def beyond_loopback(found: dict[str, str]) -> dict[str, str]:
    """Those of them that other machines reach."""
    return {at: who for at, who in found.items() if not _loopback(at)}


def _loopback(address: str) -> bool:
    host = ipaddress.ip_address(address.split(maxsplit=1)[0])
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return (mapped or host).is_loopback
