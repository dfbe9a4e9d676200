"""These tests need Keras 2 behind `tf.keras`: a process of their own.

`tests/search/ciess/test_agent_side.py` starts it.
"""

import os

if os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    collect_ignore_glob = ["test_*.py"]
