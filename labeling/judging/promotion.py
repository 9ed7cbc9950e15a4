"""Which model scores: promote one that has passed the gate, and go back to the one before."""

from __future__ import annotations

from typing import Protocol

from labeling.artefacts import load_artefact
from labeling.errors import InvalidInput, NotGated
from labeling.judging.contender import Contender
from labeling.judging.contest import terms_of
from labeling.judging.gate import PASS, Terms
from labeling.judging.signing import verify_chain, verify_signature
from labeling.model_records import GateRow, Model
from labeling.store.interfaces import Gates, Golden, Models
from labeling.training import newest_version

AFTER_FIRST, ALWAYS, NEVER = "after-first", "always", "never"  # the setting gate_needed


class PromotionStores(Protocol):
    """The part of the ledger that promoting needs."""

    @property
    def models(self) -> Models: ...

    @property
    def gates(self) -> Gates: ...

    @property
    def golden(self) -> Golden: ...


def needs_gate(stores: PromotionStores, setting: str, reason: str | None, modality: str = "text") -> bool:
    """``reason``: why it should be promoted without one; None: nobody asked for that. Raises InvalidInput for an empty
    one."""
    if reason is not None and not reason.strip():
        raise InvalidInput("reason: say why this model may be promoted without a gate; it is kept in the audit")
    if reason is not None or setting == NEVER:
        return False
    return setting == ALWAYS or stores.models.champion(modality) is not None


def passing_gate(stores: PromotionStores, challenger: Contender, champion: Contender, terms: Terms, secret: str) -> str:
    """The id of the newest verdict on these very two, as they would score now, on the newest golden version, under the
    terms of now. Raises NotGated when there is none, or it is no pass; IntegrityError when a verdict was tampered with.
    """
    rows = stores.gates.all()
    verify_chain(rows)
    golden = stores.golden.version(newest_version(stores.golden))
    wanted = {
        "challenger": challenger.about(),
        "champion": champion.about(),
        "golden": {"version": golden.version, "merkle_root": golden.merkle_root},
        "terms": terms_of(terms),
    }
    found = [row for row in rows if all(row.body[key] == value for key, value in wanted.items())]
    cure = f"run goldfold gate {challenger.model_id}, or promote it with --without-gate and a --reason"
    if not found:
        raise NotGated(
            f"model {challenger.model_id!r} as it is now was not judged against {champion.model_id!r} on golden "
            f"version {golden.version}: {cure}"
        )
    row = found[-1]
    if secret:
        verify_signature(row, secret)
    if row.body["verdict"] != PASS:
        raise NotGated(f"model {challenger.model_id!r}: verdict {row.gate_id} is {_said(row)}")
    return row.gate_id


def champion_before(models: Models, modality: str = "text") -> str | None:
    """The id of the model that a rollback brings back; None where there is none."""
    champion = models.champion(modality)
    wins = [] if champion is None else [e for e in models.history(champion.model_id) if e.kind == "promote"]
    return (wins[-1].replaced or None) if wins else None


def _said(row: GateRow) -> str:
    reasons = row.body["reasons"]
    return f"{row.body['verdict']} ({'; '.join(map(str, reasons)) if isinstance(reasons, list) else reasons})"


def promote(
    stores: PromotionStores, model_id: str, actor: str, *, gate_id: str = "", reason: str = "", rescore: str = ""
) -> Model:
    """Make a model the champion of what it reads, at once and whole: who scores from now on scores with it, and who is
    at work goes on with the one before. ``rescore``: the id of the job that scores every item with it, which the ledger
    owes from then on, whoever dies before it is begun. Raises NotFound, Conflict (archived, or another champion came in
    between), and IntegrityError when its files are not what was registered."""
    model = stores.models.get(model_id)
    champion = stores.models.champion(model.modality)
    load_artefact(model)
    over = None if champion is None else champion.model_id
    return stores.models.promote(model_id, actor, over=over, gate_id=gate_id, reason=reason, rescore=rescore)
