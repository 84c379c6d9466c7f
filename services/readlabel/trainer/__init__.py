"""One training run: input pipeline, loop, checkpoints, and the evaluation of what was exported."""

import os

# TensorFlow tells every process which drivers it lacks and which instructions it was not compiled for. What matters
# reaches us as exceptions; who wants to hear the rest sets the variable.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
