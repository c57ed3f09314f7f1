"""docs/explanation/event-protocol.md as a state machine: random interleavings of producers, runs, crashes and repairs on real Postgres.

After every step: one live token per batch, attempts within the limit, and every committed row either covered by a run
that finished after it was committed, or announced by an open event. At the end, draining covers everything.
"""

import uuid
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from barton_pipeline.pipeline import NAMES, stage_run, stages_from
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.queue import events, upkeep
from barton_pipeline.stages.lease import StageRun
from barton_pipeline.stages.runner import run_stage
from barton_pipeline_tests.builders import stage_with

BATCHES = st.sampled_from(["A", "B", "C"])
# Low, so that random interleavings come to dead letters.
LIMITS = replace(events.settings(), max_attempts=2, max_crashes=1)
# The laws, as the message of the assertion that finds one broken.
ONE_RUN = "two runs hold one batch"
WITHIN_LIMITS = "an event was tried more often than the limits allow"
NOTHING_FORGOTTEN = "committed rows are neither covered by a finished run nor announced by an open event"
DEAD_LETTERS_TOLD = "a dead letter has no open error"
EXPIRED_HANDED_BACK = "a lease that ran out is still held after the reaper came by"
ZOMBIES_FENCED = "a run that lost its lease got to its work"
COUNTS = {"rows_in": 0, "rows_out": 0, "rows_rejected": 0}


class WorkFailed(Exception):
    """What a failing stage raises."""


@dataclass
class Run:
    """A run as the model knows it; a crashed or replaced one stays as a zombie that may yet wake up."""

    stage_run: StageRun
    stages: list[str]
    sees: set[int] = field(default_factory=set)


