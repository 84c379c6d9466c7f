"""One training run: input pipeline, loop, checkpoints, and the evaluation of what was exported."""

import os

# TensorFlow tells every process which drivers it lacks and which instructions it was not compiled for. What matters
# reaches us as exceptions; who wants to hear the rest sets the variable.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's convolutions are faster, but TensorFlow 2.15 turns them on by itself on few kinds of CPU (docs/model.md).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
