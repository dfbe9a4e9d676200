import dataclasses
import multiprocessing
import os
import signal

import pytest

from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.run_folder import RunFolder

CONFIG = ExperimentConfig.load("demo")


def test_out_appears_only_when_finished(tmp_path):
    out = tmp_path / "deep" / "run"
    with RunFolder(out, CONFIG) as folder:
        (folder.path / "model.keras").write_text("model")
        assert not out.exists()
        folder.finish()
        assert folder.path == out
    assert sorted(os.listdir(out)) == ["config.yaml", "model.keras"]
    assert os.listdir(out.parent) == ["run"]
    assert ExperimentConfig.load(out / "config.yaml") == CONFIG


def test_an_interrupted_run_is_continued_on_demand(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), RunFolder(out, CONFIG) as folder:
        (folder.path / "unit.json").write_text("1")
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="interrupted run.*--resume"):
        RunFolder(out, CONFIG).__enter__()
    with RunFolder(out, CONFIG, resume=True) as folder:
        assert not folder.is_complete
        assert (folder.path / "unit.json").read_text() == "1"
        folder.finish()
    assert (out / "unit.json").read_text() == "1"


def test_resume_refuses_another_config_and_names_the_key(tmp_path):
    out = tmp_path / "run"
    with RunFolder(out, CONFIG) as folder:
        (folder.path / "unit.json").write_text("1")
    other = ExperimentConfig.load("demo", ["search.l1=0.5"])
    with pytest.raises(ValueError, match="`search.l1` is 0.5 now and was 0.0"):
        RunFolder(out, other, resume=True).__enter__()


def test_a_run_of_before_a_key_existed_is_continued(tmp_path):
    out = tmp_path / "run"
    with RunFolder(out, CONFIG) as folder:
        path = folder.path / "config.yaml"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(x for x in lines if x != "task: rating\n"))
        assert len(path.read_text().splitlines()) == len(lines) - 1
        (folder.path / "unit.json").write_text("1")
    with RunFolder(out, CONFIG, resume=True) as folder:
        assert not folder.is_complete
    other = dataclasses.replace(CONFIG, task="click")
    with pytest.raises(ValueError, match="`task` is click now and was rating"):
        RunFolder(out, other, resume=True).__enter__()


def test_a_complete_run_is_never_written_to(tmp_path):
    out = tmp_path / "run"
    with RunFolder(out, CONFIG) as folder:
        folder.finish()
    with pytest.raises(ValueError, match="exists already"):
        RunFolder(out, CONFIG).__enter__()
    with RunFolder(out, CONFIG, resume=True) as folder:
        assert folder.is_complete
        assert folder.path == out
    other = ExperimentConfig.load("demo", ["seeds=[7]"])
    with pytest.raises(ValueError, match="`seeds` is .7. now and was .0."):
        RunFolder(out, other, resume=True).__enter__()
    assert os.listdir(tmp_path) == ["run"]


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(ValueError, match="exists already"):
            RunFolder(tmp_path / "run", CONFIG, resume=resume).__enter__()
    assert os.listdir(tmp_path / "run") == ["thesis.txt"]


def _hold(out, held):
    with RunFolder(out, CONFIG, resume=True):
        held.set()
        signal.pause()


def test_two_processes_cannot_share_a_run_and_a_dead_one_frees_it(tmp_path):
    out = tmp_path / "run"
    context = multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=_hold, args=(out, held))
    holder.start()
    try:
        assert held.wait(30)
        with pytest.raises(ValueError, match=f"Process {holder.pid} is run"):
            RunFolder(out, CONFIG, resume=True).__enter__()
    finally:
        holder.kill()
        holder.join()
    with RunFolder(out, CONFIG, resume=True) as folder:
        folder.finish()
    assert out.is_dir()


def test_a_mistake_before_any_work_leaves_nothing(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ValueError, match="no data"), RunFolder(out, CONFIG):
        (out.with_name("run.partial") / "work" / "units").mkdir(parents=True)
        raise ValueError("no data")
    assert not os.listdir(tmp_path)


def test_a_complete_run_holds_no_work(tmp_path):
    out = tmp_path / "run"
    with RunFolder(out, CONFIG) as folder:
        folder.work.mkdir()
        (folder.work / "unit.json").write_text("1")
        folder.finish()
    assert os.listdir(out) == ["config.yaml"]
    (out / "work").mkdir()
    with RunFolder(out, CONFIG, resume=True):
        assert os.listdir(out) == ["config.yaml"]
