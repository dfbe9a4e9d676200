"""The command line: parses, calls, prints."""

import enum
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

__all__ = ["app", "main"]

app = typer.Typer(
    help="Mixed-size embedding tables for Keras recommenders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_DataDir = Annotated[
    str | None,
    typer.Option(
        help="Folder of the data; without it, the folder named by "
        "KERAS_EMB_DATA, or else a download.",
    ),
]
_Out = Annotated[
    Path | None,
    typer.Option(help="Folder to write; runs/EXPERIMENT by default."),
]
_Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Changes one setting; dots between nested keys. Repeatable.",
    ),
]
_Seed = Annotated[
    int | None, typer.Option(help="Runs this one seed only.", min=0)
]
_Model = Annotated[
    str,
    typer.Argument(
        help="Name of a preset, or folder of a preset or complete run.",
        metavar="PRESET|RUN",
    ),
]
_Resume = Annotated[
    bool, typer.Option("--resume", help="Continues an interrupted run.")
]


class _Precision(enum.StrEnum):
    float32 = "float32"
    float16 = "float16"
    int8 = "int8"


class _Format(enum.StrEnum):
    saved_model = "saved_model"
    litert = "litert"


class Listed(enum.StrEnum):
    """What there is a list of."""

    methods = "methods"
    backbones = "backbones"
    datasets = "datasets"
    experiments = "experiments"
    presets = "presets"


@app.command()
def demo(
    out: _Out = None, overrides: _Set = None, resume: _Resume = False
) -> None:
    """Runs the main job in a few minutes, on synthetic ratings."""
    from keras_emb.experiments.tables import comparison_table

    if out is None:
        first = Path("runs") / "demo"
        out = _last_interrupted(first) if resume else _free_folder(first)
    folder, result = _run("demo", None, out, overrides, None, resume)
    Console().print(comparison_table(result))
    _print_files(folder)


@app.command()
def run(
    experiment: Annotated[
        str, typer.Argument(help="Name of an experiment, or a .yaml file.")
    ],
    data_dir: _DataDir = None,
    out: _Out = None,
    overrides: _Set = None,
    seed: _Seed = None,
    resume: _Resume = False,
    to_preset: Annotated[
        str | None,
        typer.Option(
            help="Makes a preset of the exported model: its name in the "
            "library, or a folder.",
        ),
    ] = None,
) -> None:
    """Runs an experiment: search, retrain, compact, export, compare."""
    from keras_emb.experiments.tables import result_table

    if to_preset is not None:
        from keras_emb.experiments.saved_run import refuse_ablation

        refuse_ablation(_experiment(experiment, overrides, seed))
    folder, result = _run(experiment, data_dir, out, overrides, seed, resume)
    Console().print(result_table(result))
    _print_files(folder)
    if to_preset is not None:
        from keras_emb.experiments.run_preset import preset_of_run
        from keras_emb.zoo.presets import preset_folder

        preset_of_run(folder, to_preset, data_dir)
        _print_files(preset_folder(to_preset))


@app.command()
def evaluate(
    model: _Model,
    data_dir: _DataDir = None,
) -> None:
    """Measures a model again and compares with what was recorded of it."""
    from keras_emb.experiments.saved_run import SavedRun

    saved = SavedRun.find(model)
    for name, value in saved.evaluate(data_dir).items():
        typer.echo(f"{saved.measured_part} {name}: {value:.6f}, as recorded")
    if saved.measured_part == "hindsight":
        typer.echo(
            "These are the figures of the model at the end of its stream, on "
            "a test part it has learnt from. The prequential ones come out "
            f"again by replaying the stream: {saved.result['command']}"
        )


