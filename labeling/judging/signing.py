"""Verdicts of the gate as a chain: each row's hash covers its body and the hash of the row before, so that no row can
be changed, put in or taken out in the middle without all later ones being rewritten. Whoever may write the whole table
could do just that; with the setting ``gate_secret``, which does not lie in the ledger, each hash is signed as well
(HMAC-SHA256, RFC 2104), and then they cannot. A chain says nothing of rows that are missing at its end.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from labeling.errors import IntegrityError
from labeling.golden.manifest import canonical
from labeling.model_records import GateRow


def signed(gate_id: str, body: dict[str, object], previous: str, secret: str) -> GateRow:
    """The row that follows the one whose hash is ``previous`` ("": the first)."""
    row_hash = hash_of(gate_id, body, previous)
    return GateRow(gate_id, body, previous, row_hash, _signature(row_hash, secret))


def hash_of(gate_id: str, body: dict[str, object], previous: str) -> str:
    """SHA-256 (hex) over everything a row says, as canonical JSON."""
    return hashlib.sha256(canonical({"gate_id": gate_id, "body": body, "previous": previous}).encode()).hexdigest()


def verify_chain(rows: Iterable[GateRow], secret: str = "") -> int:
    """How many rows there are. Raises IntegrityError naming the first that was tampered with; with a ``secret``, also
    the first that is not signed with it."""
    previous, count = "", 0
    for row in rows:
        if row.previous != previous:
            raise IntegrityError(f"gate {row.gate_id}: the verdict before it is missing or was changed")
        if row.row_hash != hash_of(row.gate_id, row.body, previous):
            raise IntegrityError(f"gate {row.gate_id}: what it says was changed after it was written")
        if secret:
            verify_signature(row, secret)
        previous, count = row.row_hash, count + 1
    return count


def verify_signature(row: GateRow, secret: str) -> None:
    """Raises IntegrityError when the row is not signed with ``secret``."""
    if not hmac.compare_digest(row.signature, _signature(row.row_hash, secret)):
        raise IntegrityError(
            f"gate {row.gate_id} is not signed with gate_secret: it was written without it, or by somebody else; "
            "run the gate anew under the secret"
        )


def _signature(row_hash: str, secret: str) -> str:
    return hmac.new(secret.encode(), row_hash.encode(), hashlib.sha256).hexdigest() if secret else ""
