"""Which network addresses content may be fetched from: public ones, and private ones only where they are named.

A server that fetches what strangers name can be made to ask its own network (SSRF). So a name is looked up once, every
address found must pass, and the connection goes to an address that passed. Special ranges: RFC 6890 and its successors
as Python's ``ipaddress`` knows them; what carries an IPv4 address inside (6to4, Teredo, NAT64) is refused outright.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Collection[str]]  # (host, port) -> addresses, in the order to try

_PRIVATE = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "::1/128",
    )
)
_TUNNELS = tuple(
    ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10", "192.88.99.0/24")
)
# Where clouds hand out a machine's credentials; some of them lie in ranges that are otherwise fine.
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"))
)


@dataclass(frozen=True, slots=True)
class Host:
    """An allowed host: any port of it when ``port`` is None. ``private``: it may be at a private address."""

    name: str
    port: int | None = None
    private: bool = False


def parse_host(entry: str) -> Host:
    """``cdn.example.org``, ``cdn.example.org:8443`` or ``private:files.internal:9000``. Raises ValueError."""
    private, rest = entry.startswith("private:") and ":" in entry.removeprefix("private:"), entry
    if private:
        rest = entry.removeprefix("private:")
    name, port = _split(rest)
    if not name or any(c.isspace() or c in "/@*?#" for c in name):
        raise ValueError(f"{entry!r} is no host; write one such as cdn.example.org, without scheme or path")
    return Host(plain(name), port, private)


def plain(name: str) -> str:
    """A host's name as names are compared."""
    return name.strip("[]").rstrip(".").lower()


def allowed(hosts: Collection[Host], name: str, port: int) -> Host | None:
    """The entry that lets this host in; the one that allows most where there are several."""
    fitting = [host for host in hosts if host.name == plain(name) and host.port in (None, port)]
    return max(fitting, key=lambda host: host.private, default=None)


def refusal(text: str, *, private: bool = False) -> str:
    """Why this address may not be asked, or nothing. ``private``: the host was named as one on a private network."""
    try:
        address = ip_address(text)
    except ValueError:
        return "is no address"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address in _METADATA:
        return "is where clouds keep credentials"
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        return "is unspecified, multicast or link-local"
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return "" if private else "is private"
    if (
        address.is_reserved
        or not address.is_global
        or any(address in t for t in _TUNNELS if t.version == address.version)
    ):
        return "is reserved"
    return ""


def look_up(host: str, port: int) -> list[str]:
    """Addresses of a host as the system knows them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def _split(text: str) -> tuple[str, int | None]:
    name, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not name.endswith("]")):  # an IPv6 address has colons of its own
        return text, None
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: {port!r} is no port")
    return name, int(port)
