"""Five hundred runs in the queue: they keep their order over a restart, and nothing that is asked meanwhile suffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from readlabel.messages import TrainingOptions

QUEUED = 500
TRAINED = 12


def test_five_hundred_queued_runs_keep_their_order_over_a_kill_and_a_restart(
    start_service: Callable[..., Any], make_script: Callable[..., Any]
) -> None:
    service = start_service("--devices", "cpu:1")
    script = make_script(gated=True, epochs=1)
    with service.client() as client:
        first = script.create(client, priority=100)
        next(event for event in client.watch(first) if event.state_change and event.state_change.state == "RUNNING")
        asked = []
        for number in range(QUEUED):
            point = script.spec.point.model_copy(update={"options": TrainingOptions(seed=10_000 + number)})
            spec = script.spec.model_copy(update={"point": point})
            priority = (0, 5, -5)[number % 3]
            asked.append((-priority, number, client.create(spec, priority=priority).name))
        assert client.server_info().queued_runs == QUEUED
        assert len(list(client.list(states=["QUEUED"]))) == QUEUED
    service.kill()
    service = start_service("--devices", "cpu:1")
    with service.client() as client:
        assert client.server_info().queued_runs + len(list(client.list(states=["RUNNING"]))) == QUEUED + 1
        script.open(1)
        turns = [first, *(name for _, _, name in sorted(asked)[: TRAINED - 1])]
        for name in turns:
            list(client.watch(name))
        begun = [client.get(name).attempts[-1].start_time for name in turns]
        assert begun == sorted(begun)
        # Asked from the last to the first: who has begun has begun after all that are still to be asked.
        order = [name for _, _, name in sorted(asked)]
        flags = [bool(client.get(name).attempts) for name in reversed(order)]
        assert flags == sorted(flags)
        assert not flags[0]