class Protocol(RuleBasedStateMachine):
    """The queue under every interleaving of its actors."""

    db: Any

    @initialize()
    def empty(self) -> None:
        self.db.execute("TRUNCATE intake.company_raw_intake, marketing.pipeline_events, marketing.pipeline_errors, "
                        "marketing.workflow_stats, marketing.batch_stages CASCADE")  # fmt: skip
        self.runs: list[Run] = []
        self.zombies: list[Run] = []
        self.uncovered: dict[int, str] = {}

    # -- producers

    @rule(batch=BATCHES, rows=st.sampled_from([1, 2, 101]))
    def rows_are_committed(self, batch: str, rows: int) -> None:
        found = self.db.query(
            "INSERT INTO intake.company_raw_intake (company, import_batch_id) SELECT 'x', %s FROM generate_series(1, %s) RETURNING id",
            batch, rows,
        )  # fmt: skip
        self.uncovered.update({row_id: batch for (row_id,) in found})

    @rule(batch=BATCHES)
    def rows_are_rolled_back(self, batch: str) -> None:
        with self.db.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO intake.company_raw_intake (company, import_batch_id) VALUES ('x', %s)", (batch,)
            )
            connection.rollback()

    # -- the sensor

    @rule(batch=BATCHES)
    def accept(self, batch: str) -> None:
        with transaction(self.db.url) as connection:
            claim = events.accept(connection, batch)
        if claim:
            run = stage_run(
                batch, str(uuid.uuid4()), claim.lease_token, True, frozenset(stages_from(claim.entry_stage)), "event"
            )
            self.runs.append(Run(run, list(stages_from(claim.entry_stage))))

    @rule(batch=BATCHES)
    def the_daemon_dies_after_accept(self, batch: str) -> None:
        with transaction(self.db.url) as connection:
            events.accept(connection, batch)

    @rule()
    def reap(self) -> None:
        """What release_dead_runs does with leases that ran out."""
        with transaction(self.db.url) as connection:
            for lease in events.open_leases(connection):
                if lease.expired and lease.run_id:
                    events.fail(connection, lease.lease_token, "vanished", crashed=True)
                elif lease.expired:
                    events.give_back(connection, lease.lease_token)
        with transaction(self.db.url) as connection:
            assert [lease for lease in events.open_leases(connection) if lease.expired] == [], EXPIRED_HANDED_BACK
        held = {token for (token,) in self.db.query("SELECT DISTINCT lease_token::text FROM marketing.pipeline_events")}
        self.zombies += [run for run in self.runs if run.stage_run.lease_token not in held]
        self.runs = [run for run in self.runs if run.stage_run.lease_token in held]

    @rule(batch=BATCHES)
    def requeue(self, batch: str) -> None:
        with transaction(self.db.url) as connection:
            upkeep.requeue(connection, batch)

    @rule()
    def time_passes(self) -> None:
        self.db.execute("UPDATE marketing.pipeline_events SET available_at = now() WHERE status = 'pending'")

    # -- run workers

    def work(self, run: Run) -> Any:
        def look(connection: Any, batch: str) -> dict[str, Any]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT id FROM intake.company_raw_intake WHERE import_batch_id = %s", (batch,))
                found = {row_id for (row_id,) in cursor.fetchall()}
            if run.stages[0] == NAMES[0]:
                run.sees = found
            return dict(COUNTS)

        return look

    def advance(self, run: Run) -> None:
        run_stage(run.stage_run, stage_with(run.stages[0], self.work(run)))
        run.stages.pop(0)
        if not run.stages:
            for row_id in run.sees:
                self.uncovered.pop(row_id, None)
            self.runs.remove(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), steps=st.integers(1, len(NAMES)))
    def a_run_goes_on(self, data: Any, steps: int) -> None:
        run = data.draw(st.sampled_from(self.runs))
        for _ in range(min(steps, len(run.stages))):
            self.advance(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def a_stage_fails(self, data: Any) -> None:
        self.fail_stage(data.draw(st.sampled_from(self.runs)))

    def fail_stage(self, run: Run) -> None:
        def fail(connection: Any, batch: str) -> dict[str, Any]:
            raise WorkFailed

        with pytest.raises(WorkFailed):
            run_stage(run.stage_run, stage_with(run.stages[0], fail))
        self.runs.remove(run)
        self.zombies.append(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), after_absorbing=st.booleans())
    def a_worker_falls_silent(self, data: Any, after_absorbing: bool) -> None:
        self.silence(data.draw(st.sampled_from(self.runs)), after_absorbing)

    def silence(self, run: Run, after_absorbing: bool) -> None:
        """Killed or frozen: its lease runs out, and it may wake up as a zombie or before anybody noticed."""
        token, batch, run_id = run.stage_run.lease_token, run.stage_run.import_batch_id, run.stage_run.run_id
        with transaction(self.db.url) as connection:
            events.extend(connection, token, run_id)
            if after_absorbing:
                events.absorb(connection, token, batch, run.stages[0], run_id)
        self.let_leases_run_out(token)

    def let_leases_run_out(self, token: str | None = None) -> None:
        self.db.execute(
            "UPDATE marketing.pipeline_events SET lease_until = now() - interval '1 s' WHERE status = 'processing' AND (%s::text IS NULL OR lease_token::text = %s)",
            token, token,
        )  # fmt: skip

    @precondition(lambda self: self.zombies)
    @rule(data=st.data())
    def a_zombie_wakes_up(self, data: Any) -> None:
        self.wake(data.draw(st.sampled_from(self.zombies)))

    def wake(self, run: Run) -> None:
        """Whoever has lost its lease can do nothing, whatever happened to its batch since."""
        before = self.state()

        def write(connection: Any, batch: str) -> dict[str, Any]:
            raise AssertionError(ZOMBIES_FENCED)

        with pytest.raises(events.LeaseLost):
            run_stage(run.stage_run, stage_with(run.stages[0], write))
        token, batch = run.stage_run.lease_token, run.stage_run.import_batch_id
        with pytest.raises(events.LeaseLost), transaction(self.db.url) as connection:
            events.finish(connection, token, batch, NAMES[-1], must_hold=True)
        assert self.state() == before

    # -- what must always hold

    def state(self) -> list[tuple[Any, ...]]:
        return self.db.query(
            "SELECT id, status, attempts, lease_token::text FROM marketing.pipeline_events ORDER BY id"
        )

    @invariant()
    def one_live_run_for_each_batch(self) -> None:
        assert self.db.query(
            "SELECT import_batch_id FROM marketing.pipeline_events WHERE status = 'processing' GROUP BY 1 HAVING count(DISTINCT lease_token) > 1"
        ) == [], ONE_RUN  # fmt: skip

    @invariant()
    def attempts_stay_within_the_limit(self) -> None:
        assert self.db.query(
            "SELECT id, attempts, crashes FROM marketing.pipeline_events WHERE attempts NOT BETWEEN 0 AND %s OR crashes > %s OR attempts < crashes",
            LIMITS.max_attempts, LIMITS.max_crashes,
        ) == [], WITHIN_LIMITS  # fmt: skip

    @invariant()
    def nothing_is_forgotten(self) -> None:
        announced = {batch for (batch,) in self.db.query(
            "SELECT DISTINCT import_batch_id FROM marketing.pipeline_events WHERE status IN ('pending', 'processing', 'failed')")}  # fmt: skip
        assert set(self.uncovered.values()) <= announced, NOTHING_FORGOTTEN

    @invariant()
    def dead_letters_are_in_the_error_log(self) -> None:
        assert self.db.query(
            "SELECT import_batch_id FROM marketing.pipeline_events WHERE status = 'failed' "
            "EXCEPT SELECT import_batch_id FROM marketing.pipeline_errors WHERE event_type = 'dead_letter' AND NOT resolved"
        ) == [], DEAD_LETTERS_TOLD  # fmt: skip

    def teardown(self) -> None:
        """Drain: whatever state the queue is in, repair and retry cover every row."""
        self.runs.clear()
        for _ in range(3):
            self.let_leases_run_out()
            self.reap()
            for batch in ("A", "B", "C"):
                self.requeue(batch)
                self.time_passes()
                self.accept(batch)
            while self.runs:
                self.advance(self.runs[0])
        assert self.uncovered == {}
        assert {status for _, status, _, _ in self.state()} <= {"processed"}


