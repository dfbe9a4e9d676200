import io

from rich.console import Console

from keras_emb.experiments.progress import ProgressReporter


def test_elsewhere_every_line_is_printed_as_it_is():
    console = Console(file=io.StringIO(), width=20)
    line = "[1/3] a line that is longer than the console, [bold]"
    with ProgressReporter(console) as report:
        report(line)
        report("news")
    assert console.file.getvalue() == f"{line}\nnews\n"


def test_on_a_terminal_counted_lines_move_a_bar():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with ProgressReporter(console) as report:
        report("news")
        report("[1/3] dense")
        report("[3/3] dnis")
    text = console.file.getvalue()
    assert "news" in text
    assert "3/3" in text
    assert "dnis" in text
    assert "[3/3]" not in text
