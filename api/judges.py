"""Judges from outside the registry, put together: scorers by their file, chat services by theirs, files of predictions.

Models and connections are opened for one judgement and given back after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from api.endpoint import HttpEndpoint, checked_address
from configs.endpoint_files import EndpointFile, endpoint_path, read_endpoint
from configs.errors import SettingsError
from configs.scorer_files import packaged_scorers, read_scorer
from configs.scorer_kinds import EmbeddingHeadFile
from configs.settings import Settings
from labeling.errors import InvalidInput, NotFound
from labeling.golden.judges import ANY, judging_rows
from labeling.judging.agent import Agent, Terms
from labeling.judging.answers import AnswerBook
from labeling.judging.bills import Prices
from labeling.judging.clock import Clock, never
from labeling.judging.contender import TEXT, Contender
from labeling.judging.endpoints import estimate, of_endpoint
from labeling.judging.predictions import read_predictions
from labeling.judging.prompts import Asking
from labeling.judging.scorers import limited, of_scorer
from labeling.records import Partition
from labeling.scorebook import LakeScorer
from labeling.training import newest_version
from scoring.base import Progress
from scoring.remote import Manners

if TYPE_CHECKING:
    from api.composition import Goldfold

SCORER, ENDPOINT, PREDICTIONS = "scorer", "endpoint", "predictions"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Who:
    """Whom to judge: ``kind`` SCORER (a packaged scorer file by name, or a path), ENDPOINT (an endpoint file of
    ``judges_dir`` by name, or a path) or PREDICTIONS (a path). ``limit``: on the dev items of so many only."""

    kind: str
    name: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class What:
    """What to ask of gold: ``gate``: a verdict against ``champion`` (a model's id; "": the champion), else figures, cut
    by ``fields`` too, on dev or ``sealed``. ``golden_version`` "": the newest."""

    golden_version: str = ""
    fields: tuple[str, ...] = ()
    sealed: bool = False
    gate: bool = False
    champion: str = ""

    @property
    def is_sealed(self) -> bool:
        return self.sealed or self.gate


@dataclass(frozen=True, slots=True)
class Run:
    """How a judgement runs: ``began_s`` (of ``time.monotonic``) is what an endpoint's deadline counts from; ``stop``
    ends it early."""

    progress: Progress | None = None
    began_s: float | None = None
    stop: Callable[[], bool] = never


def judge(goldfold: Goldfold, who: Who, what: What, actor: str, run: Run | None = None) -> Json:
    """Figures, or a verdict, as ``Goldfold.judge_contender`` and ``gate_contender`` have them. Raises InvalidInput for
    a limit on sealed answers, which could be laid around a single one."""
    check(who, what)
    with opened(goldfold, who, run or Run()) as contender:
        if what.gate:
            champion = _champion(goldfold, contender, what.champion)
            return goldfold.gate_contender(contender, actor, champion, what.golden_version)
        return goldfold.judge_contender(contender, actor, what.golden_version, what.fields, sealed=what.sealed)


def check(who: Who, what: What) -> None:
    """Raises InvalidInput for what cannot be asked of anybody."""
    if who.limit is not None and what.is_sealed:
        raise InvalidInput("limit: sealed answers are judged by all at once; leave it out, or try it on dev")


def check_known(settings: Settings, kind: str, name: str) -> None:
    """Raises NotFound for a name that is no packaged scorer file, and no endpoint file of ``judges_dir``. Callers from
    afar name nothing else, so that they read no other file of this machine."""
    if kind == SCORER and name not in packaged_scorers():
        raise NotFound(f"scorer {name!r}: no such scorer file comes with Goldfold ({', '.join(packaged_scorers())})")
    if kind == ENDPOINT and (settings.judges_dir is None or not (settings.judges_dir / f"{name}.yaml").is_file()):
        raise NotFound(f"endpoint {name!r}: there is no {name}.yaml in judges_dir ({settings.judges_dir or 'not set'})")


def price(goldfold: Goldfold, who: Who, what: What) -> Json:
    """What an endpoint would be asked, and what that costs by a rule of thumb; nothing is sent. Raises InvalidInput for
    anybody who costs nothing."""
    check(who, what)
    if who.kind != ENDPOINT:
        raise InvalidInput("dry_run: only an endpoint costs anything; leave it out")
    version = what.golden_version or newest_version(goldfold.ledger.golden)
    with opened_agent(goldfold, who.name, Run(), dry=True) as agent:
        contender = of_endpoint(agent, f"{ENDPOINT}:{Path(who.name).stem}", who.limit)
        places = [Partition.SEALED] if what.is_sealed else [Partition.DEV]
        places += [Partition.ANCHOR] if what.gate else []
        rows = [row for place in places for row in judging_rows(goldfold.ledger.golden, version, place)]
        told = {"golden_version": version, "model": contender.about()}
        return told | {"estimate": estimate(agent, contender, rows)}


@contextmanager
def opened(goldfold: Goldfold, who: Who, run: Run) -> Iterator[Contender]:
    """The contender, for as long as the block runs. Raises SettingsError, ScoringError, InvalidInput, StoreError."""
    if who.kind == ENDPOINT:
        with opened_agent(goldfold, who.name, run) as agent:
            yield of_endpoint(agent, f"{ENDPOINT}:{Path(who.name).stem}", who.limit)
    elif who.kind == SCORER:
        found = scorer_contender(goldfold, who.name, run.progress)
        yield found if who.limit is None else _limited(found, who.limit)
    else:
        found = read_predictions(Path(who.name), goldfold.ledger.items, goldfold.policies)
        yield found if who.limit is None else _limited(found, who.limit)


def _limited(contender: Contender, most: int) -> Contender:
    return replace(contender, fit=lambda rows: limited(contender.fit(rows), most))


def scorer_contender(goldfold: Goldfold, named: str, progress: Progress | None = None) -> Contender:
    """The scorer of a scorer file; where the champion is in it, what the champion has learnt judges it not. Of kind
    embedding-head: the champion itself."""
    file = read_scorer(named, goldfold.policies)
    champion = goldfold.ledger.models.champion()
    if isinstance(file, EmbeddingHeadFile):
        return goldfold.contender(champion)
    if file.reads == "video":
        raise SettingsError(f"{named}: kind {file.kind} reads videos, and no golden set holds any; name another")
    used: list[bool] = []

    def own() -> LakeScorer:
        used.append(True)
        return goldfold.own_scorer(champion)

    policies, name = goldfold.policies, f"{SCORER}:{Path(named).stem}"
    if file.reads == "image":
        build = import_module("api.media_scorers").build_items_scorer
        scorer = build("image", named, goldfold.settings, policies, own, goldfold.media)
    else:
        scorers = import_module("api.scorers")
        scorer = scorers.build(named, scorers.Makings(goldfold.settings, policies, own, Path()))
    made = of_scorer(goldfold.lake, policies, scorer, name, progress=progress)
    if not used:
        return made
    within = goldfold.contender(champion)
    return replace(made, fit=within.fit, family=within.family)


def _champion(goldfold: Goldfold, challenger: Contender, model_id: str) -> Contender:
    """Whom a challenger has to beat: the champion of what it reads; of texts, where it reads anything."""
    return goldfold.champion_contender(model_id, TEXT if challenger.modality == ANY else challenger.modality)


@contextmanager
def opened_agent(goldfold: Goldfold, named: str, run: Run, *, dry: bool = False) -> Iterator[Agent]:
    """The agent of an endpoint file. ``dry``: it will not be asked, so neither key nor address are looked at. Raises
    SettingsError, also where content may not be sent there; RemoteUnreachable, StoreError."""
    path = endpoint_path(named, goldfold.settings.judges_dir)
    file = read_endpoint(path, goldfold.policies)
    if not file.allow_content:
        raise SettingsError(
            f"{path}: allow_content: content of items would be sent to {file.url}; set it to true if that may be"
        )
    policies = {name: goldfold.policies[name] for name in file.policies or goldfold.policies}
    address = None if dry else checked_address(file.url, private=file.private)
    key_env = None if dry else file.key_env
    endpoint = HttpEndpoint(file.url, key_env, file.timeout_s, 1 if dry else file.concurrency, address)
    try:
        book = AnswerBook(goldfold.answers_path)
        try:
            yield _agent(goldfold, file, policies, endpoint, book, run)
        finally:
            book.close()
    finally:
        endpoint.close()


def _agent(
    goldfold: Goldfold,
    file: EndpointFile,
    policies: Mapping[str, Any],
    endpoint: HttpEndpoint,
    book: AnswerBook,
    run: Run,
) -> Agent:
    return Agent(
        lake=goldfold.lake,
        policies=policies,
        endpoint=endpoint,
        manners=Manners(attempts=file.attempts, concurrency=file.concurrency, batch=1),
        book=book,
        asking=Asking(file.model, file.temperature, file.max_tokens, file.answer_format, file.limit_key),
        terms=Terms(
            repeats=file.repeats,
            max_chars=file.max_chars,
            allow_sealed=file.allow_sealed,
            prices=Prices(file.per_million_in, file.per_million_out),
        ),
        clock=Clock(file.deadline_s, monotonic() if run.began_s is None else run.began_s, run.stop),
        progress=run.progress,
    )


def judge_request(goldfold: Goldfold, who: Who, what: What, actor: str) -> Json:
    """A judging job's request; the version is that of now, so that the job means the same after a restart."""
    check(who, what)
    version = what.golden_version or newest_version(goldfold.ledger.golden)
    told = {"kind": who.kind, "name": who.name, "limit": who.limit, "golden_version": version, "actor": actor}
    return told | {"fields": list(what.fields), "sealed": what.sealed, "gate": what.gate, "champion": what.champion}


def judge_as_asked(goldfold: Goldfold, request: Mapping[str, Any], run: Run) -> Json:
    """What ``judge`` says to a job's request."""
    who = Who(request["kind"], request["name"], request["limit"])
    known = {key: request[key] for key in ("golden_version", "sealed", "gate", "champion")}
    return judge(goldfold, who, What(fields=tuple(request["fields"]), **known), request["actor"], run)
