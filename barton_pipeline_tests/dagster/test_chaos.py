"""A short trial of benchmarks.chaos: a handful of kills on real processes, and nothing lost, nothing twice."""

import pytest

from benchmarks.chaos import chaos


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_at_random_lose_and_repeat_nothing(monkeypatch) -> None:
    monkeypatch.delenv("BARTON_DATABASE_URL", raising=False)
    with chaos(
        seed=3, pause=(0.5, 2.0)
    ) as trial:  # a few dozen batches: two processors and other tests have to drain them
        trial.torment(kills=5)
        trial.quiet.set()
        trial.finish_loads()
        trial.drain(seconds=400)
        assert sum(trial.kills.values()) == 5 and trial.committed > 5
        assert trial.verdict() == {}
