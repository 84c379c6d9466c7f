"""The network of a run: layers, CRF, weights; how it is written, read back, and used to label reads."""

from readlabel.model.buckets import bucket_length
from readlabel.model.network import Batch, Network

__all__ = ["Batch", "Network", "bucket_length"]
