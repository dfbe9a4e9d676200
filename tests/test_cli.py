import pytest
from typer.testing import CliRunner

from keras_emb import cli
from keras_emb.experiments import any_experiment
from keras_emb.experiments.configs import METHODS
from keras_emb.experiments.streams import STREAM_METHODS
from keras_emb.search.ciess import AgentError
from tests.experiments.test_result import make_result
from tests.experiments.test_saved_run import run  # noqa: F401


@pytest.fixture
def invoke():
    def call(*arguments):
        return CliRunner().invoke(cli.app, [str(item) for item in arguments])

    return call


@pytest.fixture
def calls(monkeypatch):
    """Stands in for the experiment itself; keeps what it was called with."""
    calls = []

    def run_experiment(config, out, *, data_dir, resume, reporter):
        reporter("[1/2] dense, seed 0")
        calls.append((config, out, data_dir, resume))
        out.mkdir(parents=True)
        (out / "result.json").write_text("{}")
        return make_result(config.seeds)

    monkeypatch.setattr(any_experiment, "run_any_experiment", run_experiment)
    return calls


def fail(capsys, *arguments):
    """The line on stderr of a call that must fail with code 2."""
    with pytest.raises(SystemExit) as exit:
        cli.main([str(item) for item in arguments])
    captured = capsys.readouterr()
    assert exit.value.code == 2
    assert "Traceback" not in captured.err + captured.out
    return captured.err


def test_help_names_every_command(invoke):
    text = invoke("--help").output
    for command in ("demo", "run", "evaluate", "export", "report", "list"):
        assert command in text


@pytest.mark.parametrize(
    ("what", "some"),
    [
        ("methods", [*METHODS, *STREAM_METHODS]),
        ("backbones", ["matrix_factorization", "mlp", "streaming_dlrs"]),
        ("datasets", ["movielens_1m", "synthetic"]),
        ("experiments", ["demo", "dnis_neumf_movielens_1m"]),
    ],
)
def test_list(invoke, what, some):
    result = invoke("list", what)
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.output.splitlines()]
    assert set(names) >= set(some)


def test_run_passes_everything_on(invoke, calls, tmp_path):
    out = tmp_path / "out"
    result = invoke(
        "run",
        "dnis_mlp_movielens_1m",
        "--data-dir",
        "data",
        "--out",
        out,
        "--set",
        "search.l1=0.5",
        "--set",
        "recipe.batch_size=7",
        "--seed",
        "4",
        "--resume",
    )
    assert result.exit_code == 0, result.output
    ((config, folder, data_dir, resume),) = calls
    assert config.experiment == "dnis_mlp_movielens_1m"
    assert (config.search.l1, config.recipe.batch_size) == (0.5, 7)
    assert config.seeds == (4,)
    assert (folder, data_dir, resume) == (out, "data", True)
    assert "[1/2] dense, seed 0" in result.output
    assert "dnis_aligned" in result.output
    assert "result.json" in result.output


def test_runs_go_below_runs_by_default(invoke, calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("run", "dnis_mlp_movielens_1m").exit_code == 0
    assert (tmp_path / "runs" / "dnis_mlp_movielens_1m").is_dir()


def test_every_demo_gets_a_folder(invoke, calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "demo-2.partial").mkdir(parents=True)
    for _ in range(2):
        assert invoke("demo").exit_code == 0
    assert [str(out) for _, out, _, _ in calls] == ["runs/demo", "runs/demo-3"]


def test_a_resumed_demo_is_the_one_interrupted(
    invoke, calls, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert invoke("demo", "--resume").exit_code == 0
    (tmp_path / "runs" / "demo-2.partial").mkdir(parents=True)
    assert invoke("demo", "--resume").exit_code == 0
    assert [str(out) for _, out, _, _ in calls] == ["runs/demo", "runs/demo-2"]


def test_evaluate_prints_the_metrics(invoke, run):  # noqa: F811
    result = invoke("evaluate", run)
    assert result.exit_code == 0, result.output
    assert "test mse:" in result.output


def test_export_makes_the_next_version(invoke, run, tmp_path):  # noqa: F811
    to = tmp_path / "served"
    (to / "3").mkdir(parents=True)
    result = invoke("export", run, "--to", to)
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("served/4")
    assert (to / "4" / "saved_model.pb").is_file()


def test_export_for_litert(invoke, run, tmp_path):  # noqa: F811
    path = tmp_path / "model.tflite"
    arguments = ["export", run, "--to", path, "--format", "litert"]
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert path.read_bytes()[4:8] == b"TFL3"
    result = invoke(*arguments, "--precision", "int8")
    assert result.exit_code and "float32" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "dnsi"], "no experiment 'dnsi'"),
        (["run", "demo", "--set", "search.l2=1"], "`search.l2`"),
        (["run", "demo", "--seed", "-1"], "--seed"),
        (["evaluate", "absent"], "no run in absent"),
        (["export", "absent", "--to", "there"], "no run in absent"),
        (["list", "colours"], "colours"),
        (["run", "demo", "--set", "backbone.name=foo"], "`backbone.name`"),
        (
            ["run", "demo", "--set", "tuning_grid={uniform: 3}"],
            "`tuning_grid` must",
        ),
        (
            [
                "run",
                "ablation_blocks_movielens_1m_click",
                "--to-preset",
                "mine",
            ],
            "must end with a model",
        ),
        (["fly"], "fly"),
    ],
)
def test_a_mistake_ends_in_code_2(capsys, arguments, words):
    assert words in fail(capsys, *arguments)


def test_an_error_of_ours_is_one_line(capsys):
    text = fail(capsys, "run", "demo", "--set", "sahres=[0.1, 0.2]")
    assert text.startswith("Error: `sahres` is an unknown key.")
    assert "sahres=[0.1, 0.2]" in text
    assert text.count("\n") == 1


def test_a_failure_of_the_agents_is_one_line_too(capsys, monkeypatch, tmp_path):
    def fails(*arguments, **settings):
        raise AgentError("CIESS needs TF-Agents:\nreceived nothing")

    monkeypatch.setattr(any_experiment, "run_any_experiment", fails)
    text = fail(capsys, "run", "demo", "--out", tmp_path / "run")
    assert text == "Error: CIESS needs TF-Agents: received nothing\n"


def test_a_traceback_on_demand(monkeypatch):
    monkeypatch.setenv("KERAS_EMB_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no experiment"):
        cli.main(["run", "dnsi"])
