import importlib.util
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_emb.search.ciess import (
    CIESS,
    AgentError,
    AgentProcess,
    Evaluation,
    Exploration,
    Td3Settings,
)
from tests.search.ciess.extra import needs_agents
from tests.search.ciess.toys import StepEvaluator, backbone, data, popularity

COUNTS = popularity({"user": 40, "item": 30})
D_MAX = 16
SETTINGS = {
    "episodes": 2,
    "iterations": 4,
    "exploration": Exploration(noise="ornstein_uhlenbeck"),
    "td3": Td3Settings(hidden_units=(8, 8), batch_size=32),
    # As a loop over an array gives it.
    "seed": np.int64(3),
}


def _search(toy, **changes):
    paper = {
        "budget": 0.6,
        "evaluator": lambda model, data: toy,
        "warm_start_steps": 0,
        "num_averaged": 0,
    }
    return CIESS(**{**paper, **SETTINGS, **changes})


def _fit(search, counts=COUNTS, width=D_MAX, **options):
    return search.fit(backbone(counts, width), data(counts), **options)


class Interrupted(Exception):
    pass


class FailsAt(StepEvaluator):
    """Does something before its n-th evaluation."""

    # What is read again has a list in place of the tuple.
    fingerprint = {"cutoffs": (5, 10)}

    def __init__(self, number, action):
        super().__init__(COUNTS, D_MAX)
        self.number, self.action = number, action

    def evaluate(self, sizes, seed):
        if len(self.seeds) == self.number:
            self.action()
        return super().evaluate(sizes, seed)


