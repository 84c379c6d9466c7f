"""The evaluation of a finished training, by a process of its own that sees the exported files and nothing else.

Enter: a run's folder and the validation reads. Leave: the metrics that the process wrote there. What the training had
in memory cannot make up for anything that the exported files lack.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from readlabel.artifacts.names import METRICS
from readlabel.messages import FailureReason, InputError, Metrics, TrainOrder
from readlabel.trainer.channel import Control
from readlabel.trainer.failures import RunFailed

_LOOK_SECONDS = 0.05
_GRACE_SECONDS = 5


def evaluate_apart(run_dir: Path, validation: Path, order: TrainOrder, control: Control) -> Metrics:
    """Evaluate exported files in a fresh process.

    Args:
        run_dir: holds the exported files; metrics and predictions are written there.
        validation: Parquet file of the validation reads.
        order: says which device and how many threads.
        control: looked at while waiting.

    Raises:
        Interrupted: somebody asked the run to end; the process is ended with it.
        RunFailed: the process failed; the message is what it said.
    """
    command = [sys.executable, "-P", "-m", "readlabel.trainer.evaluate", str(run_dir), str(validation)]
    device = order.device.partition("+")[0]  # one is enough
    command += ["--device", device, "--threads", str(order.threads), "--with-parent"]
    with tempfile.TemporaryFile() as said:
        # Its standard input stays open for as long as this process lives, and no longer.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said) as process:
            try:
                _wait(process, control)
            finally:
                _end(process)
        if process.returncode:
            raise _failure(process.returncode, said, validation)
    return Metrics.model_validate_json((run_dir / METRICS).read_bytes())


def _wait(process: subprocess.Popen[bytes], control: Control) -> None:
    while process.poll() is None:
        control.wait(_LOOK_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _failure(status: int, said: IO[bytes], validation: Path) -> RunFailed:
    said.seek(0)
    text = said.read().decode(errors="replace")
    print(text, file=sys.stderr, flush=True)
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing").strip()
    # Only the validation reads came from the user; whatever is wrong with the exported files is ours.
    faulty_reads = status == InputError.exit_code and str(validation) in text
    reason: FailureReason = "INVALID_INPUT" if faulty_reads else "INTERNAL"
    if "no space left on" in text.lower():
        reason = "DISK_FULL"
    return RunFailed(reason, f"evaluating the exported files failed with status {status}: {last}")
