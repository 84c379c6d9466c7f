"""The machine a worker runs on: devices, threads, memory."""

from __future__ import annotations

import os
import resource
import sys
from importlib import metadata
from pathlib import Path

import tensorflow as tf

from readlabel.trainer.failures import RunFailed

_PACKAGES = ("readlabel", "tensorflow", "tensorflow-addons", "keras", "numpy", "h5py", "pyarrow", "pydantic")


def claim_device(device: str, threads: int) -> str:
    """Give TensorFlow its device and threads; comes before anything else touches a device.

    Args:
        device: ``cpu``, or a GPU's UUID or index; several with ``+`` between them.
        threads: of each of TensorFlow's two pools; 0 leaves the choice to it.

    Returns:
        The device in words, for the run's record.

    Raises:
        RunFailed: DEVICE when there is no such device.
    """
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return "cpu"
    # CUDA reads this when it is first asked for devices, and knows UUIDs and indices.
    wanted = device.split("+")
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(wanted)
    # What is float32 by name (LSTM, dense layer, CRF) is computed as such; `precision` is for those who want less.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise RunFailed("DEVICE", f"GPU {device} cannot be used: {error}") from error
    if len(gpus) < len(wanted):
        found = f"finds {len(gpus)} of the GPUs {device}" if gpus else f"finds no GPU {device}"
        raise RunFailed("DEVICE", f"TensorFlow {found}: is a driver that CUDA 12.2 accepts installed?")
    return f"{', '.join(names)} ({device})"


def strategy_of_devices() -> tf.distribute.Strategy:
    """How the claimed devices work together: a single one by itself, several GPUs as mirrors of each other."""
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy([gpu.name for gpu in gpus]) if len(gpus) > 1 else tf.distribute.get_strategy()


def peak_memory() -> int:
    """Peak resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike getrusage, this does not count what the process that started this one held when it did.
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Versions of what decides a run's numbers."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
