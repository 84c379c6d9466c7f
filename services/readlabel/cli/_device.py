"""The device that a command's network runs on."""

from __future__ import annotations

from readlabel.messages import InputError
from readlabel.trainer.failures import RunFailed
from readlabel.trainer.machine import claim_device


def use_device(device: str, threads: int) -> None:
    """Give TensorFlow the device and threads that a command's options name.

    Raises:
        InputError: there is no such device.
    """
    try:
        claim_device(device, threads)
    except RunFailed as error:
        raise InputError(f"--device {device}: {error}") from error
