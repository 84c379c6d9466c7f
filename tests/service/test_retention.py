"""What a service forgets, and what it never does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readlabel.client import TrainingClient
from readlabel.messages import BlobRef, ServiceError
from readlabel.server.blob_store import BlobStore
from readlabel.server.config import ServerConfig
from readlabel.server.desk import RunDesk
from readlabel.server.run_store import RunStore, StoredRun
from readlabel.server.telemetry import Telemetry
from readlabel.wire import Artifact, TrainingRun, run_name

Scripts = Callable[..., Any]
KEEP_NOTHING = ("--keep-runs", "0", "--keep-blobs", "0")


def blobs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs").glob("*/*")}


def make_old(folder: Path) -> None:
    """As if nothing in the store had been used for two hours."""
    for path in [*(folder / "blobs").glob("*/*"), *(folder / "uploads").iterdir()]:
        os.utime(path, (time.time() - 7200,) * 2)


def ended(client: TrainingClient, script: Any) -> Any:
    name = script.create(client)
    list(client.watch(name))
    return client.get(name)


def test_a_restart_forgets_ended_runs_and_keeps_all_that_a_waiting_or_stopped_one_needs(
    start_service: Callable[..., Any], make_script: Scripts
) -> None:
    service = start_service("--devices", "cpu:1")
    done, stopped, running, waiting = make_script(), make_script(gated=True), make_script(gated=True), make_script()
    with service.client() as client:
        forgotten = ended(client, done)
        stopped_name = stopped.create(client)
        stopped.open(1)
        for event in client.watch(stopped_name):
            if event.epoch is not None:
                client.cancel(stopped_name)
        names = [script.create(client) for script in (running, waiting)]
        running.open(1)
        next(event for event in client.watch(names[0]) if event.epoch is not None)
    assert service.terminate() == 0
    make_old(service.data_dir)
    digests = {script.spec.training_reads.sha256 for script in (stopped, running, waiting)}

    service = start_service("--devices", "cpu:1", "--keep-blobs", "0")  # runs are kept: all of them need something
    with service.client() as client:
        kept = blobs(service.data_dir)
        assert digests <= kept
        assert {artifact.blob.sha256 for artifact in forgotten.artifacts} <= kept
        assert done.spec.training_reads.sha256 not in kept, "a run that succeeded needs its reads no more"
        assert (service.data_dir / "checkpoints" / stopped.spec.run_id / "epoch").read_text() == "1"
        for script in (running, stopped):
            script.open(2, 3)
        client.resume(stopped_name)
        for name in (*names, stopped_name):
            assert [event.epoch.epoch for event in client.watch(name) if event.epoch is not None] == [1, 2, 3]
            assert client.get(name).state == "SUCCEEDED"
    assert service.terminate() == 0
    make_old(service.data_dir)

    service = start_service("--devices", "cpu:1", *KEEP_NOTHING)
    with service.client() as client:
        assert list(client.list()) == []
        with pytest.raises(ServiceError) as caught:
            client.get(forgotten.name)
        assert caught.value.reason == "RUN_NOT_FOUND"
    assert blobs(service.data_dir) == set()
    assert list((service.data_dir / "checkpoints").iterdir()) == []
    assert service.lines[0].startswith("removed 4 runs and ")


def test_the_command_collects_what_a_stopped_service_need_not_keep(
    start_service: Callable[..., Any], make_script: Scripts, processes: Any, tmp_path: Path
) -> None:
    service = start_service("--devices", "cpu:1")
    script, abandoned = make_script(), make_script()
    with service.client() as client:
        run = ended(client, script)
        abandoned.upload(client)
        busy = processes.run("gc", "--data-dir", service.data_dir)
        assert busy.returncode == 73
        assert "another readlabel serve uses this folder" in busy.stderr
    assert service.terminate() == 0
    gc = ("gc", "--data-dir", service.data_dir, "--keep-blobs", "0")
    assert "removed 0 runs and 0 files" in processes.run(*gc).stdout, "what was just used may be wanted next"
    make_old(service.data_dir)
    (service.data_dir / "uploads" / f"{'0' * 64}.9").write_text("half")
    make_old(service.data_dir)
    (service.data_dir / "checkpoints" / ("0" * 32)).mkdir()  # of a run that is gone
    assert "removed 0 runs and 4 files" in processes.run(*gc).stdout
    assert blobs(service.data_dir) == {artifact.blob.sha256 for artifact in run.artifacts}
    assert list((service.data_dir / "checkpoints").iterdir()) == []
    assert "removed 1 runs and 0 files" in processes.run(*gc, "--keep-runs", "0").stdout
    assert blobs(service.data_dir) == set(), "artifacts go with their run"

    elsewhere = tmp_path / "elsewhere"
    service = start_service("--devices", "cpu:1", "--checkpoint-dir", elsewhere)
    with service.client() as client:
        lost = ended(client, make_script(outcome="FAILED", reason="DEVICE"))
    assert service.terminate() == 0
    assert (elsewhere / lost.run_id / "epoch").exists()
    assert "removed 1 runs" in processes.run(*gc, "--keep-runs", "0", "--checkpoint-dir", elsewhere).stdout
    assert list(elsewhere.iterdir()) == []

    nowhere = processes.run("gc", "--data-dir", tmp_path / "nowhere")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert "has no runs.sqlite" in nowhere.stderr
    assert not (tmp_path / "nowhere").exists()


def test_an_artifact_that_is_just_coming_in_stays_when_another_run_that_had_it_is_deleted(
    make_script: Scripts, tmp_path: Path
) -> None:
    store = RunStore(tmp_path / "runs.sqlite")
    blobs = BlobStore(tmp_path, 1 << 20)
    desk = RunDesk(store, blobs, ServerConfig(data_dir=tmp_path), Telemetry())
    first, second = (
        store.save(StoredRun(TrainingRun(name=run_name(one.spec.run_id), spec=one.spec, state="RUNNING"), 1)).run
        for one in (make_script(), make_script())
    )

    async def leave_the_same(run: TrainingRun, meanwhile: Callable[[], None]) -> BlobRef:
        with blobs.adoption() as adopt:
            file = tmp_path / "history.tsv"
            file.write_text("the same in both")
            blob = await adopt(file)
            meanwhile()
            desk.finish(run.run_id, "SUCCEEDED", artifacts=[Artifact(name=file.name, media_type="", blob=blob)])
        return blob

    async def both() -> None:
        await leave_the_same(first, lambda: None)
        blob = await leave_the_same(second, lambda: desk.delete(first.run_id, ""))
        assert blobs.has(blob), "the run that has just ended has it"
        desk.delete(second.run_id, "")
        assert not blobs.has(blob), "nobody has it any more"

    asyncio.run(both())
    store.close()


def test_a_blob_that_a_caller_was_told_of_stays_for_the_run_that_it_creates_next(
    start_service: Callable[..., Any], make_script: Scripts, processes: Any
) -> None:
    service = start_service("--devices", "cpu:1")
    script = make_script()
    with service.client() as client:
        script.upload(client)
    make_old(service.data_dir)
    with service.client() as client:
        assert not script.upload(client), "it is there"
    assert service.terminate() == 0
    service = start_service("--devices", "cpu:1", *KEEP_NOTHING)
    with service.client() as client:
        name = client.create(script.spec).name
        list(client.watch(name))
        assert client.get(name).state == "SUCCEEDED"
