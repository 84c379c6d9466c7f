"""The network of a run: layers, CRF, weights; how it is written, read back, and used to label reads."""

import os

# oneDNN's convolutions are about twice as fast in the backward pass as Eigen's, but TensorFlow 2.15 turns them on by
# itself on few kinds of CPU. It reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from readlabel.model.buckets import bucket_length
from readlabel.model.network import Batch, Network

__all__ = ["Batch", "Network", "bucket_length"]
