import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "agent"


@pytest.mark.tfagents
def test_the_agents_side_in_a_process_with_legacy_keras():
    pytest.importorskip("tf_agents", reason="needs keras_emb[ciess]")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", str(FOLDER)]
        + ["-p", "no:cacheprovider"],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
