"""A whole small deployment in a folder, without Label Studio: what every page of the console has something to tell of.

``seed(folder)`` writes it, ``opened(folder)`` opens it, ``copied(seeded, folder)`` opens a copy; tests take the folder
of the fixture ``seeded``, which nobody may write to. To look at it in a browser:

    python -m tests.api.console.seeded FOLDER --serve 8090

Nothing of it is real: the items are words, the people are names, and the days are the last sixty.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import sqlalchemy as sa
import yaml

from api import daily_qa, policy_changes, root_causes, signals, trends, weekly
from api.auth import Role, make_key
from api.jobs import steps
from api.policy_changes import Follow
from api.server import serving
from api.service import Service
from configs.qa_files import read_qa_file
from configs.settings import Settings
from labeling.assign import AssignRules
from labeling.decision_records import ErrorType
from labeling.erasure import erase
from labeling.exports import hand_out as hand_out_export
from labeling.golden.contested import is_contested
from labeling.golden.publish import publish
from labeling.golden_records import Erratum
from labeling.handout import hand_out
from labeling.ingest import ingest
from labeling.insights import causes
from labeling.insights.causes import Told, Wanted
from labeling.insights.weekly import week_of
from labeling.judging.thresholds import MISS_RATE
from labeling.judging.thresholds import Wanted as Line
from labeling.policy_publish import Change
from labeling.policy_rounds import plan_for, write_round
from labeling.policy_versions import ChangeKind
from labeling.purposes import DAILY_QA
from labeling.records import (
    Answer,
    Outcome,
    Partition,
    PickRow,
    RoundState,
    TaskKind,
    TaskState,
)
from labeling.roster import add_person
from labeling.round_costs import Costs
from labeling.rounds import close_round
from labeling.store.database import Database
from labeling.store.tables import tasks as task_table
from selection.types import RELABEL
from tests.api.console.floor import HATE, LEAD, OTHER_LEAD, PRIVACY, VIOLENCE, Floor, opposite, violates
from tests.api.site import WordGoldfold, score_all

POLICIES = Path(__file__).parents[3] / "configs" / "policies"
USED = (HATE, VIOLENCE, PRIVACY)
ITEMS, THEME = 320, 30
DAYS, A_DAY = 60, 48
WIDE = {str(severity): 0.25 for severity in range(5)}
TIGHT = {str(severity): 0.01 for severity in range(5)}
SHARES = {"train": 0.3, "calibration": 0.2, "dev": 0.2, "sealed": 0.25, "anchor": 0.05}
QA = {
    "accuracy": 0.85,
    "projects": {"chat": 0.9},
    "actions": {"remove": "violates", "keep": "ok"},
    "people": {"mod-4": "fay@example.org"},
}
QA_DAYS = (41, 34, 31, 20, 13, 6, 3)  # back from today; all judged again
OPEN_DAY = 2  # whose sample waits for answers; yesterday nobody has drawn


def settings(folder: Path, **more: object) -> Settings:
    """Settings of the deployment in ``folder``."""
    given: dict[str, object] = {
        "data_dir": folder / "data",
        "policies_dir": folder / "policies",
        "qa_file": folder / "qa.yaml",
        "executor_id": "seeded",
        "budget": 40,
        "qa_budget": 36,
        "partitions": SHARES,
        "gate_margins": WIDE,
        "gate_secret": "a secret of thirty-two characters",
        "sealed_min_cell": 13,
        "injection_rate": 0.3,
        "device": "cpu",
    }
    return Settings.model_validate(given | more)


def opened(folder: Path, **more: object) -> WordGoldfold:
    """The deployment that ``seed`` wrote."""
    return WordGoldfold(settings(folder, **more))


def copied(seeded_folder: Path, folder: Path) -> WordGoldfold:
    """A copy of a seeded deployment, to be written to; versions and models are read where they were made."""
    shutil.copytree(seeded_folder, folder)
    return opened(folder)


def seed(folder: Path) -> None:
    """Write the deployment; ``folder`` must not hold one yet."""
    (folder / "policies").mkdir(parents=True)
    for name in USED:
        shutil.copy(POLICIES / f"{name}.yaml", folder / "policies")
    (folder / "qa.yaml").write_text(yaml.safe_dump(QA), encoding="utf-8")
    goldfold = opened(folder)
    story = Story(goldfold)
    story.content()
    story.first_rounds()
    story.first_version()
    story.models()
    story.second_looks()
    story.second_version(opened(folder, gate_margins=TIGHT))
    story.production()
    story.daily_qa()
    story.from_outside()
    story.desk()
    story.weeks()
    story.policy_change()
    story.floor()
    story.waits()
    story.erased()
    goldfold.close()


class Story(Floor):
    """What happened, one method a chapter; they rely on each other's order."""

    def content(self) -> None:
        """Items of seven weeks in two languages, and a theme that came up in the last days."""
        rows = [self.row(n) for n in range(ITEMS)] + [self.theme(n) for n in range(THEME)]
        ingest(
            rows,
            self.lake,
            self.ledger.items,
            lock_path=self.goldfold.settings.data_dir / "ingest.lock",
            max_text_chars=1000,
            policies=self.goldfold.policies.keys(),
        )
        score_all(self.goldfold)
        trends.judge_day(self.goldfold)

    def first_rounds(self) -> None:
        """Two rounds, answered, decided and closed."""
        for round_id, policy_id, budget, day in (("hate-1", HATE, 160, 48), ("violence-1", VIOLENCE, 50, 44)):
            self.open(round_id, policy_id, budget, {"random": 0.5, "uncertain": 0.5})
            self.answered(round_id, self.ago(day))
            close_round(self.ledger, round_id)

    def first_version(self) -> None:
        publish(self.ledger.golden, self.goldfold.golden_dir, self.now, author=LEAD)

    def models(self) -> None:
        """A champion with a line of its own, and somebody who would take its place."""
        for number, name in enumerate(("hate-head-1", "hate-head-2")):
            steps.train(self.goldfold, name, "1.0.0", number)
            self.goldfold.evaluate(name)
        self.goldfold.calibrate("hate-head-1", LEAD)
        self.goldfold.promote("hate-head-1", LEAD, "the first one")
        score_all(self.goldfold)
        self.goldfold.threshold("hate-head-1", HATE, Line(MISS_RATE, 0.3), LEAD)

    def second_looks(self) -> None:
        """Labels of the first version that others were asked about again, and that a lead turned round."""
        chosen = [row for row in self.gold(HATE) if row.partition is Partition.TRAIN][:4]
        policy = self.goldfold.policies[HATE]
        picks = [PickRow("again-1", r.item_id, HATE, RELABEL, None, 0.5, r.group_id, ()) for r in chosen]
        plan = plan_for("relabel", policy, RELABEL, len(picks), 2)
        write_round(self.ledger, self.lake, "again-1", 0, plan, picks, {}, ["labels that looked wrong"])
        for task in self.delivered("again-1"):
            said = opposite(self.truth(task))
            self.say(task, [(OTHER_LEAD, said), ("fay@example.org", said)], self.ago(30))
        self.decide("again-1", lambda task: opposite(self.truth(task)), self.ago(29))
        close_round(self.ledger, "again-1")
        row = self.ledger.golden.rows_of(chosen[0].item_id)[0]
        reason = "the text quotes somebody else"
        self.ledger.golden.add_erratum(Erratum("1.0.0", row.item_id, HATE, reason, LEAD, self.now))

    def second_version(self, strict: WordGoldfold) -> None:
        """More labels, a version, and two verdicts on the challenger: one by margins too tight to tell, and a pass."""
        self.open("hate-2", HATE, 20, {"random": 0.5, "risk": 0.5})
        self.answered("hate-2", self.ago(26))
        close_round(self.ledger, "hate-2")
        strict.gate("hate-head-2", LEAD, golden_version="1.0.0")
        strict.close()
        made = publish(self.ledger.golden, self.goldfold.golden_dir, self.now, "minor", author=LEAD)
        self.goldfold.gate("hate-head-2", LEAD, golden_version=made.version)
        folder = self.goldfold.exports_dir / "for-team-b"
        hand_out_export(self.ledger, made.version, folder, actor=LEAD, recipient="team-b@example.org", form="jsonl")

    def production(self) -> None:
        """Sixty days of decisions by people, a model and an agent."""
        known = [r for r in self.gold(HATE) if r.partition is not Partition.SEALED and not is_contested(r)]
        names = self.names()
        taken = {row.item_id for row in self.ledger.golden.items()}
        fresh = sorted(name for key, name in names.items() if key not in taken and name.startswith("post-"))
        rows = []
        for back in range(DAYS, 0, -1):
            for n in range(A_DAY):
                number = back * A_DAY + n
                row = known[number * 7 % len(known)]
                name, bad = row.external_id, row.outcome is Outcome.VIOLATES
                if back <= OPEN_DAY and n % 4 == 0:
                    name = fresh[number % len(fresh)]
                    bad = int(name.removeprefix("post-")) % 2 == 1
                rows.append(self.decision(back, n, name, bad))
        daily_qa.take_in(self.goldfold, rows)

    def daily_qa(self) -> None:
        """Days that were judged again, one that waits for answers; yesterday nobody has drawn."""
        for back in (*QA_DAYS, OPEN_DAY):
            daily_qa.sample_day(self.goldfold, self.day(back).isoformat())
            for round_ in self.ledger.rounds.all():
                if back != OPEN_DAY and round_.plan.get("purpose") == DAILY_QA and round_.state is RoundState.OPEN:
                    self.answered(round_.round_id, self.ago(back - 1))
                    close_round(self.ledger, round_.round_id)

    def from_outside(self) -> None:
        """Appeals that were upheld before and are granted now, and reports of what was left up."""
        known = self.gold(HATE)
        rows = []
        for n in range(80):
            back = 55 - n % 26 if n < 40 else 27 - n % 26
            granted = n >= 40 and n % 3 > 0
            rows.append(
                self.signal(f"a{n}", "appeal", known[n % len(known)], back, "overturned" if granted else "upheld")
            )
        rows += [self.signal(f"p{n}", "appeal", known[n], 1, "pending") for n in range(3)]
        rows += [self.signal(f"r{n}", "report", known[(n * 3) % len(known)], 1 + n % 50) for n in range(30)]
        signals.take_in(self.goldfold, rows)

    def desk(self) -> None:
        """Two findings with causes: an action that helped, and one that is late."""
        actions = daily_qa.actions_of(read_qa_file(self.goldfold.settings.qa_file))
        told = (
            Told("Quotes are removed", "Posts that quote are removed.", {"project": "forum"}, (), ErrorType.OVER, 3),
            Told("Insults in chat stay up", "Short insults are kept.", {"project": "chat"}, (), ErrorType.UNDER, 4),
        )
        wanted = (
            Wanted("Add an example of a quote", "policy team", "accuracy", 0.5, self.day(20), {}),
            Wanted("Train the new team", "team leads", "accuracy", 0.95, self.day(1), {}),
        )
        for n, code in enumerate(("G.no_example", "R.knowledge_gap")):
            made = causes.open_finding(self.ledger, told[n], LEAD, self.ago(40))
            self.code(made.finding_id, code)
            action = causes.agree_action(self.ledger, made.finding_id, wanted[n], actions, LEAD, self.ago(39))
            if n == 0:
                causes.finish(self.ledger, action.action_id, LEAD, "it is in", self.ago(30))
                root_causes.prove(self.goldfold, action.action_id, LEAD)

    def weeks(self) -> None:
        """The pack of the week before last, signed; the newest, a draft."""
        for back, signer in ((15, LEAD), (8, "")):
            week = week_of(self.ago(back), "UTC")
            weekly.draft_pack(self.goldfold, week, LEAD, coverage=False)
            if signer:
                weekly.sign_pack(self.goldfold, week, signer)

    def policy_change(self) -> None:
        """Violence becomes tighter, so that what was allowed under it is stale."""
        text = self.goldfold.policies[VIOLENCE]
        tighter = text.model_copy(
            update={"version": "1.1.0", "definition": f"{text.definition} Threats in jest count."}
        )
        change = Change((ChangeKind.TIGHTEN,), "threats in jest were left up", LEAD)
        policy_changes.publish(self.goldfold, tighter, change, Follow(0, 0))

    def floor(self) -> None:
        """A roster with bounds and opt-outs, an open round handed out with injections, which one person fails."""
        for name, fields in (
            ("ann", {"name": "Ann", "languages": ["en", "pt"]}),
            ("bea", {"name": "Bea", "languages": ["en"], "opt_outs": [VIOLENCE]}),
            ("cem", {"name": "Cem", "languages": ["pt", "en"], "daily_exposure": 60.0}),
            ("dia", {"name": "Dia", "opt_outs": [PRIVACY], "expert": True}),
            ("eli", {"name": "Eli", "daily_exposure": 40.0}),
        ):
            add_person(self.ledger.people, self.goldfold.policies, LEAD, f"{name}@example.org", fields)
        self.open("hate-3", HATE, 36, {"random": 0.5, "uncertain": 0.5}, deliver=False)
        rules = AssignRules(daily_exposure=1000.0, severe_in_row=1000, severe_units=1000.0, injection_rate=0.45)
        hand_out(self.ledger, self.lake, self.goldfold.policies, rules, Costs(), self.now)
        self.deliver(self.ledger.tasks.where(states=(TaskState.QUEUED,)))
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        for task in self.ledger.tasks.where(kind=TaskKind.INJECTION, states=(TaskState.SENT,)):
            said = self.truth(task)
            self.say(task, [(task.assignee, opposite(said) if task.assignee.startswith("eli") else said)], midnight)
        for place, task in enumerate(self.ledger.tasks.where(kind=TaskKind.COPY, states=(TaskState.SENT,))):
            if place % 3 or task.assignee.startswith("eli"):
                self.say(task, [(task.assignee, self.truth(task))], midnight)
        self.ledger.people.change("eli@example.org", {"daily_exposure": 0.5}, LEAD)  # more than that was seen today
        self.settle()

    def waits(self) -> None:
        """Two disputes that no lead has decided for days."""
        self.open("violence-2", VIOLENCE, 6, {"random": 1.0})
        for task in self.sent("violence-2")[:2]:
            self.say(task, [("ann@example.org", Answer(Outcome.ALLOWED)), ("fay@example.org", violates())], self.ago(6))
        self.settle()
        open_ = self.ledger.tasks.where(round_id="violence-2", kind=TaskKind.ADJUDICATION)
        self.deliver(open_)
        database = Database(self.goldfold.settings.ledger_url)
        for days, task in zip((6, 2), open_, strict=True):
            query = sa.update(task_table).where(task_table.c.task_id == task.task_id)
            with database.write() as connection:
                connection.execute(query.values(created_at=self.ago(days)))
        database.close()

    def erased(self) -> None:
        """One item is gone, another must not go."""
        first, second = [row for row in self.gold(HATE) if row.partition is Partition.TRAIN][-2:]
        held = self.ledger.items.named(second.external_id)
        self.ledger.erasures.hold(held, LEAD, "case 2026-114")
        erase(self.ledger, self.lake, self.goldfold.places, first.external_id, LEAD, "asked by its author")


def serve(folder: Path, port: int) -> None:
    """Serve it, with a key for each role, until the process is interrupted."""
    goldfold = opened(folder, port=port)
    with Service(goldfold.settings, goldfold) as service, serving(service):
        for role in Role:
            key, plain = make_key("ann@example.org" if role is Role.ANNOTATOR else f"{role}@example.org", role)
            goldfold.ledger.keys.add(key)
            sys.stdout.write(f"{role}: {plain}\n")
        sys.stdout.write(f"http://127.0.0.1:{port}/console/\n")
        sys.stdout.flush()
        while True:
            time.sleep(1)


def main() -> None:
    """Seed a folder, and serve it where a port is given."""
    parser = argparse.ArgumentParser(description="Write a small deployment, and serve its console.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--serve", type=int, metavar="PORT", help="serve it there")
    given = parser.parse_args()
    if not (given.folder / "data").exists():
        seed(given.folder)
    if given.serve:
        serve(given.folder, given.serve)


if __name__ == "__main__":
    main()
