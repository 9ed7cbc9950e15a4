from __future__ import annotations

import threading

import pytest

from api.jobs.running import Runs, Steps, Stopped


@pytest.fixture
def steps() -> Steps:
    made = Steps()
    made.open()
    return made


def run(steps: Steps, job_id: str, go: threading.Event) -> tuple[threading.Thread, list[str]]:
    """A step of a job in a thread, which lasts until ``go``."""
    said: list[str] = []
    begun = threading.Event()

    def step() -> None:
        try:
            with steps.one(job_id):
                said.append("begun")
                begun.set()
                go.wait(10)
                said.append("ended")
        except Stopped:
            said.append("stopped")

    thread = threading.Thread(target=step)
    thread.start()
    begun.wait(0.3)
    return thread, said


def test_a_closed_gate_lets_nothing_in() -> None:
    with pytest.raises(Stopped), Steps().one("a"):
        raise AssertionError("it was let in")


def test_steps_of_one_job_take_turns_and_other_jobs_do_not_wait(steps: Steps) -> None:
    go = threading.Event()
    first, first_said = run(steps, "a", go)
    second, second_said = run(steps, "a", go)
    other, other_said = run(steps, "b", go)
    assert (first_said, second_said, other_said) == (["begun"], [], ["begun"])
    assert not steps.idle()
    go.set()
    for thread in (first, second, other):
        thread.join(10)
    assert first_said == second_said == other_said == ["begun", "ended"]
    assert steps.idle()


def test_closing_stops_those_that_wait_and_lets_those_inside_end(steps: Steps) -> None:
    go = threading.Event()
    inside, inside_said = run(steps, "a", go)
    waiting, waiting_said = run(steps, "a", go)
    steps.close()
    waiting.join(10)
    assert waiting_said == ["stopped"]
    assert not steps.idle(0.05)
    go.set()
    assert steps.idle(10)
    inside.join(10)
    assert inside_said == ["begun", "ended"]


def test_a_step_that_fails_leaves_the_gate(steps: Steps) -> None:
    with pytest.raises(ZeroDivisionError), steps.one("a"):
        raise ZeroDivisionError
    assert steps.idle()
    with steps.one("a"):
        assert not steps.idle()


def test_a_pause_ends_by_itself_or_when_the_gate_closes(steps: Steps) -> None:
    steps.pause(0.01)
    threading.Timer(0.1, steps.close).start()
    with pytest.raises(Stopped):
        steps.pause(10)


def test_stopped_is_no_exception_that_anything_could_take_for_a_failure() -> None:
    assert not issubclass(Stopped, Exception)


def test_the_end_of_a_job_is_known_with_its_reason_until_it_runs_again() -> None:
    runs = Runs()
    assert runs.ended("a", 0) is None
    with pytest.raises(ValueError, match="broken"), runs.one("a"):
        raise ValueError("broken")
    assert (runs.ended("a", 0), runs.ended("a", 60), runs.all()) == ("broken", None, ["a"])
    with runs.one("a"):
        assert runs.ended("a", 0) is None
    assert runs.ended("a", 0) == ""
    runs.forget("a")
    runs.forget("a")
    assert runs.ended("a", 0) is None
    with runs.one("b"):
        pass
    runs.clear()
    assert runs.all() == []


def test_a_job_stopped_with_its_process_has_not_ended() -> None:
    runs = Runs()
    with pytest.raises(Stopped), runs.one("a"):
        raise Stopped("a")
    assert runs.ended("a", 0) is None
