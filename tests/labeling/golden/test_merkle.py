from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.golden import merkle

ENTRIES = st.lists(st.binary(max_size=6), min_size=1, max_size=20)

# The test vectors of the Certificate Transparency reference implementation.
RFC_ENTRIES = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
RFC_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
}


def _root(entries: list[bytes]) -> bytes:
    return merkle.root([merkle.leaf(e) for e in entries])


@pytest.mark.parametrize("size", sorted(RFC_ROOTS))
def test_roots_of_the_reference_implementation(size: int) -> None:
    assert _root(RFC_ENTRIES[:size]).hex() == RFC_ROOTS[size]


def _recursive(entries: list[bytes]) -> bytes:
    """The definition in RFC 6962, word for word."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + _recursive(entries[:k]) + _recursive(entries[k:])).digest()


@settings(deadline=None)
@given(ENTRIES)
def test_the_root_is_that_of_the_definition(entries: list[bytes]) -> None:
    assert _root(entries) == _recursive(entries)


@settings(deadline=None)
@given(ENTRIES, st.data())
def test_every_entry_has_a_proof_and_no_other_entry_does(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    path = merkle.proof([merkle.leaf(e) for e in entries], index)
    root = _root(entries)
    assert merkle.proves(entries[index], index, len(entries), path, root)
    assert not merkle.proves(entries[index] + b"x", index, len(entries), path, root)
    assert not merkle.proves(entries[index], len(entries), len(entries), path, root)
    assert not merkle.proves(entries[index], index, len(entries), [*path, root], root)
    if path:
        assert not merkle.proves(entries[index], index, len(entries), path[:-1], root)


def test_a_node_never_passes_for_a_leaf() -> None:
    left, right = merkle.leaf(b"a"), merkle.leaf(b"b")
    assert merkle.leaf(left + right) != merkle.node(left, right)


def test_a_leaf_that_is_not_there_has_no_proof() -> None:
    with pytest.raises(IndexError):
        merkle.proof([merkle.leaf(b"a")], 1)
