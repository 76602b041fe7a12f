"""The ledger, and the reader's file of assumptions: what it says, and what bad input gets."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from helpers import economics as e
from helpers import records
from helpers.economics import schedule, venture
from helpers.economics.plan_paths import draw_values, inputs

FILE = Path(__file__).resolve().parents[1] / "book" / "outlook" / "venture.toml"


def payload(results):
    return {"configuration": {"model": "small"}, "seed": 0, "device": "a test device", "precision": "float32",
            "seconds": 1.0, "flops": None, "curves": {}, "results": results}


def all_records():
    return {name: records.load(name) for name in records.names()}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """An empty folder of recorded runs."""
    (tmp_path / "book" / "recorded").mkdir(parents=True)
    monkeypatch.setenv("HELPERS_BOOK", str(tmp_path))


def read(tmp_path, text, **more):
    path = tmp_path / "venture.toml"
    path.write_text(text, encoding="utf-8")
    return e.read_venture(path, **more)


# -- ledger --------------------------------------------------------------------------------------------------------


def test_a_row_is_assumed_until_its_run_is_recorded(recorded):
    before = e.read_ledger(all_records())
    assert not any(row.measured for row in before.values())
    assert before["right"].provenance.startswith("assumed: ")
    records.save("ask-python-answers", payload({"right_share": 0.9}), mine=False)
    after = e.read_ledger(all_records())
    row = after["right"]
    assert (row.measured, row.likely, row.device) == (True, 0.9, "a test device")
    assert re.fullmatch(r"measured \d{4}-\d\d-\d\d on a test device", row.provenance)
    assert row.low == pytest.approx(0.9 / 1.15) and row.high == 1  # a share stays at most 1
    assert {name for name in after if after[name] != before[name]} == {"right"}


def test_one_run_fills_several_rows(recorded):
    found = {"first_token_p95_seconds": 0.4, "tokens_per_second": 90.0, "usd_per_million_input": 0.3,
             "usd_per_million_output": 2}
    records.save("ask-python-service", payload(found), mine=False)
    after = e.read_ledger(all_records())
    assert [name for name, row in after.items() if row.measured] == [
        "first_token", "written", "input_price", "output_price"]
    assert (after["output_price"].low, after["output_price"].high) == (0.8, 5)


@pytest.mark.parametrize(("results", "message"), [
    ({"other": 1}, r"ledger row 'right' reads results\.right_share .* there is no 'right_share' \(found: other\)"),
    ({"right_share": "good"}, "must be a finite number, found 'good'"),
    ({"right_share": True}, "must be a finite number, found True"),
    ({"right_share": 55}, r"must lie between 0 and 1 \(share\), found 55"),
])
def test_a_run_that_does_not_hold_its_row_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        e.read_ledger({"ask-python-answers": payload(results)})


def test_ledger_rows_are_in_order_and_prices_come_from_the_price_table():
    ledger = e.read_ledger()
    assert all(row.low <= row.likely <= row.high and row.kind in ("quality", "latency", "cost") and row.reason
               for row in ledger.values())
    assert ledger["output_price"].likely == e.price("api_small_output_median").value
    assert "0.5" in str(ledger["right"]) and "assumed" in str(ledger["right"])


# -- the file --------------------------------------------------------------------------------------------------------


def test_the_file_beside_the_chapter_is_the_example():
    assert FILE.read_text(encoding="utf-8") == venture.template()
    assert e.read_venture(FILE) == e.read_venture()
    assert len(e.read_venture().from_example()) == len(e.read_venture().assumptions) - 3 + 1  # ledger rows, tasks


def test_values_of_the_example_that_stand_in_the_price_table():
    example = e.read_venture()
    low, median, high = (one.value for one in e.price_range("h100_hour"))
    assert (example["rent"].low, example["rent"].likely, example["rent"].high) == (low, median, high)
    assert example["pre_money"].likely == e.price("seed_pre_money").value
    assert example.tasks == schedule.work_packages()


def test_own_values_the_ledger_and_what_is_left_of_the_example(tmp_path):
    text = 'name = "Mine"\nmonths = 24\n[market]\nprice = 50\nchurn = [0.01, 0.02, 0.06]\n[answers]\nright = ' \
           '"ledger:retrieved_five"\n[tasks]\nbuild = {days = 30}\nsell = {days = [5, 10, 20], after = "build"}\n'
    mine = read(tmp_path, text)
    assert (mine.name, mine.months, mine["price"].likely, mine["price"].certain) == ("Mine", 24, 50, True)
    assert (mine["churn"].origin, mine["right"].origin, mine["referral"].origin) == ("yours", "ledger", "example")
    assert mine["right"].likely == e.read_ledger()["retrieved_five"].likely
    assert [task.name for task in mine.tasks] == ["build", "sell"] and mine.tasks_origin == "yours"
    assert {"price", "churn", "right", "tasks"}.isdisjoint(mine.from_example())
    assert str(mine["churn"]) == "market.churn = [0.01, 0.02, 0.06] share a month (yours)"


@pytest.mark.parametrize(("text", "message"), [
    ("[market]\nprize = 5", r"key of \[market\] 'prize' is unknown; did you mean price"),
    ("[markt]\nprice = 5", "section or key 'markt' is unknown; did you mean market"),
    ("[market]\nteam = 5", r"'team' stands in \[market\]; move it to \[people\]"),
    ("price = 5", r"'price' stands outside its section; move it below \[market\]"),
    ("market = 5", r"market must be a section, found 5"),
    ("[market]\nprice = -5", "market.price must be 0 or more, found -5; the unit is USD a month"),
    ("[market]\nchurn = 5", "market.churn must lie between 0 and 1, found 5; write 5 percent as 0.05"),
    ("[answers]\nright = 1.2", "answers.right must lie between 0 and 1, found 1.2; write 5 percent as 0.05"),
    ("[market]\nprice = [1, 2]", r"market.price needs one number or three, .* found \[1, 2\]; add what is missing"),
    ("[market]\nprice = [3, 2, 1]", r"market.price needs low ≤ likely ≤ high, found \[3, 2, 1\]"),
    ("[market]\nprice = [1, 2, -3]", "market.price must be 0 or more, found -3"),
    ('[market]\nprice = "a lot"', "market.price must be a number, .* found 'a lot'"),
    ("[market]\nprice = true", "market.price must be a number, found True"),
    ("[market]\nprice = [1, true, 3]", "market.price must be a number, found True"),
    ("[market]\nprice = nan", "market.price must be finite, found nan"),
    ("[market]\nprice = {low = 1}", "market.price must be a number, .* found {'low': 1}"),
    ('[market]\nprice = "ledger"', "ledger row 'price' is unknown"),
    ('[market]\nprice = "ledger:rigt"', "ledger row 'rigt' is unknown; did you mean right"),
    ("[market]\nprice =", "is no TOML in line 2, 'price =' .*; write a number behind the sign =, or take the line out"),
    ("[market]\nprice = 1\nprice = 2", r"line 3, 'price = 2' \(Cannot .*this name stands twice in the file, keep one"),
    ("[market]\n\nprice = 1\n[market]\nfees = 0", "this name stands twice in the file, keep one"),
    ("[capital]\ncash = 400,000", "line 2, 'cash = 400,000' .* write large numbers without a comma, such as 400_000"),
    ("[market]\nfees = 3%", "line 2, 'fees = 3%' .* write 3 percent as 0.03"),
    ("[market]\nprice = 450 USD # a month", "write the number alone, without its unit"),
    ("[capital]\ncash = 400k", "write the number alone, without its unit"),
    ("name = My venture", "line 1, 'name = My venture' .* write words in double quotes"),
    ("[tasks]\nbuild = {days = 5, after = plan}", "write words in double quotes"),
    ("[market", "line 1, '.market' .* write each line as key = 5"),
    ("[market]\nsubscription = 5", r"'subscription' is unknown; known are price, price_change, first_customers"),
    ("[costs]\nprice = 5", "'costs' is unknown; known are name, months, capital, people"),
    ("[market]\nmarket_size = 5", "first_customers reaches 15, more than the market.market_size of 5 at its low end"),
    ("name = 5", "name must be a text, found 5"),
    ("months = 2", "months must lie between 6 and 120, found 2"),
    ("months = 12.5", "months must be a whole number of at least 1, found 12.5"),
    ("[tasks]", r"\[tasks\] must hold at least one task, found {}"),
    ("[tasks]\nbuild = 5", "task 'build' needs its days, found 5"),
    ("[tasks]\nbuild = {days = [1, 2]}", r"task 'build' needs days = \[optimistic, likely, pessimistic\], found"),
    ("[tasks]\nbuild = {days = [5, 2, 9]}", "task 'build' needs optimistic ≤ likely ≤ pessimistic, found 5, 2, 9"),
    ("[tasks]\nbuild = {days = [-1, 2, 9]}", "optimistic of task 'build' must be 0 or more, found -1"),
    ("[tasks]\nbuild = {days = 5, befor = 1}", "key of task 'build' 'befor' is unknown"),
    ('[tasks]\nbuild = {days = 5, after = "bild"}', "predecessor of task 'build' 'bild' is unknown; did you mean"),
    ("[tasks]\nbuild = {days = 5, after = 7}", "task 'build' needs after = .* found 7"),
    ('[tasks]\na = {days = 5, after = "b"}\nb = {days = 5, after = "a"}', "dependencies form a cycle: a → b → a|b → a"),
])
def test_bad_files_get_one_clear_sentence_and_stay_as_they_are(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as found:
        read(tmp_path, text)
    assert "\n" not in str(found.value)
    assert (tmp_path / "venture.toml").read_text(encoding="utf-8") == text


def test_a_file_without_a_name_is_not_called_as_the_example(tmp_path):
    assert read(tmp_path, "[market]\nprice = 5").name == "the venture in venture.toml"
    assert read(tmp_path, "\ufeff[market]\nprice = 5")["price"].likely == 5  # as Windows writes it


def test_files_that_are_no_text_or_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*nowhere.toml"):
        e.read_venture(tmp_path / "nowhere.toml")
    (tmp_path / "venture.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ValueError, match="must be a text file in UTF-8, found byte 0xff at place 8"):
        e.read_venture(tmp_path / "venture.toml")


def test_a_file_to_change_is_written_once(tmp_path):
    path = e.write_venture(tmp_path / "mine.toml")
    assert e.read_venture(path) == e.read_venture()
    path.write_text("name = 'mine'", encoding="utf-8")
    with pytest.raises(FileExistsError, match="exists already and was left as it is"):
        e.write_venture(path)
    assert path.read_text(encoding="utf-8") == "name = 'mine'"
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        e.write_venture(tmp_path / "nowhere" / "mine.toml")


def test_changed_and_widened():
    example = e.read_venture()
    changed = example.changed(price=300, churn=(0.0, 0.1, 0.2))
    assert (changed["price"].likely, changed["churn"].high, example["price"].likely) == (300, 0.2, 390)
    with pytest.raises(ValueError, match="assumption 'prize' is unknown; did you mean price"):
        example.changed(prize=1)
    with pytest.raises(ValueError, match="churn must lie between 0 and 1, found 2"):
        example.changed(churn=2)
    with pytest.raises(ValueError, match="assumption 'chrun' is unknown; did you mean churn"):
        example["chrun"]
    assert example.widened(0).uncertain == []
    same = example.widened(1)
    assert all(one.high == pytest.approx(example[key].high) for key, one in same.assumptions.items())
    wide = example.widened(50)
    assert (wide["right"].low, wide["right"].high) == (0, 1)  # ends stay within what the key allows
    with pytest.raises(ValueError, match="factor must be 0 or more, found -1"):
        example.widened(-1)


def test_ranges_are_drawn_as_triangular_distributions():
    example = e.read_venture()
    names = inputs(example)
    draws = np.random.default_rng(0).random((500, len(names)))
    values = draw_values(draws, example, np.array([10.0, 20.0, 40.0]))
    for name in ("churn", "acquisition_cost", "token_price_change"):
        one = example[name]
        width = one.high - one.low
        expected = stats.triang.ppf(draws[:, names.index(name)], (one.likely - one.low) / width, one.low, width)
        np.testing.assert_allclose(values[name], expected)
        assert one.mean == pytest.approx(stats.triang.mean((one.likely - one.low) / width, one.low, width))
    np.testing.assert_allclose(values["tasks"], np.interp(draws[:, -1], [0, 0.5, 1], [10, 20, 40]))
    assert values["price"] == 390
    with pytest.raises(ValueError, match=r"draws must have shape \[num_paths, 30\], found \[5, 2\]"):
        draw_values(np.zeros((5, 2)), example, np.ones(3))
