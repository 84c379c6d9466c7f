"""The device that a command's network runs on."""

from __future__ import annotations

import os

import tensorflow as tf

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
    _compile_unheard()


def _compile_unheard() -> None:
    """Let XLA's first compilation say what it says once a process, and no setting stops, to nobody."""
    heard, nobody = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nobody, 2)
        with tf.device("CPU:0"):
            tf.function(lambda: tf.constant(0) + 1, jit_compile=True)()
    finally:
        os.dup2(heard, 2)
        os.close(heard)
        os.close(nobody)
