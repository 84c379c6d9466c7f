"""SIGKILL for the client, the service and the worker, at random moments: every run ends as if nothing had happened."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = 20
WHOLE_RUN_SECONDS = 16


def test_a_killed_client_leaves_its_run_and_the_same_command_attaches_to_it(
    start_service: Callable[..., Any],
    processes: Any,
    make_script: Callable[..., Any],
    rng: random.Random,
    pass_time: Callable[[float], None],
    tmp_path: Path,
) -> None:
    service = start_service("--devices", "cpu:1")
    script = make_script(gated=True, epochs=KILLS + 2)
    point = tmp_path / "point.json"
    point.write_text(script.spec.point.model_dump_json())
    command = ["train", "--point", point, "--train", script.path, "--validation", script.validation]
    command += ["--out", tmp_path / "run", "--service", service.address]
    for epoch in range(1, KILLS + 1):
        client = processes.start(*command)
        script.open(epoch)
        if rng.random() < 0.5:
            assert any(line.startswith(f"epoch {epoch}/") for line in client.stdout)
        else:
            pass_time(rng.uniform(0, 1))
        client.kill()
        client.wait()
    script.open(KILLS + 1, KILLS + 2)
    ended = processes.run(*command)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "run.json").exists()
    with service.client() as client:
        run = client.get(script.spec.run_id)
        assert (run.state, len(run.attempts)) == ("SUCCEEDED", 1)
        epochs = [event.epoch.epoch for event in client.watch(run.name) if event.epoch is not None]
        assert epochs == list(range(1, KILLS + 3))
    assert not [path for path in tmp_path.iterdir() if ".partial" in path.name]


def test_a_service_killed_at_any_moment_of_many_short_runs_loses_and_repeats_none(
    start_service: Callable[..., Any],
    make_script: Callable[..., Any],
    rng: random.Random,
    pass_time: Callable[[float], None],
) -> None:
    scripts = [make_script(epochs=40) for _ in range(60)]
    names: list[str] = []
    for kill in range(KILLS + 1):
        service = start_service("--devices", "cpu:2", "--threads", "2")
        with service.client() as client:
            for script in scripts[3 * kill : 3 * kill + 3]:
                names.append(script.create(client))
            if kill < KILLS:
                pass_time(rng.uniform(0, 0.5))
                service.kill()
                service.processes.wait_for_none()
    with service.client() as client:
        for name in names:
            events = list(client.watch(name))
            assert [event.sequence for event in events] == list(range(1, len(events) + 1))
            assert [event.epoch.epoch for event in events if event.epoch is not None] == list(range(1, 41))
            run = client.get(name)
            assert (run.state, run.last_epoch) == ("SUCCEEDED", 40)
            for artifact in run.artifacts:
                client.download(artifact, service.data_dir.parent / "fetched")
        assert [run.name for run in client.list()] == names[::-1]


@pytest.mark.timeout(1800)
def test_a_service_killed_in_trainings_gives_the_weights_of_undisturbed_ones(
    start_service: Callable[..., Any],
    make_real_run: Callable[..., Any],
    compare: Callable[..., None],
    rng: random.Random,
    pass_time: Callable[[float], None],
) -> None:
    runs: list[Any] = []
    names: list[str] = []
    struck = 0
    while True:
        service = start_service("--devices", "cpu:1", "--threads", "1", scripted=False)
        with service.client() as client:
            if struck == KILLS:
                break
            unfinished = [name for name in names if client.get(name).state != "SUCCEEDED"]
            if not unfinished:
                runs.append(make_real_run(len(runs) + 1, 60))
                names.append(runs[-1].create(client))
                unfinished = names[-1:]
            if rng.random() < 0.5:
                known = client.get(unfinished[0]).last_sequence
                next((event for event in client.watch(unfinished[0], known) if event.epoch is not None), None)
                pass_time(rng.uniform(0, 2))
            else:
                pass_time(rng.uniform(0, WHOLE_RUN_SECONDS))
            struck += client.get(unfinished[0]).state != "SUCCEEDED"  # else it was too late to disturb anything
        service.kill()
        service.processes.wait_for_none()
    with service.client() as client:
        for name in names:
            list(client.watch(name))
            assert client.get(name).state == "SUCCEEDED"
    compare(service, runs)


@pytest.mark.timeout(1800)
def test_workers_killed_in_trainings_give_the_weights_of_undisturbed_ones(
    start_service: Callable[..., Any],
    make_real_run: Callable[..., Any],
    compare: Callable[..., None],
    rng: random.Random,
    pass_time: Callable[[float], None],
) -> None:
    runs: list[Any] = []
    struck = 0
    service = start_service("--devices", "cpu:1", "--threads", "1", scripted=False)
    with service.client() as client:
        while struck < KILLS:
            run = make_real_run(11 + len(runs), 60)
            runs.append(run)
            name, sequence = run.create(client), 0
            while struck < KILLS:
                for event in client.watch(name, sequence):
                    sequence = event.sequence
                    if event.state_change is not None and event.state_change.state == "RUNNING":
                        break
                if rng.random() < 0.5:
                    next((event for event in client.watch(name, sequence) if event.epoch is not None), None)
                    pass_time(rng.uniform(0, 2))
                else:
                    pass_time(rng.uniform(0, WHOLE_RUN_SECONDS))
                if client.get(name).state == "SUCCEEDED":
                    break
                struck += 1
                for worker in service.processes.workers():
                    worker.kill()
                    worker.wait()
                for event in client.watch(name, sequence):
                    sequence = event.sequence
                    if event.state_change is not None:
                        break
                client.create(run.spec)  # the second loss in a row fails it, and who wants it asks again
            list(client.watch(name))
            run_now = client.get(name)
            assert run_now.state == "SUCCEEDED", run_now.failure
    compare(service, runs)