@pytest.fixture
def low_limits(monkeypatch) -> None:
    monkeypatch.setattr(events, "settings", lambda: LIMITS)


def check(db: Any, examples: int, steps: int) -> None:
    machine = type("BoundProtocol", (Protocol,), {"db": db})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_no_interleaving_loses_or_repeats_work(db, low_limits) -> None:
    check(db, examples=8, steps=25)


@pytest.mark.slow
def test_no_longer_interleaving_does_either(db, low_limits) -> None:
    check(db, examples=15, steps=50)


def story(db: Any) -> None:
    """One interleaving that visits every law: a crash, a zombie, two failures, a dead letter, a second chance."""
    machine = type("BoundProtocol", (Protocol,), {"db": db})()

    def laws() -> None:
        machine.one_live_run_for_each_batch()
        machine.attempts_stay_within_the_limit()
        machine.nothing_is_forgotten()
        machine.dead_letters_are_in_the_error_log()

    def begin() -> Run:
        machine.time_passes()
        machine.accept("A")
        laws()
        (run,) = machine.runs
        return run

    machine.empty()
    machine.rows_are_committed("A", 2)
    crashed = begin()
    machine.rows_are_committed("A", 1)
    machine.accept("A")  # the batch is held: no second run
    laws()
    machine.silence(crashed, after_absorbing=True)
    laws()
    machine.reap()
    laws()
    machine.requeue("A")
    for _ in range(LIMITS.max_attempts):
        running = begin()
        machine.wake(crashed)
        machine.fail_stage(running)
        laws()
    machine.time_passes()
    machine.accept("A")
    assert machine.runs == [], "a dead letter is not tried again"
    machine.teardown()
    laws()


def test_the_story_ends_well(db, low_limits) -> None:
    story(db)


def finish_first(connection: Any, token: str, batch: str, stage: str, run_id: str) -> int:
    return events.finish(connection, token, batch, NAMES[-1], must_hold=False)


class Mutant(NamedTuple):
    """A name of ``events`` that does less than it must, and the law that breaks."""

    name: str
    replacement: object
    breaks: str


MUTANTS = {
    "no fence": Mutant("extend", lambda connection, token, run_id: True, ZOMBIES_FENCED),
    "no reaper": Mutant("fail", lambda connection, token, message, crashed=False: (0, 0), EXPIRED_HANDED_BACK),
    "no limit": Mutant("settings", lambda: replace(LIMITS, max_attempts=1000, max_crashes=1000), WITHIN_LIMITS),
    "acknowledged before the work is done": Mutant("absorb", finish_first, NOTHING_FORGOTTEN),
    "one batch for many runs": Mutant("open_leases", lambda connection, batch=None: [], ONE_RUN),
    "silent dead letters": Mutant("error_log", SimpleNamespace(log_error=lambda *_, **__: 0), DEAD_LETTERS_TOLD),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_laws_catch_a_queue_with(db, low_limits, monkeypatch, name: str) -> None:
    mutant = MUTANTS[name]
    monkeypatch.setattr(events, mutant.name, mutant.replacement)
    with pytest.raises(AssertionError, match=mutant.breaks):
        story(db)