@app.command()
def export(
    model: _Model,
    to: Annotated[
        Path,
        typer.Option(
            help="Folder of the model's versions, or the file for LiteRT."
        ),
    ],
    precompute: Annotated[
        bool,
        typer.Option(
            help="Store the vectors a graph was propagated for, and no graph."
        ),
    ] = False,
    precision: Annotated[
        _Precision, typer.Option(help="Type of the stored values.")
    ] = _Precision.float32,
    format_: Annotated[
        _Format,
        typer.Option("--format", help="litert: one file, for float32 only."),
    ] = _Format.saved_model,
) -> None:
    """Writes a model as a SavedModel in a new version folder, or for LiteRT."""
    import dataclasses

    from keras_emb import compression
    from keras_emb.experiments.saved_run import SavedRun

    saved = SavedRun.find(model)
    if precompute:
        saved = dataclasses.replace(
            saved, model=compression.precompute(saved.model)
        )
    if format_ is _Format.saved_model:
        written = saved.served.export(to, precision=precision.value)
    else:
        from keras_emb.serving import export_litert

        if precision is not _Precision.float32:
            raise ValueError(
                "`--precision` must be float32 for LiteRT. "
                f"Received: --precision {precision.value}"
            )
        written = export_litert(saved.model, to)
    typer.echo(str(written))


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of complete runs.")
    ],
    to: Annotated[Path, typer.Option(help="HTML file to write.")],
) -> None:
    """Writes one page about runs: tables, bytes, sizes, pictures."""
    from keras_emb.experiments.report import write_report

    typer.echo(str(write_report(list(runs), to)))


@app.command("list")
def list_(what: Listed) -> None:
    """Lists what there is to choose from."""
    lines: Sequence[str]
    if what is Listed.backbones:
        from keras_emb.zoo.backbones import BACKBONES

        lines = list(BACKBONES)
    elif what is Listed.presets:
        from keras_emb.zoo.presets import preset_names

        lines = preset_names()
    elif what is Listed.datasets:
        from keras_emb.datasets import available

        lines = available()
    else:
        from keras_emb.experiments.configs import METHODS, experiment_names
        from keras_emb.experiments.ranking import RANKING_METHODS
        from keras_emb.experiments.streams import STREAM_METHODS

        if what is Listed.experiments:
            lines = experiment_names()
        else:
            methods = {**METHODS, **STREAM_METHODS, **RANKING_METHODS}
            width = max(map(len, methods))
            lines = [
                f"{name:{width}}  {text}" for name, text in methods.items()
            ]
    for line in lines:
        typer.echo(line)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line; a user's mistake ends in one line and code 2.

    With `KERAS_EMB_TRACEBACK` set, mistakes end in a traceback.

    Args:
        arguments: What follows the command's name; the process's own by
            default.
    """
    try:
        app(arguments)
    except (
        FloatingPointError,
        ImportError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        if os.environ.get("KERAS_EMB_TRACEBACK"):
            raise
        line = " ".join(str(error).split())
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]Error:[/] {escape(line)}", highlight=False
        )
        sys.exit(2)
    sys.exit(0)


def _run(
    experiment: str,
    data_dir: str | None,
    out: Path | None,
    overrides: Sequence[str] | None,
    seed: int | None,
    resume: bool,
) -> tuple[Path, dict[str, Any]]:
    from keras_emb.experiments.any_experiment import run_any_experiment

    config = _experiment(experiment, overrides, seed)

    import tensorflow as tf

    from keras_emb.experiments.progress import ProgressReporter

    # Every model of a run traces its own functions, which TensorFlow warns of.
    tf.get_logger().setLevel("ERROR")
    folder = out or Path("runs") / config.experiment
    with ProgressReporter(Console()) as report:
        result = run_any_experiment(
            config, folder, data_dir=data_dir, resume=resume, reporter=report
        )
    return folder, result


def _experiment(
    name: str, overrides: Sequence[str] | None, seed: int | None
) -> Any:
    from keras_emb.experiments.any_experiment import load_experiment

    overrides = list(overrides or ())
    if seed is not None:
        overrides.append(f"seeds=[{seed}]")
    return load_experiment(name, overrides)


def _free_folder(folder: Path) -> Path:
    """Numbers a folder until neither it nor an interrupted one is there."""
    free = folder
    for number in itertools.count(2):
        if not free.exists() and not Path(f"{free}.partial").exists():
            break
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def _last_interrupted(folder: Path) -> Path:
    """The numbered folder whose run was interrupted last, else the first."""
    partial = max(
        folder.parent.glob(f"{folder.name}*.partial"),
        key=lambda found: found.stat().st_mtime,
        default=folder,
    )
    return folder.with_name(partial.name.removesuffix(".partial"))


def _print_files(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "saved_model" not in path.parts:
            typer.echo(f"{path}  {path.stat().st_size:,} bytes")
    for version in sorted((folder / "saved_model").glob("*")):
        size = sum(p.stat().st_size for p in version.rglob("*") if p.is_file())
        typer.echo(f"{version}  {size:,} bytes")
