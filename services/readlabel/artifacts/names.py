"""The names of a run's files, and of the same files under tranquillyzer's layout.

A run's folder has fixed names, because neither a worker nor a TRAIN task knows which index the run has in some grid.
EXPORT gives each file the name it goes by in the results: ``<model>_<i>/<model>_<i>.h5`` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass

WEIGHTS = "model.h5"
PARAMS = "params.json"
LABEL_BINARIZER = "label_binarizer.pkl"
HISTORY = "history.tsv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
RUN = "run.json"
LOG = "train.log"
TENSORBOARD = "events.out.tfevents.readlabel"


@dataclass(frozen=True)
class Artifact:
    """One file of a run.

    Attributes:
        name: its name in a run's folder.
        suffix: what follows ``<model>_<i>`` in the results, or the empty string for a file that keeps its name.
        media_type: for the service's listing.
        of_success: whether only a run that succeeded has it.
    """

    name: str
    suffix: str
    media_type: str
    of_success: bool = True


ARTIFACTS: tuple[Artifact, ...] = (
    Artifact(WEIGHTS, ".h5", "application/x-hdf5"),
    Artifact(PARAMS, "_params.json", "application/json"),
    Artifact(LABEL_BINARIZER, "_lbl_bin.pkl", "application/octet-stream"),
    Artifact(HISTORY, "_history.tsv", "text/tab-separated-values"),
    Artifact(METRICS, "_metrics.json", "application/json"),
    Artifact(PREDICTIONS, "_predictions.parquet", "application/vnd.apache.parquet"),
    Artifact(RUN, "_run.json", "application/json", of_success=False),
    Artifact(LOG, "_train.log", "text/plain", of_success=False),
    Artifact(TENSORBOARD, "", "application/octet-stream", of_success=False),
)

VALIDATION_PDF_SUFFIX = "_val_viz.pdf"
SEQ_ORDERS = "seq_orders.tsv"
"""The libraries of a folder of models, as tranquillyzer names it."""
CRF_SUFFIX = "_w_CRF"
"""What tranquillyzer puts behind the name of a model with a CRF."""
