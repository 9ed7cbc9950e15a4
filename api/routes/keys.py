"""API keys: make one, list them, revoke one. Admins only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.auth import Access, Admin, Role, access, make_key
from api.problems import documented
from labeling.errors import Conflict, NotFound
from labeling.records import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Ledger = Annotated[Access, Depends(access)]

SHOWN: dict[str, Any] = {
    "key_id": "5f0c2b9a1d3e",
    "name": "nightly training",
    "role": "engineer",
    "created_at": "2026-01-31T09:30:00Z",
    "revoked_at": None,
}


class NewKey(BaseModel):
    """What a new key is for, and what it may do."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "nightly training", "role": "engineer"}}
    )

    name: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,80}$")] = Field(
        description="What the key is for: 1 to 80 printable characters."
    )
    role: Role


class Key(BaseModel):
    """A key as anybody may see it: without its secret."""

    model_config = ConfigDict(json_schema_extra={"example": SHOWN})

    key_id: str
    name: str
    role: str
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey, /, **more: str) -> Self:
        fields = {name: getattr(key, name) for name in Key.model_fields}
        return cls.model_validate(fields | more)


class CreatedKey(Key):
    """A new key with its secret, which is shown this once."""

    model_config = ConfigDict(json_schema_extra={"example": {**SHOWN, "key": "gf_5f0c2b9a1d3e_<43 characters>"}})

    key: str = Field(description="Keep it now: it cannot be shown again.")


class KeyList(BaseModel):
    keys: list[Key]


@router.post("", status_code=201, summary="Make a key")
def create(new: NewKey, ledger: Ledger, caller: Admin) -> CreatedKey:
    """The answer holds the key itself, this once."""
    key, plaintext = make_key(new.name, new.role)
    ledger.keys.add(key)
    ledger.audit.add(caller.key_id, "key.create", key.key_id, {"name": key.name, "role": key.role})
    return CreatedKey.of(key, key=plaintext)


@router.get("", summary="List the keys")
def show(ledger: Ledger, _caller: Admin) -> KeyList:
    """Every key there ever was, oldest first, without secrets."""
    return KeyList(keys=[Key.of(key) for key in sorted(ledger.keys.all(), key=lambda key: key.created_at)])


@router.delete("/{key_id}", status_code=204, summary="Revoke a key", responses=documented(404, 409))
def revoke(key_id: str, ledger: Ledger, caller: Admin) -> None:
    """From now on the key opens nothing. Revoking it again changes nothing; the last live admin key stays."""
    every = {key.key_id: key for key in ledger.keys.all()}
    key = every.get(key_id)
    if key is None:
        raise NotFound(f"there is no key {key_id}")
    if key.revoked_at is not None:
        return
    admins = [one for one in every.values() if one.role == Role.ADMIN and one.revoked_at is None]
    if admins == [key]:
        raise Conflict(f"{key_id} is the last live admin key: make another one first")
    ledger.keys.revoke(key_id)
    ledger.audit.add(caller.key_id, "key.revoke", key_id, {"name": key.name})
