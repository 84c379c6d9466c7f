"""Calling a training service: the public `TrainingClient`, a private service of one's own, and a whole training.

Example:
    >>> from readlabel.client import Endpoint, TrainingClient
    >>> with TrainingClient(Endpoint("gpuhost:50051", token_file=Path("token"))) as client:
    ...     for run in client.list(states=["RUNNING"]):
    ...         print(run.name, run.last_epoch)
"""

from readlabel.client.connection import Endpoint
from readlabel.client.health import serves
from readlabel.client.private_service import PrivateService
from readlabel.client.progress import BarProgress, LineProgress, Progress, progress_for_terminal
from readlabel.client.train import TrainRequest, follow, leaving_it_running, train_over_service
from readlabel.client.training_client import TrainingClient

__all__ = [
    "BarProgress",
    "Endpoint",
    "LineProgress",
    "PrivateService",
    "Progress",
    "TrainRequest",
    "TrainingClient",
    "follow",
    "leaving_it_running",
    "progress_for_terminal",
    "serves",
    "train_over_service",
]
