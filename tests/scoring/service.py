"""A moderation and embeddings service that answers by the text alone, and misbehaves when told to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from scoring.errors import RemoteUnreachable
from scoring.remote import Caller, Manners, Reply

CATEGORIES = ("hate", "hate/threatening", "violence", "sexual")
FORBIDDEN = "refuse me"
DIMENSION = 8


@dataclass
class Service:
    """``faults``: what to do instead of the next answers, one each: a Reply, or an exception."""

    model: str = "mod-1"
    faults: list[Reply | Exception] = field(default_factory=list)
    name: str = "http://service.test/v1"
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    strip: tuple[str, ...] = ()  # categories that it has no more
    lock: Lock = field(default_factory=Lock)

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        with self.lock:
            self.asked.append((path, body))
            fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        texts = list(body["input"])
        if any(FORBIDDEN in text for text in texts):
            return Reply(400, {"error": {"code": "invalid_input", "message": f"cannot read {texts}"}})
        made = [self.moderated(t) for t in texts] if path == "/moderations" else [self.embedded(t) for t in texts]
        key = "results" if path == "/moderations" else "data"
        rows = [{"index": i, **row} for i, row in enumerate(made)]
        return Reply(200, {"model": self.model, key: rows[::-1] if key == "data" else rows, "usage": usage(texts)})

    def moderated(self, text: str) -> dict[str, Any]:
        shares = rng(text).random(len(CATEGORIES))
        scores = {name: float(p) for name, p in zip(CATEGORIES, shares, strict=True) if name not in self.strip}
        return {"flagged": False, "category_scores": scores}

    def embedded(self, text: str) -> dict[str, Any]:
        return {"embedding": [float(x) for x in rng(text).standard_normal(DIMENSION) * 3]}

    def paths(self) -> Counter[str]:
        return Counter(path for path, _ in self.asked)


def usage(texts: list[str]) -> dict[str, int]:
    return {"total_tokens": sum(len(text.split()) for text in texts)}


def rng(text: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def caller(service: Service, **manners: Any) -> Caller:
    """One that never really waits; ``waits`` on the returned caller says how long it would have."""
    waits: list[float] = []
    made = Caller(service, Manners(**manners), wait=waits.append)
    made.waits = waits  # type: ignore[attr-defined]
    return made


def down() -> RemoteUnreachable:
    return RemoteUnreachable("http://service.test/v1 does not answer: ReadTimeout")
