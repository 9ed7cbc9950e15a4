from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.addresses import Host, allowed, look_up, parse_host, refusal

CLOSED = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/29",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
NEVER = ["0.0.0.0/8", "169.254.0.0/16", "192.0.2.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"]


def inside(network: str) -> st.SearchStrategy[IPv4Address]:
    found = IPv4Network(network)
    return st.integers(int(found.network_address), int(found.broadcast_address)).map(IPv4Address)


@given(st.sampled_from(CLOSED).flatmap(inside))
def test_special_addresses_are_refused_in_every_spelling(address: IPv4Address) -> None:
    number = int(address)
    spellings = (
        str(address),
        str(IPv6Address((0xFFFF << 32) | number)),  # IPv4-mapped
        str(IPv6Address(number)),  # IPv4-compatible
        str(IPv6Address((0x64FF9B << 96) | number)),  # NAT64
        str(IPv6Address((0x2002 << 112) | (number << 80))),  # 6to4
    )
    for spelling in spellings:
        assert refusal(spelling), spelling


@given(st.sampled_from(NEVER).flatmap(inside))
def test_some_addresses_are_refused_even_on_a_private_network(address: IPv4Address) -> None:
    assert refusal(str(address), private=True)
    assert refusal(f"::ffff:{address}", private=True)


@given(st.sampled_from(["8.0.0.0/8", "93.184.0.0/16", "151.101.0.0/16"]).flatmap(inside))
def test_public_addresses_pass(address: IPv4Address) -> None:
    assert refusal(str(address)) == refusal(f"::ffff:{address}") == ""


@given(st.integers(0, 2**128 - 1))
def test_of_ipv6_only_global_unicast_passes(number: int) -> None:
    address = IPv6Address(number)
    if refusal(str(address)) == "" and address.ipv4_mapped is None:
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize(
    "text",
    [
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001:0:5ef5:79fd::1",
        "64:ff9b:1::7f00:1",
        "168.63.129.16",
        "100.100.100.200",
        "not an address",
        "127.1",
        "",
    ],
)
def test_these_are_refused(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize("text", ["10.1.2.3", "127.0.0.1", "::1", "fd12::1", "192.168.7.7", "100.64.1.1"])
def test_private_addresses_pass_where_the_host_is_named_private(text: str) -> None:
    assert refusal(text) == "is private"
    assert refusal(text, private=True) == ""


@pytest.mark.parametrize("text", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"])
def test_credentials_of_clouds_are_never_asked_for(text: str) -> None:
    assert refusal(text, private=True) == "is where clouds keep credentials"


def test_hosts_are_read() -> None:
    assert parse_host("CDN.example.org.") == Host("cdn.example.org")
    assert parse_host("cdn.example.org:8443") == Host("cdn.example.org", 8443)
    assert parse_host("private:files.internal:9000") == Host("files.internal", 9000, private=True)
    assert parse_host("[2606:4700::1]:443") == Host("2606:4700::1", 443)
    assert parse_host("2606:4700::1") == Host("2606:4700::1")


@pytest.mark.parametrize(
    "entry", ["", "https://cdn.example.org", "a/b", "a b", "*.example.org", "a:0", "a:99999", "private:a"]
)
def test_what_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"host|port"):
        parse_host(entry)


def test_a_host_is_let_in_by_name_and_port() -> None:
    hosts = [Host("a"), Host("b", 81), Host("a", 90, private=True)]
    assert allowed(hosts, "A.", 80) == Host("a")
    assert allowed(hosts, "a", 90) == Host("a", 90, private=True)
    assert allowed(hosts, "b", 80) is None
    assert allowed(hosts, "sub.a", 80) is None


def test_this_machine_looks_itself_up() -> None:
    assert all(ip_address(found).is_loopback for found in look_up("localhost", 80))
