"""Services of one host share its devices: each trains on one that no other trains on, and waits in turn."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readlabel.messages import InputError
from readlabel.server import devices
from readlabel.server.devices import Slot
from readlabel.server.leases import SlotLease

TWO = ("gpu-a", "gpu-b")


def lease(folder: Path, *candidates: str) -> SlotLease:
    return SlotLease(folder, Slot("gpu", candidates or TWO, 1))


def core_lease(folder: Path, threads: int) -> SlotLease:
    return SlotLease(folder, Slot("cpu:0", ("cpu:0",), threads))


def test_two_services_get_two_devices_and_the_third_waits_and_says_so(tmp_path: Path) -> None:
    async def share() -> None:
        said: list[str] = []
        first, second, third = lease(tmp_path), lease(tmp_path), lease(tmp_path)
        async with first.acquire(said.append) as one:
            async with second.acquire(said.append) as two:
                assert {one, two} == set(TWO)
                assert said == []
                waiting = asyncio.create_task(take(third, said))
                while not said:
                    await asyncio.sleep(0)
                assert "gpu-a or gpu-b" in said[0]
                assert not waiting.done()
            assert await asyncio.wait_for(waiting, 10) == two
        for one_lease in (first, second, third):
            one_lease.close()

    asyncio.run(share())


def test_who_trains_on_two_devices_together_holds_both_or_none(tmp_path: Path) -> None:
    async def share() -> None:
        said: list[str] = []
        both, first, second = (lease(tmp_path, name) for name in ("gpu-a+gpu-b", "gpu-a", "gpu-b"))
        async with second.acquire(said.append):
            waiting = asyncio.create_task(take(both, said))
            while not said:
                await asyncio.sleep(0)
            assert "gpu-a+gpu-b" in said[0]
            assert await take(first, said) == "gpu-a"  # the one that is free is not kept from others meanwhile
        assert await asyncio.wait_for(waiting, 10) == "gpu-a+gpu-b"
        async with both.acquire(said.append):
            blocked = asyncio.create_task(take(first, said))
            while len(said) < 2:
                await asyncio.sleep(0)
        assert await asyncio.wait_for(blocked, 10) == "gpu-a"
        for one in (both, first, second):
            one.close()

    asyncio.run(share())


async def take(one: SlotLease, said: list[str], release: asyncio.Event | None = None) -> str:
    async with one.acquire(said.append) as device:
        if release is not None:
            await release.wait()
        return device


def test_those_who_wait_get_the_device_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    async def share() -> None:
        order: list[int] = []
        said: list[str] = []

        async def wait_in_line(number: int) -> None:
            one = lease(tmp_path, "gpu-a")
            async with one.acquire(said.append):
                order.append(number)
            one.close()

        holder = lease(tmp_path, "gpu-a")
        async with holder.acquire(said.append):
            tasks = []
            for number in range(4):
                tasks.append(asyncio.create_task(wait_in_line(number)))
                while len(said) <= number:
                    await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
        assert order == [0, 1, 2, 3]
        holder.close()

    asyncio.run(share())


def test_a_lease_and_a_place_in_the_line_die_with_their_process(tmp_path: Path) -> None:
    """One process holds the device, one waits; both are killed, and the device is free at once."""
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from readlabel.server.leases import SlotLease\n"
        "from readlabel.server.devices import Slot\n"
        "async def main():\n"
        "    lease = SlotLease(Path(sys.argv[1]), Slot('gpu', ('gpu-a',), 1))\n"
        "    async with lease.acquire(lambda line: print('waits', flush=True)):\n"
        "        print('holds', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    started = []
    for word in ("holds", "waits"):
        process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == word
    for process in started:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
    one = lease(tmp_path, "gpu-a")
    assert asyncio.run(asyncio.wait_for(take(one, []), 10)) == "gpu-a"
    one.close()


def test_services_with_one_lease_folder_train_one_after_the_other(
    start_service: Callable[..., Any], make_script: Callable[..., Any], tmp_path: Path
) -> None:
    more = ("--devices", "cpu:1", "--threads", os.cpu_count(), "--lease-dir", tmp_path / "leases")
    first, second = (start_service(*more, data_dir=tmp_path / name) for name in ("one", "two"))
    scripts = make_script(gated=True), make_script()
    with first.client() as one, second.client() as two:
        busy, waiting = scripts[0].create(one), scripts[1].create(two)
        next(event for event in one.watch(busy) if event.state_change and event.state_change.state == "RUNNING")
        note = next(event.note for event in two.watch(waiting) if event.note is not None)
        cores = f"{os.cpu_count()} of the host's {os.cpu_count()} CPU cores"
        assert note.text == f"waits for {cores}: other services on this host train there"
        assert two.get(waiting).state == "QUEUED"
        first.kill()  # its worker may live a moment longer, and holds the lease as long
        assert [event.state_change.state for event in two.watch(waiting) if event.state_change][-1] == "SUCCEEDED"


def test_runs_on_cores_hold_as_many_as_they_have_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)

    async def share() -> None:
        said: list[str] = []
        one, three, wide, later = (core_lease(tmp_path, threads) for threads in (1, 3, 100, 1))
        async with one.acquire(said.append), three.acquire(said.append):
            assert said == []
            waiting = asyncio.create_task(take(wide, said))
            while not said:
                await asyncio.sleep(0)
            assert said == ["waits for 4 of the host's 4 CPU cores: other services on this host train there"]
        # All four are free: who waits takes them all, and who came later waits in turn.
        assert await asyncio.wait_for(waiting, 10) == "cpu:0"
        assert await asyncio.wait_for(take(later, said), 10) == "cpu:0"
        for each in (one, three, wide, later):
            each.close()

    asyncio.run(share())


def test_two_private_services_share_the_cores_without_being_told_to(trained_in_turn: Callable[..., None]) -> None:
    """As two TRAIN tasks do that know nothing of each other, or one person in two terminals."""
    trained_in_turn((), ())


@pytest.mark.parametrize(
    ("option", "threads", "names", "share"),
    [("auto", 4, ["cpu:0"], 4), ("cpu", 4, ["cpu:0"], 4), ("cpu:3", 7, ["cpu:0", "cpu:1", "cpu:2"], 2)],
)
def test_cpu_slots_share_the_threads(
    option: str, threads: int, names: list[str], share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "visible_gpus", dict)
    slots = devices.plan_slots(option, threads, private=False)
    assert [slot.name for slot in slots] == names
    assert {slot.threads for slot in slots} == {share}


def test_gpus_are_one_slot_each_or_for_a_private_service_one_that_takes_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho '0, GPU-aa'\necho '1, GPU-bb'\necho '2, GPU-cc'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [slot.name for slot in devices.plan_slots("auto", 6, private=False)] == ["GPU-aa", "GPU-bb", "GPU-cc"]
    assert [slot.candidates for slot in devices.plan_slots("gpu:0,GPU-cc", 6, private=True)] == [("GPU-aa", "GPU-cc")]
    together = devices.plan_slots("gpu:0+GPU-cc,1", 6, private=False)
    assert [(slot.name, slot.candidates, slot.threads) for slot in together] == [
        ("GPU-aa+GPU-cc", ("GPU-aa+GPU-cc",), 3),
        ("GPU-bb", ("GPU-bb",), 3),
    ]
    assert devices.plan_slots("gpu:0+1", 6, private=True)[0].candidates == ("GPU-aa+GPU-bb",)
    with pytest.raises(InputError, match="names GPU-aa twice"):
        devices.plan_slots("gpu:0+GPU-aa", 6, private=False)
    with pytest.raises(InputError, match=r"no such GPU: 7; there are: 0 \(GPU-aa\), 1"):
        devices.plan_slots("gpu:0,7", 6, private=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [slot.name for slot in devices.plan_slots("auto", 6, private=False)] == ["GPU-bb"]
    for wrong in ("", "cpu:0", "gpu", "gpu:", "gpu:0+", "tpu", "cpu:1;ls"):
        with pytest.raises(InputError, match="is not understood"):
            devices.plan_slots(wrong, 1, private=False)
