"""A run's life as a caller of the API sees it, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readlabel.client import TrainingClient
from readlabel.messages import (
    ENGINE_REVISION,
    Hyperparameters,
    InputError,
    RunRecord,
    ServiceError,
    ServiceMismatchError,
)


def states(client: TrainingClient, run: str, after: int = 0) -> list[str]:
    return [event.state_change.state for event in client.watch(run, after) if event.state_change is not None]


def test_a_run_is_queued_trained_and_leaves_its_artifacts(
    client: TrainingClient, make_script: Callable[..., Any], tmp_path: Any
) -> None:
    script = make_script(epochs=3)
    name = script.create(client, tags={"sweep": "one"})
    events = list(client.watch(name))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.epoch.epoch for event in events if event.epoch is not None] == [1, 2, 3]
    assert [event.state_change.state for event in events if event.state_change] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    run = client.get(name)
    assert (run.run_id, run.spec, run.tags, run.last_epoch) == (script.spec.run_id, script.spec, {"sweep": "one"}, 3)
    assert run.record is not None
    assert run.record.run_id == run.run_id
    assert [attempt.number for attempt in run.attempts] == [1]
    artifact = next(artifact for artifact in run.artifacts if artifact.name == "run.json")
    client.download(artifact, tmp_path / "run.json")
    assert RunRecord.model_validate_json((tmp_path / "run.json").read_text()) == run.record


def test_creating_a_run_twice_gives_the_same_run_and_trains_once(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script(gated=True)
    first = script.create(client)
    script.open(1)
    assert client.create(script.spec, tags={"other": "words"}).name == first
    script.open(2, 3)
    assert states(client, first) == ["QUEUED", "RUNNING", "SUCCEEDED"]
    again = client.create(script.spec)
    assert (again.state, len(again.attempts), again.tags) == ("SUCCEEDED", 1, {})


def test_validate_only_checks_and_changes_nothing(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    script = make_script()
    with pytest.raises(ServiceError, match="upload first") as caught:
        client.create(script.spec, validate_only=True)
    assert caught.value.reason == "MISSING_BLOBS"
    script.upload(client)
    assert client.create(script.spec, validate_only=True).run_id == script.spec.run_id
    assert list(client.list()) == []
    failing = make_script(outcome="FAILED", reason="DEVICE")
    name = failing.create(client)
    list(client.watch(name))
    before = client.get(name)
    would_be = client.create(failing.spec, validate_only=True)
    assert (would_be.name, would_be.state, would_be.failure, would_be.artifacts) == (name, "QUEUED", None, ())
    assert client.get(name) == before


def test_reads_that_are_to_judge_what_was_learned_from_them_are_refused(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script()
    script.upload(client)
    for validate_only in (True, False):
        with pytest.raises(InputError, match=r"training_run\.spec\.validation_reads: are the training reads"):
            client.create(
                script.spec.model_copy(update={"validation_reads": script.spec.training_reads}),
                validate_only=validate_only,
            )
    assert list(client.list()) == []


def test_a_failure_by_parameters_is_an_outcome_that_creation_returns(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script(outcome="FAILED", reason="NUMERICS")
    name = script.create(client)
    assert states(client, name) == ["QUEUED", "RUNNING", "FAILED"]
    again = client.create(script.spec)
    assert again.failure is not None
    assert (again.state, again.failure.reason, len(again.attempts)) == ("FAILED", "NUMERICS", 1)
    with pytest.raises(ServiceError, match="change nothing"):
        client.resume(name)


def test_a_failure_of_the_machine_is_tried_again_when_asked_for(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script(outcome="FAILED", reason="OUT_OF_MEMORY")
    name = script.create(client)
    assert states(client, name)[-1] == "FAILED"
    client.create(script.spec)
    assert states(client, name)[-1] == "FAILED"
    assert len(client.get(name).attempts) == 2


def test_cancel_and_resume_go_on_from_the_checkpoint(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    script = make_script(gated=True)
    name = script.create(client)
    script.open(1)
    for event in client.watch(name):
        if event.epoch is not None:
            assert client.cancel(name).state == "CANCELLING"
    run = client.get(name)
    assert (run.state, run.last_epoch) == ("CANCELLED", 1)
    assert client.cancel(name).state == "CANCELLED"
    script.open(2, 3)
    assert client.resume(name).state == "QUEUED"
    epochs = [event.epoch.epoch for event in client.watch(name) if event.epoch is not None]
    assert epochs == [1, 2, 3]
    run = client.get(name)
    assert (run.state, [attempt.resumed_from_epoch for attempt in run.attempts]) == ("SUCCEEDED", [0, 1])


def test_a_queued_run_is_cancelled_at_once(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    busy, waiting = make_script(gated=True), make_script()
    busy.create(client)
    name = waiting.create(client)
    assert client.cancel(name).state == "CANCELLED"
    assert states(client, name) == ["QUEUED", "CANCELLED"]


def test_watching_replays_after_any_sequence_without_gaps(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script()
    name = script.create(client)
    whole = list(client.watch(name))
    for after in range(len(whole) + 1):
        assert list(client.watch(name, after)) == whole[after:]
    with pytest.raises(ServiceError, match="beyond the last event"):
        list(client.watch(name, len(whole) + 1))


def test_two_watchers_and_a_late_one_see_the_same(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    script = make_script(gated=True, epochs=2)
    name = script.create(client)
    first, second = client.watch(name), client.watch(name)
    seen = [next(first) for _ in range(2)]
    assert [next(second) for _ in range(2)] == seen
    script.open(1, 2)
    rest = list(first)
    assert list(second) == rest
    assert list(client.watch(name)) == seen + rest


def test_lists_come_in_pages_the_latest_first_and_are_filtered(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    scripts = [make_script(gated=True) for _ in range(5)]
    names = [script.create(client, tags={"odd": str(i % 2), "all": "x"}) for i, script in enumerate(scripts)]
    assert [run.name for run in client.list(page_size=2)] == names[::-1]
    assert [run.name for run in client.list(tags={"odd": "1", "all": "x"})] == [names[3], names[1]]
    client.cancel(names[4])
    assert [run.name for run in client.list(states=["CANCELLED"])] == [names[4]]
    assert list(client.list(tags={"odd": "2"})) == []


def test_only_an_ended_and_unchanged_run_is_deleted(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    script = make_script(gated=True)
    name = script.create(client)
    with pytest.raises(ServiceError) as caught:
        client.delete(name)
    assert caught.value.reason == "RUN_NOT_ENDED"
    stale = client.get(name).etag
    script.open(1, 2, 3)
    list(client.watch(name))
    with pytest.raises(ServiceError) as caught:
        client.delete(name, etag=stale)
    assert caught.value.reason == "ETAG_MISMATCH"
    run = client.get(name)
    client.delete(name, etag=run.etag)
    with pytest.raises(ServiceError) as caught:
        client.get(name)
    assert caught.value.reason == "RUN_NOT_FOUND"
    assert client.create(script.spec).state == "QUEUED"


def test_a_deleted_run_takes_its_artifacts_along_and_leaves_those_that_another_run_shares(
    client: TrainingClient, service: Any, make_script: Callable[..., Any], tmp_path: Path
) -> None:
    names = [make_script().create(client) for _ in range(2)]
    for name in names:
        list(client.watch(name))
    gone, kept = ({one.name: one.blob.sha256 for one in client.get(name).artifacts} for name in names)
    shared = set(gone.values()) & set(kept.values())
    alone = set(gone.values()) - shared
    assert shared
    assert alone
    client.delete(names[0])
    stored = {path.name for path in (service.data_dir / "blobs").glob("*/*")}
    assert not alone & stored
    client.download_all(client.get(names[1]), tmp_path / "out")


def test_the_service_says_what_it_is(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    info = client.check_version()
    assert info.engine_revision == ENGINE_REVISION
    assert json.loads(info.hyperparameters_schema) == Hyperparameters.model_json_schema()
    assert [device.name for device in info.devices] == ["cpu:0"]
    script = make_script(gated=True)
    name = script.create(client)
    next(event for event in client.watch(name) if event.state_change and event.state_change.state == "RUNNING")
    assert client.server_info().devices[0].run == name


def test_another_engine_is_refused(client: TrainingClient, make_script: Callable[..., Any]) -> None:
    script = make_script()
    script.upload(client)
    point = script.spec.point.model_copy(update={"engine_revision": ENGINE_REVISION + 1})
    with pytest.raises(ServiceMismatchError, match="engine"):
        client.create(script.spec.model_copy(update={"point": point}))


def test_names_that_are_none_are_refused(client: TrainingClient) -> None:
    for name in ("", "runs/", "runs/../../etc/passwd", "runs/" + "0" * 31, "runs/" + "G" * 32, "x" * 10_000):
        with pytest.raises(InputError, match="no name of a run"):
            client.get(name)
    with pytest.raises(ServiceError) as caught:
        client.get("0" * 32)
    assert caught.value.reason == "RUN_NOT_FOUND"
