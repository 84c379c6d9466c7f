"""Streams that stay quiet: the service lets them hear that it lives, the client does not trust silence."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from readlabel.client.streams import until_silent
from readlabel.server.news import Bell, watch
from readlabel.server.run_store import RunStore, StoredRun
from readlabel.v1 import training_run_pb2, training_service_pb2_grpc
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import RpcError, StateChange, TrainingRun, run_name


@pytest.fixture
def store(tmp_path: Path, make_script: Callable[..., Any]) -> Iterator[tuple[RunStore, StoredRun]]:
    one = RunStore(tmp_path / "runs.sqlite")
    spec = make_script().spec
    run = TrainingRun(name=run_name(spec.run_id), spec=spec)
    yield one, one.save(StoredRun(run, 1), [StateChange(state="QUEUED")])
    one.close()


def test_a_quiet_stream_carries_heartbeats_that_repeat_the_last_sequence(store: tuple[RunStore, StoredRun]) -> None:
    runs, stored = store

    async def listen() -> list[training_run_pb2.RunEvent]:
        stream = watch(runs, Bell(runs), stored.run.run_id, 0, heartbeat_seconds=0.01)
        return [await anext(stream) for _ in range(3)]

    first, *beats = asyncio.run(listen())
    assert first.HasField("state_change")
    assert [(beat.sequence, beat.HasField("heartbeat")) for beat in beats] == [(1, True), (1, True)]


def test_watchers_are_told_to_come_back_when_the_service_stops(store: tuple[RunStore, StoredRun]) -> None:
    runs, stored = store

    async def listen() -> None:
        bell = Bell(runs)
        stream = watch(runs, bell, stored.run.run_id, 1, heartbeat_seconds=60)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        bell.close()
        await waiting

    with pytest.raises(RpcError) as caught:
        asyncio.run(asyncio.wait_for(listen(), 10))
    assert (caught.value.reason, caught.value.code) == ("SHUTTING_DOWN", grpc.StatusCode.UNAVAILABLE)


def test_a_stream_that_falls_silent_is_given_up() -> None:
    release = threading.Event()

    class Silent(training_service_pb2_grpc.TrainingServiceServicer):
        def WatchTrainingRun(self, request: Any, context: Any) -> Iterator[training_run_pb2.RunEvent]:  # noqa: N802
            yield training_run_pb2.RunEvent(sequence=1)
            release.wait(60)

    server = grpc.server(futures.ThreadPoolExecutor(1))
    training_service_pb2_grpc.add_TrainingServiceServicer_to_server(Silent(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = training_service_pb2_grpc.TrainingServiceStub(channel).WatchTrainingRun(pb.WatchTrainingRunRequest())
            stream = until_silent(call, 0.3)
            assert next(stream).sequence == 1
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code() is grpc.StatusCode.CANCELLED
    finally:
        release.set()
        server.stop(None).wait(10)


@pytest.mark.parametrize("module", ["readlabel.cli.serve", "readlabel.cli.train", "readlabel.cli.runs"])
def test_the_light_commands_load_no_array_library(module: str) -> None:
    program = f"import sys, {module}; print(sorted({{'numpy', 'tensorflow', 'pyarrow', 'pandas'}} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
