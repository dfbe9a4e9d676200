"""Settings that make small models cheap, before TensorFlow is imported."""

import gc
import os

# As many processes as cores run the tests: more threads would only wait.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
# What is compiled runs a few times.
os.environ.setdefault("XLA_FLAGS", "--xla_llvm_disable_expensive_passes=true")
# Tracing makes objects by the million; every collection visits them all.
gc.set_threshold(200_000, 50, 100)
