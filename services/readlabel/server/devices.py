"""Which devices the service trains on: ``auto``, ``cpu:N``, ``gpu:0,1`` or ``gpu:0+1`` → slots, each for one run."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

from readlabel.messages import InputError

_CPU = re.compile(r"cpu(?::([1-9][0-9]{0,3}))?")
_GPU = re.compile(r"gpu:([A-Za-z0-9-]+(?:[,+][A-Za-z0-9-]+)*)")

TOGETHER = "+"
"""Between the GPUs that train one run side by side."""


@dataclass(frozen=True)
class Slot:
    """A place for one run.

    Attributes:
        name: what the service calls it.
        candidates: devices of which a run gets one: ``cpu:0``, or GPU UUIDs, with `TOGETHER` between those that train
            side by side. More than one only in a private service, which takes whichever is free.
        threads: CPU threads of a run.
    """

    name: str
    candidates: tuple[str, ...]
    threads: int

    @property
    def on_cpu(self) -> bool:
        """Whether it has no GPU."""
        return self.name.startswith("cpu:")


def plan_slots(devices: str, threads: int, private: bool) -> tuple[Slot, ...]:
    """The slots for a ``--devices`` option.

    Args:
        devices: ``auto`` takes every GPU there is, else one CPU slot.
        threads: CPU threads for all slots together; 0 is all that this process may use.
        private: one slot that takes any of the GPUs, for a service that has one run.

    Raises:
        InputError: the option is malformed or names a GPU that is not there.
    """
    cpu, gpu = _CPU.fullmatch(devices), _GPU.fullmatch(devices)
    total = threads or _usable_cpus()
    if cpu is not None:
        return _cpu_slots(int(cpu.group(1) or 1), total)
    if gpu is None and devices != "auto":
        raise InputError(
            f"--devices {devices!r} is not understood: auto, cpu:N (N slots), gpu:0,1 (indices or UUIDs) or "
            "gpu:0+1 (both for each run)"
        )
    present = visible_gpus()
    groups = [[uuid] for uuid in present.values()] if gpu is None else _groups(gpu.group(1), present, devices)
    if not groups:
        return _cpu_slots(1, total)
    chosen = tuple(TOGETHER.join(group) for group in groups)
    if private:
        return (Slot("gpu", chosen, total),)
    return tuple(Slot(name, (name,), max(1, total // len(chosen))) for name in chosen)


def _groups(text: str, present: dict[str, str], option: str) -> list[list[str]]:
    """UUIDs of the GPUs of each slot, as the option names them by index or UUID."""
    groups = [[present.get(word, word) for word in group.split(TOGETHER)] for group in text.split(",")]
    chosen = [uuid for group in groups for uuid in group]
    missing = sorted(set(chosen) - set(present.values()))
    if missing:
        there = ", ".join(f"{index} ({uuid})" for index, uuid in present.items()) or "none"
        raise InputError(f"--devices {option}: no such GPU: {', '.join(missing)}; there are: {there}")
    twice = sorted({uuid for uuid in chosen if chosen.count(uuid) > 1})
    if twice:
        raise InputError(f"--devices {option}: names {', '.join(twice)} twice; a GPU serves one slot")
    return groups


def visible_gpus() -> dict[str, str]:
    """Index → UUID of the GPUs that nvidia-smi lists and CUDA_VISIBLE_DEVICES allows; empty without a driver."""
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = [line.split(",") for line in listed.splitlines() if "," in line]
    present = {index.strip(): uuid.strip() for index, uuid in pairs}
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return present
    words = {word.strip() for word in allowed.split(",")}
    return {index: uuid for index, uuid in present.items() if index in words or uuid in words}


def _usable_cpus() -> int:
    """CPUs that this process may use; macOS knows no affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_slots(count: int, threads: int) -> tuple[Slot, ...]:
    share = max(1, threads // count)
    return tuple(Slot(f"cpu:{number}", (f"cpu:{number}",), share) for number in range(count))
