"""What `make run` trains, in full: as good as it is said to be, with progress to look at, and never twice."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.demo, pytest.mark.timeout(2400)]
COMBINATIONS = 4
EPOCHS = 4


@pytest.fixture(scope="module")
def demonstration(shared_launch):
    return shared_launch.run("-profile", "demo", limit=1800)


def test_the_best_variant_labels_97_percent_of_the_validation_bases_correctly(demonstration):
    assert demonstration.exit_status == 0, demonstration.output
    rows = list(demonstration.leaderboard.values())
    assert [row["state"] for row in rows] == ["SUCCEEDED"] * COMBINATIONS
    best = next(row for row in rows if row["rank"] == "1")
    assert float(best["per_base_accuracy"]) >= 0.97
    assert abs(float(best["per_base_accuracy"]) - float(best["tranquillyzer_accuracy"])) <= 0.003


def test_every_training_logs_one_line_an_epoch(demonstration, shared_launch):
    logs = [run.with_name(".command.log").read_text() for run in shared_launch.folder.glob("work/*/*/run")]
    trainings = [log for log in logs if "epoch 1/" in log]
    assert len(trainings) == COMBINATIONS
    for log in trainings:
        epochs = [line.split()[1] for line in log.splitlines() if line.startswith("epoch ")]
        assert epochs == [f"{epoch}/{EPOCHS}" for epoch in range(1, EPOCHS + 1)]


def test_resume_trains_nothing_again(demonstration, shared_launch):
    again = shared_launch.run("-profile", "demo", "-resume", limit=300)
    assert again.exit_status == 0, again.output
    assert {task.status for task in again.tasks} == {"CACHED"}
    assert again.leaderboard == demonstration.leaderboard
