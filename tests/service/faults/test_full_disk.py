"""A disk that fills up under the service, or under a command's results.

What is asked is refused or FAILED, nothing is torn, results are whole or not there, and it goes on after.

The disks are small file systems in memory, so these tests need to be allowed to mount; see the Makefile's target.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.messages import RunRecord, ServiceError

MIB = 1 << 20


def fill(disk: Path, leave: int) -> Path:
    """Fill a disk but for some bytes, whatever a service writes to it meanwhile; the file that does."""
    path = disk / "filler"
    with path.open("wb") as handle:
        while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize) > leave:
            with suppress(OSError):  # less is free by now
                os.posix_fallocate(handle.fileno(), 0, os.fstat(handle.fileno()).st_size + free - leave)
    return path


def test_an_upload_that_fills_the_disk_is_refused_and_goes_on_when_there_is_room(
    start_service: Callable[..., Any], small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    disk = small_disk(16 * MIB)
    service = start_service("--devices", "cpu:1", data_dir=disk / "data")
    reads = tmp_path / "reads"
    reads.write_bytes(os.urandom(8 * MIB))
    with service.client() as client:
        filler = fill(disk, leave=3 * MIB)
        with pytest.raises(ServiceError) as caught:
            client.upload(reads, file_ref(reads))
        assert caught.value.reason == "DISK_FULL"
        assert list((disk / "data" / "blobs").glob("*/*")) == []
        filler.unlink()
        assert client.upload(reads, file_ref(reads))


def test_a_disk_that_fills_up_during_an_upload_keeps_the_bytes_that_came(
    start_service: Callable[..., Any], small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    import grpc

    from readlabel.v1 import blob_service_pb2 as pb
    from readlabel.v1 import blob_service_pb2_grpc, training_run_pb2
    from readlabel.wire import cut, make_chunk, parse_status, to_proto

    disk = small_disk(16 * MIB)
    service = start_service("--devices", "cpu:1", data_dir=disk / "data")
    reads = tmp_path / "reads"
    reads.write_bytes(os.urandom(8 * MIB))
    blob = to_proto(file_ref(reads), training_run_pb2.BlobRef)
    filler = []

    def messages() -> Any:
        yield pb.WriteBlobRequest(blob=blob)
        for offset, data in cut(reads):
            if offset == 2 * MIB:
                while stub.GetWriteStatus(pb.GetWriteStatusRequest(blob=blob)).committed_size < offset:
                    pass
                filler.append(fill(disk, leave=MIB + MIB // 2))
            yield pb.WriteBlobRequest(write_offset=offset, chunk=make_chunk(data))

    with grpc.insecure_channel(service.address) as channel, service.client() as client:
        stub = blob_service_pb2_grpc.BlobServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.WriteBlob(messages())
        assert parse_status(caught.value).reason == "DISK_FULL"
        committed = stub.GetWriteStatus(pb.GetWriteStatusRequest(blob=blob)).committed_size
        (partial,) = (disk / "data" / "uploads").iterdir()
        assert committed == partial.stat().st_size == 3 * MIB, "whole chunks, none torn"
        assert partial.read_bytes() == reads.read_bytes()[:committed]
        filler[0].unlink()
        assert client.upload(reads, file_ref(reads))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("leave", [0, 24 << 10, 64 << 10, 128 << 10, 256 << 10])
def test_a_disk_that_fills_up_during_a_training_fails_it_and_it_goes_on_to_the_same_weights(
    start_service: Callable[..., Any],
    small_disk: Callable[[int], Path],
    make_real_run: Callable[..., Any],
    compare: Callable[..., None],
    until: Callable[..., Any],
    leave: int,
) -> None:
    """What is left when the disk is full decides who meets it: run store, checkpoint, records, export or evaluation."""
    disk = small_disk(24 * MIB)
    run = make_real_run(21, 40)
    service = start_service("--devices", "cpu:1", "--threads", "1", data_dir=disk / "data", scripted=False)
    with service.client() as client:
        name = run.create(client)
        for event in client.watch(name):
            if event.epoch is not None and event.epoch.epoch == 3:
                # The younger one waits for a next run.
                worker = min(service.processes.workers(), key=lambda process: process.create_time())
                filler = fill(disk, leave)
                break
        # A run store that was full itself cannot tell the failure before there is room; its worker ends all the same.
        until(lambda: not worker.is_running() or client.get(name).state == "FAILED", "an end", 120)
        filler.unlink()
        list(client.watch(name))
        failed = client.get(name)
        assert failed.failure is not None
        assert (failed.state, failed.failure.reason) == ("FAILED", "DISK_FULL"), failed.failure
        place = f"the service's host, {socket.gethostname()}: {disk / 'data'}"
        assert failed.failure.message.startswith(
            f"no space left on {place}; free some there, and give the same command"
        )
        assert not list(disk.rglob("*.partial"))
        client.create(run.spec)
        list(client.watch(name))
        again = client.get(name)
        assert again.state == "SUCCEEDED", again.failure
        assert again.attempts[-1].resumed_from_epoch >= 3
        assert isinstance(again.record, RunRecord)
    compare(service, [run])


def test_a_service_with_a_full_disk_refuses_new_runs_and_answers_all_else(
    start_service: Callable[..., Any], small_disk: Callable[[int], Path], make_script: Callable[..., Any]
) -> None:
    disk = small_disk(8 * MIB)
    service = start_service("--devices", "cpu:1", data_dir=disk / "data")
    done, refused = make_script(), make_script()
    with service.client() as client:
        name = done.create(client)
        list(client.watch(name))
        refused.upload(client)
        filler = fill(disk, leave=0)
        with pytest.raises(ServiceError) as caught:
            for priority in range(100):  # what SQLite holds in reserve may take some
                client.create(make_other(refused.spec, priority))
        assert caught.value.reason == "DISK_FULL"
        assert client.get(name).state == "SUCCEEDED"
        assert [event.epoch.epoch for event in client.watch(name) if event.epoch is not None] == [1, 2, 3]
        filler.unlink()
        fresh = client.create(refused.spec).name
        list(client.watch(fresh))
        assert client.get(fresh).state == "SUCCEEDED"
    assert service.terminate() == 0


@pytest.mark.parametrize("leave", [0, 4 << 10, 40 << 10])
def test_what_starts_on_a_full_disk_says_so_and_the_command_that_makes_room_makes_it(
    start_service: Callable[..., Any],
    processes: Any,
    small_disk: Callable[[int], Path],
    make_script: Callable[..., Any],
    tmp_path: Path,
    leave: int,
) -> None:
    disk = small_disk(16 * MIB)
    data, reads, folder = disk / "data", tmp_path / "reads", tmp_path / "sock"
    reads.write_bytes(os.urandom(4 * MIB))
    folder.mkdir(mode=0o700)
    service = start_service("--devices", "cpu:1", data_dir=data)
    done, running = make_script(), make_script(gated=True)
    with service.client() as client:
        ended = done.create(client)
        list(client.watch(ended))
        client.upload(reads, file_ref(reads))  # and nobody trains on them
        name = running.create(client)
        next(event for event in client.watch(name) if event.state_change and event.state_change.state == "RUNNING")
    service.kill()
    processes.wait_for_none()
    fill(disk, leave)
    gc = ("gc", "--data-dir", data, "--keep-runs", "0", "--keep-blobs", "0")
    serve = ("serve", "--devices", "cpu:1", "--socket", folder / "s", "--data-dir", data, "--keep-runs", "0")
    for command in (gc, serve):  # what was just used is not removed, so there is no room to be made
        told = processes.run(*command)
        assert told.returncode == 73, (command, told.stdout)
        assert f"error: {data}" in told.stderr
        assert "no space left on the device; free some" in told.stderr
        assert "Traceback" not in told.stderr
    for path in (data / "blobs").glob("*/*"):
        os.utime(path, (0, 0))
    made = processes.run(*gc)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("removed 1 runs and ")
    service = start_service("--devices", "cpu:1", data_dir=data)
    running.open(1, 2, 3)
    with service.client() as client:
        assert [run.name for run in client.list()] == [name]
        list(client.watch(name))
        assert client.get(name).state == "SUCCEEDED"


def test_a_private_service_whose_disk_is_full_ends_and_its_client_says_where(
    processes: Any, small_disk: Callable[[int], Path], point_file: Callable[..., Path], real_reads: tuple[Path, Path]
) -> None:
    disk = small_disk(16 * MIB)
    reads = ["--train", real_reads[0], "--validation", real_reads[1]]
    given = ["train", "--point", point_file(epochs=10_000), *reads, "--out", processes.folder / "run"]
    process = processes.start(*given, env={**processes.environment, "TMPDIR": str(disk)})
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    fill(disk, leave=0)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode in (73, 75), "its run store may have had room to tell it, or not"
    assert "no space left on" in stderr
    assert str(disk) in stderr
    assert "TMPDIR" in stderr
    processes.wait_for_none()
    assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_grids_messages_are_all_there_or_none(
    processes: Any, small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    disk = small_disk(MIB)
    assert processes.run("grid", "--example", tmp_path).returncode == 0
    tables = ["--training-params", tmp_path / "training_params.tsv"]
    tables += ["--training-seq-orders", tmp_path / "training_seq_orders.tsv", "--out", tmp_path / "grid.json"]
    filler = fill(disk, leave=2 * 4096)  # room for two of the four messages
    ended = processes.run("grid", *tables, "--messages", disk / "points")
    assert ended.returncode == 73
    assert "no space left on the device; free some" in ended.stderr
    assert str(disk / "points") in ended.stderr
    assert [path.name for path in disk.iterdir()] == ["filler"]
    assert not (tmp_path / "grid.json").exists()
    filler.unlink()
    assert processes.run("grid", *tables, "--messages", disk / "points").returncode == 0
    assert len(list((disk / "points").iterdir())) == 4


def test_an_installation_is_whole_or_leaves_the_models_folder_as_it_was(
    processes: Any,
    small_disk: Callable[[int], Path],
    point_file: Callable[..., Path],
    real_reads: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    reads = ["--train", real_reads[0], "--validation", real_reads[1]]
    assert processes.run("train", "--point", point_file(epochs=1), *reads, "--out", run).returncode == 0
    assert json.loads((run / "run.json").read_text())["state"] == "SUCCEEDED"
    disk = small_disk(MIB)
    models = disk / "models"
    models.mkdir()
    table = "other\tcDNA\tNN\t\t\tfwd\n"
    (models / "seq_orders.tsv").write_text(table)
    filler = fill(disk, leave=2 * 4096)  # the table and little more
    ended = processes.run("export", "--run", run, "--install", models)
    assert ended.returncode == 73
    assert "no space left on the device; free some" in ended.stderr
    assert [path.name for path in models.iterdir()] == ["seq_orders.tsv"]
    assert (models / "seq_orders.tsv").read_text() == table
    filler.unlink()
    assert processes.run("export", "--run", run, "--install", models).returncode == 0
    assert (models / "mini_w_CRF.h5").is_file()
    assert (models / "seq_orders.tsv").read_text().startswith(table + "mini\t")


def make_other(spec: Any, seed: int) -> Any:
    point = spec.point
    options = point.options.model_copy(update={"seed": 1000 + seed})
    return spec.model_copy(update={"point": point.model_copy(update={"options": options})})
