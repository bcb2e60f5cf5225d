"""Connections to hosts that a member typed: only to addresses of the public Internet, checked where it counts.

The name is looked up once, every address that isn't public is refused, and the connection goes to that very address,
so that a name whose answer changes between the check and the call gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket

# Ways to write an IPv4 address inside an IPv6 one, and ranges that Python calls global although they lead elsewhere.
EMBEDDED = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0/96", "::/96"))
)
SHARED = ipaddress.ip_network("100.64.0.0/10")


class NotPublic(OSError):
    """A name that leads to an address inside somebody's network."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet and nothing else."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.is_multicast or not found.is_global:
        return False
    return found not in SHARED if found.version == 4 else not any(found in network for network in EMBEDDED)


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """Open a connection to the first public address of a host; raise NotPublic or OSError."""
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(row[4][0]) for row in rows]
    if not all(map(is_public, addresses)):
        raise NotPublic(f"{host} leads into a private network.")
    trouble: OSError = OSError(f"{host} has no address.")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            trouble = error
    raise trouble
