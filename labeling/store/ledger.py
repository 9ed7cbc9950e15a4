"""The ledger in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from labeling.insights.trend_records import Trends
from labeling.mirror.records import Mirrors
from labeling.policy_proposals import PolicyProposals
from labeling.store.annotations import SqlAnnotations
from labeling.store.annotator_interface import Objections
from labeling.store.audit import SqlAudit
from labeling.store.audit_interface import Audit
from labeling.store.cause_interface import Causes
from labeling.store.causes import SqlCauses
from labeling.store.database import Database
from labeling.store.decision_interface import Decisions
from labeling.store.decisions import SqlDecisions
from labeling.store.desks import SqlDesks
from labeling.store.erasures import SqlErasures
from labeling.store.executors import SqlExecutors
from labeling.store.golden import SqlGolden
from labeling.store.interfaces import (
    Annotations,
    Desks,
    Erasures,
    Executors,
    Gates,
    Golden,
    ItemRegistry,
    Keys,
    Models,
    People,
    PolicyVersions,
    Projects,
    Rounds,
    SealedQueries,
    Stops,
    Tasks,
)
from labeling.store.items import SqlItems
from labeling.store.judging import SqlGates, SqlSealedQueries
from labeling.store.keys import SqlKeys
from labeling.store.mirrors import SqlMirrors
from labeling.store.models import SqlModels
from labeling.store.objections import SqlObjections
from labeling.store.people import SqlPeople
from labeling.store.policies import SqlPolicyVersions
from labeling.store.policy_proposals import SqlPolicyProposals
from labeling.store.projects import SqlProjects
from labeling.store.rounds import SqlRounds
from labeling.store.schema import upgrade
from labeling.store.session_interface import Sessions
from labeling.store.sessions import SqlSessions
from labeling.store.signal_interface import Signals
from labeling.store.signals import SqlSignals
from labeling.store.stops import SqlStops
from labeling.store.tasks import SqlTasks
from labeling.store.trends import SqlTrends
from labeling.store.weekly import SqlWeeklyPacks
from labeling.store.weekly_interface import WeeklyPacks


class SqlLedger:
    """``Ledger`` on one database. Safe for threads; close it once."""

    items: ItemRegistry
    stops: Stops
    rounds: Rounds
    tasks: Tasks
    annotations: Annotations
    golden: Golden
    policies: PolicyVersions
    proposals: PolicyProposals
    erasures: Erasures
    models: Models
    mirrors: Mirrors
    trends: Trends
    gates: Gates
    sealed: SealedQueries
    projects: Projects
    people: People
    desks: Desks
    decisions: Decisions
    causes: Causes
    weekly: WeeklyPacks
    signals: Signals
    objections: Objections
    keys: Keys
    sessions: Sessions
    executors: Executors
    audit: Audit

    def __init__(self, database: Database) -> None:
        self._database = database
        self.items = SqlItems(database)
        self.stops = SqlStops(database)
        self.rounds = SqlRounds(database)
        self.tasks = SqlTasks(database)
        self.annotations = SqlAnnotations(database)
        self.golden = SqlGolden(database)
        self.policies = SqlPolicyVersions(database)
        self.proposals = SqlPolicyProposals(database)
        self.erasures = SqlErasures(database)
        self.models = SqlModels(database)
        self.mirrors = SqlMirrors(database)
        self.trends = SqlTrends(database)
        self.gates = SqlGates(database)
        self.sealed = SqlSealedQueries(database)
        self.projects = SqlProjects(database)
        self.people = SqlPeople(database)
        self.desks = SqlDesks(database)
        self.decisions = SqlDecisions(database)
        self.causes = SqlCauses(database)
        self.weekly = SqlWeeklyPacks(database)
        self.signals = SqlSignals(database)
        self.objections = SqlObjections(database)
        self.keys = SqlKeys(database)
        self.sessions = SqlSessions(database)
        self.executors = SqlExecutors(database)
        self.audit = SqlAudit(database)

    @property
    def where(self) -> str:
        """The database's address without its password."""
        return self._database.where

    def close(self) -> None:
        self._database.close()


def open_ledger(url: str) -> SqlLedger:
    """Open ``sqlite:///FILE`` (made if missing) or ``postgresql://...`` and bring its tables up to date.

    Raises InvalidInput for a URL that is none, StoreError when the database cannot be used.
    """
    database = Database(url)
    try:
        upgrade(database)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database)
