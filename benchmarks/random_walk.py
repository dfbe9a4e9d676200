"""The random walk takes no time, however many entities walk.

Five steps over 128 sizes for ten thousand entities, drawn anew each time;
beside it the whole choice of their sizes with walk and critic, in the
process TF-Agents needs.
"""

import os
import sys
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from benchmarks.report import finish, median_milliseconds
from keras_emb.search.ciess import Exploration, Td3Settings
from keras_emb.search.ciess.agent.random_walk import random_walk, walk_table

IDS, D_MAX = 10_000, 128


def main() -> NoReturn:
    """Measures and reports."""
    from keras_emb.search.ciess.agent.agent_session import AgentSession

    exploration = Exploration()
    table = walk_table(D_MAX, exploration.walk_distance)
    random = np.random.default_rng(0)
    start = tf.constant(random.integers(1, D_MAX + 1, IDS), tf.int32)
    states = random.random((IDS, 3)).astype("float32")

    def walk(_: int) -> None:
        shape = (IDS, exploration.walk_steps)
        random_walk(start, table, tf.random.uniform(shape)).numpy()

    def ask(question: str, *_: Any) -> Any:
        rewards = np.zeros(IDS, "float32")
        return states if question == "reset" else (states, rewards)

    session = AgentSession(
        ask,
        rows={"user": IDS},
        d_max=D_MAX,
        episodes=1,
        iterations=1,
        exploration=exploration,
        td3=Td3Settings(),
        seed=0,
        policies=None,
    )
    policy = session.sides["user"].collect_policy
    time_step = tf.nest.map_structure(tf.constant, session.environment.reset())
    noise = policy.get_initial_state(IDS)

    def choose(_: int) -> None:
        policy.action(time_step, noise).action.numpy()

    times = median_milliseconds({"walk": walk, "choice": choose}, repeats=15)
    finish(
        "random_walk",
        {f"{name}_ms": value for name, value in times.items()},
        {"walk_ms": ("<=", 20)},
    )


if __name__ == "__main__":
    if os.environ.get("TF_USE_LEGACY_KERAS") == "1":
        main()
    # TensorFlow is imported already: too late to set the flag here.
    os.execve(
        sys.executable,
        [sys.executable, "-m", "benchmarks.random_walk"],
        {**os.environ, "TF_USE_LEGACY_KERAS": "1"},
    )