class Stops(keras.callbacks.Callback):
    """Ends a search after an iteration."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self.step


def _children():
    pid = str(os.getpid())
    found = subprocess.run(
        ["ps", "--ppid", pid, "-o", "pid=,args="],
        capture_output=True,
        text=True,
    ).stdout
    return [
        int(line.split()[0])
        for line in found.splitlines()
        if "keras_emb.search.ciess.agent" in line
    ]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    toy = StepEvaluator(COUNTS, D_MAX)
    before = dict(os.environ), set(sys.modules)
    search = _search(toy)
    steps = []
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda step, logs: steps.append((step, logs))
    )
    search.sizes = _fit(search, callbacks=[told])
    search.steps = steps
    assert dict(os.environ) == before[0]
    assert not any("tf_agents" in name for name in sys.modules)
    assert not _children()
    return search


class TestWithAgents:
    pytestmark = needs_agents

    def test_the_result_is_the_best_retrained_within_the_budget(self, done):
        sizes, toy = done.sizes, done.evaluator
        assert sizes.check(0.6).structure == "prefix"
        assert sorted(sizes.tables) == ["item_table", "user_table"]
        assert all(t.output_dim == D_MAX for t in sizes.tables.values())
        allowed = [c for c in done.record if c.mean_size <= 0.6 * D_MAX]
        best = sorted(allowed, key=lambda c: -c.quality)[:3]
        assert len(best) == 3
        scores = [toy.retrain(c.sizes, 0) for c in best]
        winner = best[int(np.argmax(scores))]
        for side in COUNTS:
            np.testing.assert_array_equal(
                sizes.sizes(f"{side}_table"), winner.sizes[side]
            )
        assert sizes.origin["scores"] == scores
        assert not sizes.origin["shrunk"]

    def test_averages_compete_where_they_are_asked_for(self, done):
        done.num_averaged = 4
        try:
            average, less, other = done.candidates(0.6)
            sizes = done.assign(0.6)
            done.num_candidates = 1
            small = done.assign(1.5 / D_MAX)
        finally:
            done.num_averaged, done.num_candidates = 0, 3
        assert small.origin["averaged"] and small.origin["shrunk"]
        assert other == done.candidates(0.6)[0]
        assert 0.3 * D_MAX < average.mean_size <= 0.6 * D_MAX
        assert less.mean_size <= 0.3 * D_MAX
        scores = sizes.origin["scores"]
        assert len(scores) == 3
        assert sizes.origin["averaged"] == (np.argmax(scores) < 2)
        assert not sizes.origin["shrunk"]

    def test_averages_are_equalized_as_far_as_they_are_valued(self, done):
        class Even(StepEvaluator):
            """Likes sizes the more equal they are, or the less."""

            sign = -1

            def evaluate(self, sizes, seed):
                joined = np.concatenate(list(sizes.values()))
                spread = float(self.sign * np.std(joined))
                return Evaluation({}, spread)

        original = done.evaluator
        done.num_averaged = 4
        average, less, _ = done.candidates(0.6)
        done.equalize = True
        done.evaluator = Even(COUNTS, D_MAX)
        try:
            even, half, _ = done.candidates(0.6)
            done._state.values.clear()
            done.evaluator.sign = 1
            same, _, _ = done.candidates(0.6)
        finally:
            done.num_averaged, done.equalize = 0, False
            done.evaluator = original
        for candidate, mean in ((even, 0.6), (half, 0.3)):
            sizes = np.concatenate(list(candidate.sizes.values()))
            assert sizes.max() - sizes.min() <= 1
            assert sizes.sum() == int(mean * D_MAX * len(sizes))
        assert same.digest == average.digest != even.digest
        assert less.mean_size <= 0.3 * D_MAX

    def test_the_trace_tells_what_happened(self, done):
        assert [step for step, _ in done.steps] == list(range(8))
        for entry, (_, logs) in zip(done.trace, done.steps, strict=True):
            told = {k: v for k, v in entry.items() if k != "losses"}
            assert told.items() <= logs.items()
            assert (
                logs["user_critic_loss"]
                == (entry["losses"]["user"]["critic_loss"])
            )
        assert len(done.trace) == len(done.record) == 8
        for entry, candidate in zip(done.trace, done.record, strict=True):
            sizes = np.concatenate(list(candidate.sizes.values()))
            assert sizes.min() >= 1 and sizes.max() <= D_MAX
            assert entry["mean_size"] == sizes.mean()
            np.testing.assert_allclose(
                entry["reward"],
                entry["quality"] - 0.4 * np.mean((sizes / D_MAX) ** 2),
                rtol=1e-5,
            )
            assert set(entry["losses"]) == {"user", "item"}
        assert [e["episode"] for e in done.trace] == [0] * 4 + [1] * 4
        assert len(set(done.evaluator.seeds)) >= 8

    def test_one_search_serves_every_budget(self, done):
        before = len(done.evaluator.retrained)
        for share in (0.3, 0.1, 1 / D_MAX):
            sizes = done.assign(share).check(share)
        assert (sizes.sizes("user_table") == 1).all()
        small = done.assign(0.1)
        assert small.origin["shrunk"]
        assert small.num_parameters == int(0.1 * 70 * D_MAX)
        assert len(done.evaluator.retrained) <= before + 9
        done.assign(3_000).check(3_000)
        with pytest.raises(ValueError, match="`budget`"):
            done.assign(0.5 / D_MAX)

    def test_interrupted_and_killed_and_resumed_it_is_the_same_search(
        self, done, tmp_path
    ):
        def interrupt():
            raise Interrupted

        def kill():
            (pid,) = _children()
            os.kill(pid, signal.SIGKILL)

        toys = [FailsAt(2, interrupt), FailsAt(3, kill), FailsAt(99, None)]
        options = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0}
        with pytest.raises(Interrupted):
            _fit(_search(toys[0]), **options)
        with pytest.raises(AgentError, match="code -9.*checkpoint_dir"):
            _fit(_search(toys[1]), **options)
        search = _search(toys[2])
        sizes = _fit(search, **options)
        assert not _children()
        assert [toy.full_calls for toy in toys] == [1, 0, 0]
        assert search.trace == done.trace
        for left, right in zip(search.record, done.record, strict=True):
            assert left.digest == right.digest
        assert sizes.tables == done.sizes.tables
        # The search is over: nothing is done again, no agent is started.
        again = _search(FailsAt(0, interrupt))
        assert _fit(again, **options).tables == sizes.tables
        assert again.trace == search.trace
        assert again.seconds == search.seconds > 0
        with pytest.raises(ValueError, match="checkpoint_dir.*seed"):
            _fit(_search(toys[2], seed=4), **options)
        other = FailsAt(99, None)
        other.fingerprint = {"weights": "others"}
        with pytest.raises(ValueError, match="checkpoint_dir.*evaluator"):
            _fit(_search(other), **options)

    def test_what_was_tried_outlasts_an_interruption(self, done, tmp_path):
        def interrupt():
            raise Interrupted

        search = _search(FailsAt(2, interrupt))
        with pytest.raises(Interrupted):
            _fit(search, checkpoint_dir=tmp_path, checkpoint_seconds=0)
        assert search.trace == done.trace[:2]
        assert search.seconds > 0
        search.evaluator.number = None
        assert search.assign(0.6).check(0.6)
        with pytest.raises(ValueError, match="must have ended.*2 of 8"):
            search.save_policies("nowhere")

    def test_an_evaluator_that_scores_no_number_is_refused(self, done):
        class Nowhere(StepEvaluator):
            def retrain(self, sizes, seed):
                return float("nan")

        original = done.evaluator
        done.evaluator, done.num_averaged = Nowhere(COUNTS, D_MAX), 3
        try:
            with pytest.raises(ValueError, match="`retrain`.*Received: nan"):
                done.assign(0.43)
        finally:
            done.evaluator, done.num_averaged = original, 0

    def test_agents_that_ask_need_an_answer(self):
        settings = {key: SETTINGS[key] for key in ("episodes", "iterations")}
        with AgentProcess(
            rows={"user": 2},
            d_max=4,
            exploration=Exploration(),
            td3=SETTINGS["td3"],
            seed=0,
            policies=None,
            **settings,
        ) as agents:
            with pytest.raises(ValueError, match="`answer`.*'iterate'.*reset"):
                agents.call("iterate", 0)
            with pytest.raises(AgentError, match="was closed.*'state'"):
                agents.call("state")

    def test_a_search_that_was_stopped_is_over(self, done, tmp_path):
        toy = FailsAt(99, None)
        search = _search(toy)
        sizes = _fit(search, checkpoint_dir=tmp_path, callbacks=[Stops(2)])
        assert len(search.record) == len(search.trace) == 3
        assert search.trace == done.trace[:3]
        assert sizes.check(0.6)
        # Nothing is tried again, and retraining is where it was.
        again = _search(FailsAt(0, lambda: pytest.fail("It goes on.")))
        assert _fit(again, checkpoint_dir=tmp_path).tables == sizes.tables
        assert again.trace == search.trace

    def test_policies_are_applied_to_another_data_set(self, done, tmp_path):
        done.save_policies(tmp_path)
        counts = popularity({"user": 9, "item": 50}, seed=1)
        search = _search(
            StepEvaluator(counts, D_MAX),
            policies=tmp_path,
            episodes=1,
            iterations=2,
        )
        assert _fit(search, counts, 2 * D_MAX).check(0.6)
        assert all(entry["losses"] == {} for entry in search.trace)
        assert len(search.record[0].sizes["item"]) == 50
        with pytest.raises(ValueError, match="`hidden_units`.*Received"):
            _fit(_search(None, policies=tmp_path, td3=Td3Settings()), counts)
        with pytest.raises(ValueError, match="`policies`.*Received.*shop"):
            _fit(_search(None, policies=tmp_path), {"shop": counts["user"]})

    @pytest.mark.parametrize("busy", [False, True])
    def test_the_agents_die_with_their_parent(self, busy):
        script = (
            "import os, threading, time\n"
            "import numpy as np\n"
            "from keras_emb.search.ciess import *\n"
            "agents = AgentProcess(rows={'user': 2}, d_max=4, episodes=1,\n"
            "    iterations=1, exploration=Exploration(), td3=Td3Settings(\n"
            "        hidden_units=(4,), updates_per_iteration=10**9),\n"
            "    seed=0, policies=None)\n"
            "print(agents.pid, flush=True)\n"
            "states = np.ones((2, 3), np.float32)\n"
            "def answer(question, *_):\n"
            "    if question == 'reset':\n"
            "        return states\n"
            "    threading.Timer(1.0, os.kill, (os.getpid(), 9)).start()\n"
            "    return states, np.ones(2, np.float32)\n"
            f"if {busy}:\n"
            "    agents.call('iterate', 0, answer=answer)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        pid = int(done.stdout.split()[-1])
        for _ in range(300):
            if not _alive(pid):
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        pytest.fail("The agents' process outlives its parent.")

    def test_a_failure_of_the_agents_is_told_in_one_error(self):
        with pytest.raises(
            AgentError, match="(?s)process failed.*argument .nothing"
        ):
            AgentProcess(nothing="of use")


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_missing_extra_is_told_with_its_remedy(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "tf_agents" else find(name, *rest),
    )
    search = _search(StepEvaluator(COUNTS, D_MAX))
    with pytest.raises(AgentError, match=r"pip install keras_emb\[ciess\]"):
        _fit(search)


def test_importing_the_library_imports_no_tf_agents():
    code = (
        "import sys, keras_emb, keras_emb.search.ciess, keras, tensorflow\n"
        "assert not any('tf_agents' in name or 'tf_keras' == name\n"
        "               for name in sys.modules)\n"
        "assert tensorflow.keras.__version__.startswith('3')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_an_impossible_budget_is_refused_before_the_search():
    toy = StepEvaluator(COUNTS, D_MAX)
    with pytest.raises(ValueError, match="`budget` must have room"):
        _fit(_search(toy, budget=0.01))
    assert not toy.full_calls


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("evaluator", "guess"),
        ("warm_start_steps", -1),
        ("episodes", 0),
        ("iterations", 1.5),
        ("num_candidates", 0),
        ("equalize", True),
        ("memory_weight", -1),
        ("memory_weight", float("nan")),
        ("quality", "best"),
        ("seed", -1),
    ],
)
def test_arguments_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` (must|needs).*Received"):
        _search(None, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise", "pink"),
        ("noise_scale", -1.0),
        ("walk_steps", -1),
        ("walk_steps", 5.0),
        ("walk_distance", 0),
    ],
)
def test_exploration_out_of_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must.*Received"):
        Exploration(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy_delay", 0),
        ("batch_size", 1.5),
        ("actor_learning_rate", 0.0),
        ("gradient_clipping", -1.0),
        ("target_noise", -1.0),
        ("discount", 1.1),
        ("tau", 0.0),
        ("hidden_units", ()),
    ],
)
def test_td3_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must.*Received"):
        Td3Settings(**{name: value})


def test_tables_must_be_of_one_width():
    model = keras.Model(
        (ids := keras.Input((), dtype="int32", name="user")),
        [
            keras.layers.Embedding(9, width, name=f"of_{width}")(ids)
            for width in (4, 8)
        ],
    )
    with pytest.raises(ValueError, match=r"one width.*\[4, 8\]"):
        _search(None).fit(model, data({"user": np.ones(9)}))


def test_tables_must_be_looked_up_by_what_is_counted():
    with pytest.raises(ValueError, match="looked up by.*Received.*'item'"):
        _search(None).fit(
            backbone(COUNTS, D_MAX), data({"user": COUNTS["user"]})
        )


def test_a_fingerprint_that_cannot_be_kept_is_refused(tmp_path):
    toy = StepEvaluator(COUNTS, D_MAX)
    toy.fingerprint = {"weights": np.ones(2)}
    with pytest.raises(ValueError, match="`fingerprint` must hold plain"):
        _fit(_search(toy), checkpoint_dir=tmp_path)
    assert not toy.full_calls


def test_choosing_comes_after_searching(tmp_path):
    search = _search(StepEvaluator(COUNTS, D_MAX))
    for call in (
        lambda: search.assign(0.5),
        lambda: search.candidates(0.5),
        lambda: search.save_policies(tmp_path),
    ):
        with pytest.raises(ValueError, match="`fit` or `explore` must come"):
            call()
