"""How long an explorer takes to draw itself anew, in headless Chromium: `python -m benchmarks.explorers`.

Each slider of each explorer on the page of the browser tests is moved to 40 places (where there is none, each box is
ticked 20 times); what is timed is the explorer's own
redraw, not the browser's painting. An explorer should stay within one frame, 16 ms.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "browser")]

import chromium  # noqa: E402

LIMIT_MILLISECONDS = 16.0
MOVE = """async el => {
  const times = [], root = el.querySelector(".ce"), sliders = el.querySelectorAll("input[type=range]");
  const drawn = async () => {
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    times.push(Number(root.dataset.drawMilliseconds));
  };
  if (!sliders.length) for (const box of el.querySelectorAll("input[type=checkbox]")) for (let k = 0; k < 20; k++) {
    box.click();
    await drawn();
  }
  for (const slider of sliders) for (let k = 0; k < 40; k++) {
    slider.value = Math.round((Number(slider.max) * ((k * 7) % 40)) / 39);
    slider.dispatchEvent(new Event("input"));
    await drawn();
  }
  return times;
}"""


def measure() -> dict[str, list[float]]:
    """Milliseconds of each redraw, by explorer."""
    import fixtures

    with tempfile.TemporaryDirectory() as folder, chromium.browser() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(fixtures.page(fixtures.explorers(), Path(folder) / "explorers.html").as_uri())
        return {one.get_attribute("id"): one.evaluate(MOVE) for one in chromium.wait_ready(page)}


def main() -> int:
    """Print a table; the exit status says whether each median stays within the limit. Needs Chromium."""
    if chromium.EXECUTABLE is None:
        print("explorers: not measured, Chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
        return 1
    times = measure()
    print(f"{'explorer':<16}{'median ms':>12}{'95 % ms':>12}{'redraws':>10}")
    for name, found in times.items():
        high = sorted(found)[int(0.95 * len(found))]
        print(f"{name:<16}{statistics.median(found):>12.1f}{high:>12.1f}{len(found):>10}")
    return int(any(statistics.median(found) > LIMIT_MILLISECONDS for found in times.values()))


if __name__ == "__main__":
    raise SystemExit(main())
