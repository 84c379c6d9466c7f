"""The queue, its slots and its workers: order, retries, and what survives which end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from readlabel.client import TrainingClient
from readlabel.messages import TERMINAL_STATES, ServiceError
from readlabel.v1 import training_run_pb2, training_service_pb2_grpc
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import parse_status, to_proto

Scripts = Callable[..., Any]


def wait_for_state(client: TrainingClient, run: str, state: str) -> None:
    for event in client.watch(run):
        if event.state_change is not None and event.state_change.state == state:
            return
    raise AssertionError(f"{run} never was {state}")


def wait_for_epoch(client: TrainingClient, run: str, epoch: int) -> None:
    for event in client.watch(run):
        if event.epoch is not None and event.epoch.epoch == epoch:
            return
    raise AssertionError(f"{run} never reached epoch {epoch}")


def epochs(client: TrainingClient, run: str) -> list[int]:
    return [event.epoch.epoch for event in client.watch(run) if event.epoch is not None]


def started(client: TrainingClient, names: list[str]) -> list[str]:
    """The runs in the order in which they were started."""
    return sorted(names, key=lambda name: client.get(name).attempts[0].start_time)


def test_runs_start_in_order_of_priority_then_of_creation(client: TrainingClient, make_script: Scripts) -> None:
    first = make_script(gated=True, epochs=1)
    names = [first.create(client)]
    wait_for_state(client, names[0], "RUNNING")
    names += [make_script(epochs=1).create(client, priority=priority) for priority in (0, 0, 5, -5, 5)]
    first.open(1)
    for name in names:
        wait_for_state(client, name, "SUCCEEDED")
    order = [names.index(name) for name in started(client, names)]
    assert order == [0, 3, 5, 1, 2, 4]


def test_the_worker_of_the_next_run_is_ready_before_this_one_ends(
    service: Any, client: TrainingClient, make_script: Scripts, until: Callable[..., Any]
) -> None:
    first, second = make_script(gated=True), make_script(gated=True)
    names = [first.create(client), second.create(client)]
    first.open(1)
    wait_for_epoch(client, names[0], 1)
    until(lambda: len(service.processes.workers()) == 2, "the next run's worker")
    both = {worker.pid for worker in service.processes.workers()}
    first.open(2, 3)
    wait_for_state(client, names[1], "RUNNING")
    assert {worker.pid for worker in service.processes.workers()} < both
    second.open(1, 2, 3)
    wait_for_state(client, names[1], "SUCCEEDED")


def test_two_slots_train_two_runs_at_once(start_service: Callable[..., Any], make_script: Scripts) -> None:
    service = start_service("--devices", "cpu:2", "--threads", "2")
    with service.client() as client:
        scripts = [make_script(gated=True) for _ in range(3)]
        names = [script.create(client) for script in scripts]
        for name in names[:2]:
            wait_for_state(client, name, "RUNNING")
        info = client.server_info()
        assert {device.run for device in info.devices} == set(names[:2])
        assert [device.threads for device in info.devices] == [1, 1]
        assert client.get(names[2]).state == "QUEUED"
        assert info.queued_runs == 1
        scripts[1].open(1, 2, 3)
        wait_for_state(client, names[2], "RUNNING")
        assert client.get(names[0]).state == "RUNNING"


def test_a_full_queue_refuses_and_says_when_to_come_back(
    start_service: Callable[..., Any], make_script: Scripts
) -> None:
    service = start_service("--devices", "cpu:1", "--max-queued", "2")
    with service.client() as client:
        running = make_script(gated=True).create(client)
        wait_for_state(client, running, "RUNNING")
        for _ in range(2):
            make_script().create(client)
        one_more = make_script()
        one_more.upload(client)
        request = pb.CreateTrainingRunRequest()
        request.training_run.spec.CopyFrom(to_proto(one_more.spec, training_run_pb2.RunSpec))
        with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError) as caught:
            training_service_pb2_grpc.TrainingServiceStub(channel).CreateTrainingRun(request)
        status = parse_status(caught.value)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (status.reason, status.retry_seconds) == ("QUEUE_FULL", 60)
        assert client.create(client.get(running).spec).name == running, "what is there already takes no place"


def test_a_lost_worker_is_replaced_once_and_goes_on_from_the_checkpoint(
    client: TrainingClient, make_script: Scripts
) -> None:
    script = make_script(die_at=2)
    name = script.create(client)
    assert epochs(client, name) == [1, 2, 3]
    run = client.get(name)
    assert run.state == "SUCCEEDED"
    assert [attempt.resumed_from_epoch for attempt in run.attempts] == [0, 2]
    assert "SIGKILL" in run.attempts[0].notes[0]
    assert "scripted end" in run.attempts[0].notes[0]


def test_an_epoch_that_the_service_did_not_hear_of_is_told_by_the_next_worker(
    client: TrainingClient, make_script: Scripts
) -> None:
    name = make_script(silent_at=2).create(client)
    assert epochs(client, name) == [1, 2, 3]


def test_a_worker_lost_twice_fails_the_run_and_a_caller_may_ask_again(
    client: TrainingClient, make_script: Scripts
) -> None:
    script = make_script(die_at=0, deaths=2)
    name = script.create(client)
    wait_for_state(client, name, "FAILED")
    run = client.get(name)
    assert run.failure is not None
    assert (run.failure.reason, len(run.attempts)) == ("WORKER_LOST", 2)
    assert "worker.log" in {artifact.name for artifact in run.artifacts}
    client.resume(name)
    for event in client.watch(name, run.last_sequence):
        assert event.state_change is None or event.state_change.state in ("QUEUED", "RUNNING", "SUCCEEDED")
    assert client.get(name).state == "SUCCEEDED"


def test_a_failed_device_is_tried_once_more(client: TrainingClient, make_script: Scripts) -> None:
    name = make_script(outcome="FAILED", reason="DEVICE").create(client)
    wait_for_state(client, name, "FAILED")
    assert [attempt.resumed_from_epoch for attempt in client.get(name).attempts] == [0, 3], "from its checkpoint"


def test_a_program_that_is_no_worker_fails_the_run_with_what_it_wrote(
    start_service: Callable[..., Any], make_script: Scripts
) -> None:
    service = start_service("--worker-command", "sh -c 'echo no such device >&2; exit 3'", scripted=False)
    with service.client() as client:
        name = make_script().create(client)
        wait_for_state(client, name, "FAILED")
        failure = client.get(name).failure
        assert failure is not None
        assert failure.reason == "WORKER_LOST"
        assert "status 3" in failure.message
        assert "no such device" in failure.message


def test_a_worker_that_does_not_obey_is_ended(start_service: Callable[..., Any], make_script: Scripts) -> None:
    service = start_service("--grace", "0.5")
    with service.client() as client:
        name = make_script(gated=True, deaf=True).create(client)
        wait_for_state(client, name, "RUNNING")
        (worker,) = service.processes.workers()
        client.cancel(name)
        wait_for_state(client, name, "CANCELLED")
        worker.wait(30)


def test_sigterm_checkpoints_and_a_restart_goes_on(
    start_service: Callable[..., Any], make_script: Scripts, processes: Any
) -> None:
    service = start_service()
    script, waiting = make_script(gated=True), make_script()
    with service.client() as client:
        name, later = script.create(client), waiting.create(client)
        script.open(1)
        wait_for_epoch(client, name, 1)
    assert service.terminate() == 0
    processes.wait_for_none()
    assert service.lines[-1].startswith("stopping")
    script.open(2, 3)
    service = start_service()
    with service.client() as client:
        assert epochs(client, name) == [1, 2, 3]
        assert client.get(name).attempts[1].resumed_from_epoch == 1
        wait_for_state(client, later, "SUCCEEDED")


def test_ctrl_c_ends_the_service_cleanly(start_service: Callable[..., Any], processes: Any) -> None:
    service = start_service()
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(60) == 0
    assert service.errors() == ""
    processes.wait_for_none()


def test_health_says_not_serving_while_workers_checkpoint(
    start_service: Callable[..., Any], make_script: Scripts
) -> None:
    service = start_service("--grace", "3")
    with service.client() as client, grpc.insecure_channel(service.address) as channel:
        name = make_script(gated=True, deaf=True).create(client)
        wait_for_state(client, name, "RUNNING")
        health = health_pb2_grpc.HealthStub(channel)
        watching = health.Watch(health_pb2.HealthCheckRequest(service="readlabel.v1.TrainingService"))
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        service.process.terminate()
        assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(ServiceError) as caught:
            make_script().create(client)
        assert caught.value.reason == "SHUTTING_DOWN"
    assert service.process.wait(60) == 0


def test_sigkill_of_the_service_ends_its_workers_and_a_restart_queues_the_runs_again(
    start_service: Callable[..., Any], make_script: Scripts, processes: Any
) -> None:
    service = start_service()
    script = make_script(gated=True)
    with service.client() as client:
        name = script.create(client)
        script.open(1)
        wait_for_epoch(client, name, 1)
    service.kill()
    processes.wait_for_none()
    script.open(2, 3)
    service = start_service()
    with service.client() as client:
        events = list(client.watch(name))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert [event.epoch.epoch for event in events if event.epoch] == [1, 2, 3]
        assert client.get(name).state == "SUCCEEDED"


def test_a_watcher_with_patience_sees_a_restart_as_a_pause(
    start_service: Callable[..., Any], make_script: Scripts, tmp_path: Path
) -> None:
    service = start_service()
    script = make_script(gated=True)
    socket = service.folder / "s.sock"
    with service.client(patience=60) as client:
        name = script.create(client)
        script.open(1)
        seen = []
        for event in client.watch(name):
            if event.epoch is None:
                continue
            seen.append(event.epoch.epoch)
            if seen == [1]:
                service.kill()
                script.open(2, 3)
                arguments = [part for part in service.process.args if part is not None]
                process = service.processes.start(*arguments[3:])
        assert seen == [1, 2, 3]
        assert client.get(name).state in TERMINAL_STATES
    assert socket.exists()
    process.terminate()
    assert process.wait(60) == 0


def test_a_run_of_another_engine_that_did_not_end_fails_at_the_start(
    start_service: Callable[..., Any], make_script: Scripts, tmp_path: Path
) -> None:
    from readlabel.messages import ENGINE_REVISION
    from readlabel.server.run_store import RunStore, StoredRun
    from readlabel.wire import TrainingRun, run_name

    spec = make_script().spec
    old = spec.model_copy(update={"point": spec.point.model_copy(update={"engine_revision": ENGINE_REVISION + 7})})
    (tmp_path / "data").mkdir(mode=0o700)
    store = RunStore(tmp_path / "data" / "runs.sqlite")
    store.save(StoredRun(TrainingRun(name=run_name(old.run_id), spec=old, state="RUNNING"), 1))
    store.close()
    service = start_service()
    with service.client() as client:
        run = client.get(old.run_id)
        assert run.failure is not None
        assert (run.state, run.failure.reason) == ("FAILED", "ENGINE_CHANGED")


def test_a_run_whose_reads_went_from_the_store_while_it_waited_is_trained_when_they_are_sent_again(
    service: Any, client: TrainingClient, make_script: Scripts
) -> None:
    busy, waiting = make_script(gated=True), make_script()
    names = [script.create(client) for script in (busy, waiting)]
    digest = waiting.spec.training_reads.sha256
    (service.data_dir / "blobs" / digest[:2] / digest).unlink()
    busy.open(1, 2, 3)
    wait_for_state(client, names[1], "FAILED")
    failure = client.get(names[1]).failure
    assert failure is not None
    assert (failure.reason, failure.message.partition(" ")[0]) == ("INTERNAL", "training_reads")
    assert waiting.create(client) == names[1]
    wait_for_state(client, names[1], "SUCCEEDED")


def test_memory_processes_and_files_of_ended_runs_are_given_back(
    service: Any, client: TrainingClient, make_script: Scripts, until: Callable[..., Any]
) -> None:
    def train(runs: int) -> None:
        for _ in range(runs):
            name = make_script(epochs=1).create(client)
            wait_for_state(client, name, "SUCCEEDED")

    # The next worker starts as a run ends, and for that moment the service holds both ends of its pipes.
    train(3)
    process = psutil.Process(service.process.pid)
    files = process.num_fds()
    train(12)
    until(lambda: process.num_fds() <= files, f"no more than {files} open files")
    assert not list((service.data_dir / "runs").iterdir())
    assert not list((service.data_dir / "uploads").iterdir())
