"""SIGKILL while the service removes what it need not keep, or while an upload becomes a blob.

What is there afterwards is whole, and what a run needs that waits, trains or is kept is there.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.messages import BlobRef, RunSpec, TrainingOptions
from readlabel.server.blob_store import BlobStore
from readlabel.server.run_queries import list_runs
from readlabel.server.run_store import RunStore, StoredRun
from readlabel.v1 import blob_service_pb2 as pb
from readlabel.v1 import blob_service_pb2_grpc, training_run_pb2
from readlabel.wire import Artifact, TrainingRun, cut, make_chunk, run_name, to_proto

KILLS = 20
LONG_AGO = "2020-01-01T00:00:00.000Z"
FORGOTTEN = 200
"""Runs, and as many uploads, that are to be removed in each of the tries."""
UPLOAD_BYTES = 16 << 20
JITTER_SECONDS = 0.02


def put(blobs: BlobStore, data: bytes) -> BlobRef:
    """Bytes as a blob of the store."""
    blob = BlobRef(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
    blobs.path(blob).parent.mkdir(exist_ok=True)
    blobs.path(blob).write_bytes(data)
    return blob


def leave_garbage(folder: Path, spec: RunSpec, shared: Artifact, seeds: Iterator[int]) -> None:
    """What months of use leave: runs that ended long ago on reads that others need too, reads and uploads of nobody.

    Each of the runs shares an artifact with one that is kept. Nothing in the folder has been used for two hours.
    """
    blobs = BlobStore(folder, UPLOAD_BYTES)
    with closing(RunStore(folder / "runs.sqlite")) as store:
        for seed in (next(seeds) for _ in range(FORGOTTEN)):
            point = spec.point.model_copy(update={"options": TrainingOptions(seed=seed)})
            old = spec.model_copy(update={"point": point})
            log = Artifact(name="train.log", media_type="text/plain", blob=put(blobs, b"log of %d" % seed))
            run = TrainingRun(
                name=run_name(old.run_id), spec=old, state="SUCCEEDED", create_time=LONG_AGO, end_time=LONG_AGO,
                artifacts=(log, shared),
            )  # fmt: skip
            store.save(StoredRun(run, 0))
            (folder / "checkpoints" / old.run_id).mkdir(parents=True)
            (folder / "checkpoints" / old.run_id / "epoch").write_text("3")
            put(blobs, b"reads of nobody %d" % seed)
            (folder / "uploads" / f"{seed:064x}.9").write_bytes(b"half")
    for path in [*(folder / "blobs").glob("*/*"), *(folder / "uploads").iterdir()]:
        os.utime(path, (time.time() - 7200,) * 2)


def left(folder: Path) -> int:
    """Checkpoints and unfinished uploads that are still there."""
    return sum(len(os.listdir(folder / name)) for name in ("checkpoints", "uploads"))  # noqa: PTH208 - it is quick


def check_whole(folder: Path) -> dict[str, TrainingRun]:
    """Hold every blob against its name, and every run against what it needs; the runs by name."""
    for path in (folder / "blobs").glob("*/*"):
        assert file_ref(path).sha256 == path.name
    blobs = BlobStore(folder, UPLOAD_BYTES)
    with closing(RunStore(folder / "runs.sqlite")) as store:
        runs, cursor = list_runs(store.path, 100_000, None, [], {})
        while cursor is not None:
            page, cursor = list_runs(store.path, 100_000, cursor, [], {})
            runs += page
    for run in runs:
        needed = [artifact.blob for artifact in run.artifacts]
        if not run.is_outcome:
            needed += [run.spec.training_reads, run.spec.validation_reads]
        assert all(blobs.has(blob) for blob in needed), run
    return {run.name: run for run in runs}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ["service", "command"])
def test_a_collection_killed_at_any_moment_tears_nothing_and_takes_nothing_that_is_needed(
    start_service: Callable[..., Any],
    processes: Any,
    make_script: Callable[..., Any],
    rng: random.Random,
    pass_time: Callable[[float], None],
    tmp_path: Path,
    who: str,
) -> None:
    folder = tmp_path / "data"
    keep = ("--keep-runs", "1", "--keep-blobs", "0")
    command = ("gc",) if who == "command" else ("serve", "--devices", "cpu:1", "--socket", tmp_path / "s.sock")
    service = start_service("--devices", "cpu:1")
    done, stopped, running, waiting = make_script(), make_script(gated=True), make_script(gated=True), make_script()
    with service.client() as client:
        kept = done.create(client)
        list(client.watch(kept))
        shared = client.get(kept).artifacts[0]
        live = [stopped.create(client)]
        stopped.open(1)
        for event in client.watch(live[0]):
            if event.epoch is not None:
                client.cancel(live[0])
        live += [script.create(client) for script in (running, waiting)]
        running.open(1)
        next(event for event in client.watch(live[1]) if event.epoch is not None)
    assert service.terminate() == 0

    seeds = iter(range(1000, 1_000_000))
    killed = 0
    while killed < KILLS:
        leave_garbage(folder, waiting.spec, shared, seeds)
        least = left(folder) - rng.randint(1, 2 * FORGOTTEN)
        process = processes.start(*command, "--data-dir", folder, *keep)
        while process.poll() is None and left(folder) > least:
            continue
        pass_time(rng.uniform(0, JITTER_SECONDS))
        process.kill()
        killed += process.wait() < 0
        processes.wait_for_none()
        runs = check_whole(folder)
        assert {kept, *live} <= set(runs)
        for script in (stopped, running):
            assert (folder / "checkpoints" / script.spec.run_id / "epoch").read_text() == "1"

    service = start_service("--devices", "cpu:1", *keep)
    needed = {artifact.blob.sha256 for artifact in runs[kept].artifacts}
    needed |= {artifact.blob.sha256 for artifact in runs[live[0]].artifacts}
    for script in (stopped, running, waiting):
        needed |= {script.spec.training_reads.sha256, script.spec.validation_reads.sha256}
    with service.client() as client:
        assert {run.name for run in client.list()} == {kept, *live}, "what was begun is brought to its end"
        assert {path.name for path in (folder / "blobs").glob("*/*")} == needed
        assert list((folder / "uploads").iterdir()) == []
        for script in (stopped, running):
            script.open(2, 3)
        client.resume(live[0])
        for name in live:
            assert [event.epoch.epoch for event in client.watch(name) if event.epoch is not None] == [1, 2, 3]
            assert client.get(name).state == "SUCCEEDED"
        client.download_all(client.get(kept), tmp_path / "kept")


def test_an_upload_whose_service_is_killed_while_it_becomes_a_blob_is_there_whole_or_goes_on(
    start_service: Callable[..., Any], rng: random.Random, pass_time: Callable[[float], None], tmp_path: Path
) -> None:
    folder, file = tmp_path / "data", tmp_path / "reads"
    blobs = BlobStore(folder, UPLOAD_BYTES)
    whole: list[BlobRef] = []
    commit_seconds = 0.0
    for kill in range(KILLS + 1):
        service = start_service("--devices", "cpu:1")
        with grpc.insecure_channel(service.address) as channel, service.client() as client:
            stub = blob_service_pb2_grpc.BlobServiceStub(channel)
            if kill:
                blob = file_ref(file)
                asked = pb.GetWriteStatusRequest(blob=to_proto(blob, training_run_pb2.BlobRef))
                assert stub.GetWriteStatus(asked).committed_size == UPLOAD_BYTES, "what was written down is not lost"
                client.upload(file, blob)
                client.download(Artifact(name="copy", media_type="", blob=blob), tmp_path / "copy")
                assert (tmp_path / "copy").read_bytes() == file.read_bytes()
                whole.append(blob)
            file.write_bytes(rng.randbytes(UPLOAD_BYTES))
            blob = file_ref(file)
            begin(stub, file, blob)
            finish = pb.WriteBlobRequest(
                blob=to_proto(blob, training_run_pb2.BlobRef), write_offset=UPLOAD_BYTES, finish_write=True
            )
            begun = time.perf_counter()
            call = stub.WriteBlob.future(iter([finish]))
            if kill == 0:  # how long it takes is what the moments of the others are drawn from
                assert call.result(60).complete
                commit_seconds = time.perf_counter() - begun
            pass_time(rng.uniform(0, 1.2 * commit_seconds))
            service.kill()
        for one in whole:
            assert file_ref(blobs.path(one)) == one
        partial = folder / "uploads" / f"{blob.sha256}.{blob.size_bytes}"
        assert blobs.path(blob).exists() != partial.exists(), "one or the other, never both"
        assert file_ref(blobs.path(blob) if blobs.has(blob) else partial) == blob
    assert len(list((folder / "blobs").glob("*/*"))) == len(whole) + blobs.has(blob)


def begin(stub: Any, file: Path, blob: BlobRef) -> None:
    """Send all the bytes of a blob, and leave it unfinished."""
    sent = [pb.WriteBlobRequest(blob=to_proto(blob, training_run_pb2.BlobRef))]
    sent += [pb.WriteBlobRequest(write_offset=offset, chunk=make_chunk(data)) for offset, data in cut(file)]
    assert stub.WriteBlob(iter(sent)).committed_size == blob.size_bytes
