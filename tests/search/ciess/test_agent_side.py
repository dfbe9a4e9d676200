import os
import subprocess
import sys
from pathlib import Path

from tests.search.ciess.extra import needs_agents

pytestmark = needs_agents
FOLDER = Path(__file__).parent / "agent"


def test_the_agents_side_in_a_process_with_legacy_keras():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", str(FOLDER)]
        + ["-p", "no:cacheprovider"],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
