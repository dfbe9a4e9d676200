"""The report as a browser draws it."""

import html
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.image import imread

from keras_emb.experiments.report import write_report
from tests.experiments.test_report import run  # noqa: F401

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chrome-headless-shell",
)
PHONE = 390
# Asks a page that is as wide as a phone how it has been laid out.
PROBE = """
<iframe id="phone" style="width:{width}px;height:840px;border:0"
 srcdoc="{page}"></iframe>
<script>
document.getElementById("phone").addEventListener("load", (event) => {{
  const page = event.target.contentDocument;
  const pictures = [...page.images].map((image) => [
    image.complete, image.naturalWidth, image.getBoundingClientRect().width,
  ]);
  const bars = [...page.querySelectorAll(".bar i")].map(
    (bar) => bar.getBoundingClientRect().width);
  const answer = document.createElement("pre");
  answer.textContent = JSON.stringify({{
    width: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    font: page.defaultView.getComputedStyle(page.body).fontSize,
    pictures, bars,
  }});
  document.body.append(answer);
}});
</script>
"""


@pytest.fixture(scope="module")
def browser():
    found = os.environ.get("CHROMIUM_BINARY") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if found is None:
        pytest.skip("no Chromium on PATH, and CHROMIUM_BINARY names none")
    return found


@pytest.fixture
def page(run, tmp_path):  # noqa: F811
    return write_report([run], tmp_path / "report.html")


def _browse(browser, *arguments):
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu"]
        + ["--virtual-time-budget=5000", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_fits_a_phone(browser, page, tmp_path):
    probe = PROBE.format(width=PHONE, page=html.escape(page.read_text()))
    (tmp_path / "probe.html").write_text(probe)
    dom = _browse(browser, "--dump-dom", (tmp_path / "probe.html").as_uri())
    answer = re.search(r"<pre>(.*?)</pre>", dom, re.DOTALL)
    layout = json.loads(html.unescape(answer[1]))
    assert layout["width"] <= PHONE
    assert layout["height"] > 840
    assert layout["font"] == "16px"
    assert len(layout["pictures"]) == page.read_text().count("<img")
    for complete, natural, shown in layout["pictures"]:
        assert complete and natural > 100
        assert 100 < shown <= PHONE
    assert max(layout["bars"]) > 100 and min(layout["bars"]) >= 0


def test_it_draws(browser, page, tmp_path):
    picture = tmp_path / "drawn.png"
    _browse(
        browser,
        f"--screenshot={picture}",
        "--window-size=900,2600",
        page.as_uri(),
    )
    pixels = (imread(picture)[:, :, :3] * 255).astype(int)
    rows = (pixels != 255).any(axis=(1, 2))
    # Text, tables and pictures from the top to far down the page.
    assert rows[:200].any() and rows[1000:2000].mean() > 0.3
    colors = np.unique(pixels.reshape(-1, 3), axis=0)
    blue = (colors == [0, 0x72, 0xB2]).all(axis=1)
    assert blue.any() and len(colors) > 100
