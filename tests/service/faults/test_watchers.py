"""Readers of a progress stream: one that stops reading holds up nobody, and many each get the whole of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
import psutil

from readlabel.v1 import training_service_pb2 as pb
from readlabel.v1 import training_service_pb2_grpc

WATCHERS = 500


def test_readers_that_stop_reading_hold_up_no_run_and_cost_little_memory(
    service: Any, client: Any, make_script: Callable[..., Any]
) -> None:
    script = make_script(gated=True, epochs=5000)
    name = script.create(client)
    with grpc.insecure_channel(service.address) as channel:
        stub = training_service_pb2_grpc.TrainingServiceStub(channel)
        stalled = [stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name)) for _ in range(50)]
        for call in stalled:
            assert next(call).sequence == 1  # and reads no further
        before = psutil.Process(service.process.pid).memory_info().rss
        script.open(*range(1, 5001))
        events = list(client.watch(name))
        assert client.get(name).state == "SUCCEEDED"
        grown = psutil.Process(service.process.pid).memory_info().rss - before
        assert grown < 50 * (1 << 20), f"{grown} bytes for 50 readers"
        # A megabyte of events lies behind what each has read, and is still there when it reads on.
        for call in stalled[:3]:
            assert [event.sequence for event in call] == [event.sequence for event in events[1:]]
        for call in stalled:
            call.cancel()


def test_five_hundred_watchers_each_get_every_event_in_order(
    service: Any, client: Any, make_script: Callable[..., Any]
) -> None:
    script = make_script(gated=True, epochs=20)
    name = script.create(client)
    seen: list[list[int]] = [[] for _ in range(WATCHERS)]
    ready = threading.Barrier(WATCHERS + 1)

    def watch(stub: Any, mine: list[int]) -> None:
        for event in stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name)):
            if not mine:
                ready.wait(60)
            if not event.HasField("heartbeat"):
                mine.append(event.sequence)

    with grpc.insecure_channel(service.address) as channel:
        stub = training_service_pb2_grpc.TrainingServiceStub(channel)
        threads = [threading.Thread(target=watch, args=(stub, mine)) for mine in seen]
        for thread in threads:
            thread.start()
        ready.wait(60)
        script.open(*range(1, 21))
        for thread in threads:
            thread.join(60)
    whole = [event.sequence for event in client.watch(name)]
    assert len(whole) == 23
    assert all(mine == whole for mine in seen)
