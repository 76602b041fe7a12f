"""Reading a folder, normal forms, rules, features, and simulated dirt; and the recipe of the recorded run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality
from helpers import data
from helpers.data import cleaning as c

CODE = "".join(f"def area_{k}(width, height):\n    # of a rectangle\n    return width * height + {k}\n\n"
               for k in range(20))


def test_a_folder_is_read_and_what_is_bad_is_named(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.py").write_text("x = 1\n", "utf8")
    (tmp_path / "a.txt").write_text("naïve", "utf8")
    (tmp_path / "bad.py").write_bytes("naïve".encode("latin-1"))
    (tmp_path / "empty.md").write_text(" \n", "utf8")
    (tmp_path / "large.txt").write_text("a" * 300, "utf8")
    (tmp_path / "picture.png").write_bytes(b"\x89")
    found = c.read_folder(tmp_path, max_bytes=200)
    assert [(one.path, one.group) for one in found.texts] == [("a.txt", "a.txt"), ("sub/b.py", "sub")]
    assert found.unread == ["bad.py: not UTF-8 (byte 2)", "empty.md: empty", "large.txt: larger than 200 bytes"]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("closed.txt", "open.txt"):
        (tmp_path / name).write_text("words", "utf8")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "closed.txt":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = c.read_folder(tmp_path)
    assert [one.path for one in found.texts] == ["open.txt"] and found.unread == ["closed.txt: Permission denied"]


def test_a_folder_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere: set the path"):
        c.read_folder(tmp_path / "nowhere")
    (tmp_path / "data.csv").write_text("a,b", "utf8")
    with pytest.raises(ValueError, match=r"no text ending in .py.*found 1 × .csv; 0 unreadable\): pass suffixes="):
        c.read_folder(tmp_path)
    with pytest.raises(ValueError, match="max_bytes"):
        c.read_folder(tmp_path, max_bytes=0)


def test_equivalent_texts_become_the_same_and_different_ones_stay() -> None:
    assert c.normalise("\ufeffcafe\u0301  \r\nx\t\r\r\n") == "café\nx\n" == c.normalise("café\nx\n")
    assert c.normalise("  x²\n") == "  x²\n" and c.normalise("A") != c.normalise("a")


def test_features_are_what_their_names_say() -> None:
    values = dict(zip(c.FEATURES, c.features("ab 12\n  cd!\nab 12\n"), strict=True))
    assert values["letters"] == 6 / 11 and values["digits"] == 4 / 11 and values["spaces"] == pytest.approx(1 - 11 / 18)
    assert values["repeated lines"] == pytest.approx(1 / 3) and values["indented lines"] == pytest.approx(1 / 3)
    assert values["different words"] == pytest.approx(2 / 3) and values["word length"] == pytest.approx(np.log1p(2))
    assert not c.features(" \n").any() and np.isfinite(c.features("§")).all()


def test_rules_keep_code_and_name_what_is_wrong() -> None:
    assert c.problems(CODE) == []
    assert c.problems("x = y\n") == ["fewer than 200 characters"]
    assert c.problems("1, 2, 3,\n4, 5\n" * 40) == ["more than 20% digits", "more than 50% repeated lines"]
    assert c.problems("a b " * 300) == ["a line above 1,000 characters"]


def test_pieces_are_whole_lines_of_the_text() -> None:
    found = c.pieces(CODE, 300)
    assert CODE.startswith("".join(found)) and all(300 <= len(piece) < 400 for piece in found)
    assert c.pieces("short", 300) == []


def test_dirt_is_made_of_the_text_and_repeatable() -> None:
    made = {kind: c.dirty(CODE, kind, seed=3) for kind in c.DIRT}
    assert sorted(made["scrambled"].split()) == sorted(CODE.split()) and made["scrambled"] != CODE
    assert set(made["boilerplate"].split("\n")) <= set(CODE.split("\n"))
    assert c.features(made["numbers"])[1] > 0.5 and "return" not in made["encoded"]
    assert all(0.5 < len(text) / len(CODE) < 1.6 for text in made.values())
    assert made == {kind: c.dirty(CODE, kind, seed=3) for kind in c.DIRT}


@pytest.mark.parametrize(("call", "words"), [
    (lambda: c.dirty(CODE, "muddy"), "scrambled, numbers, encoded, boilerplate; found 'muddy'"),
    (lambda: c.dirty(" ", "scrambled"), "a text with words"),
    (lambda: c.pieces(CODE, 0), "num_characters"),
])
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_a_pile_holds_the_share_of_dirt_it_should() -> None:
    text = np.concatenate([np.arange(1, 50), [0]] * 40)
    for kind in ("scrambled", "copies"):
        mixed, clean = quality.pile(text, 800, 0.25, kind, 0)
        assert len(mixed) == 800 and len(clean) == 600
        np.testing.assert_array_equal(mixed[:600], text[:600])
    assert len(quality.pile(text, 800, 0.0, "none", 0)[0]) == 800
    moved = quality.scrambled(text, 0)
    assert (moved != text).mean() > 0.8 and all(sorted(part) == sorted(text[:50]) for part in np.split(moved, 40))


def test_the_recipe_trains_at_toy_size(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 4
    budget = steps * quality.BATCH * 16
    monkeypatch.setattr(quality, "MODEL", {**quality.MODEL, "context": 16, "num_layers": 1, "d_model": 8})
    for name, value in (("STEPS", steps), ("BUDGET", budget), ("SIZES", (budget // 2, budget // 2, budget, budget)),
                        ("SEEDS", (0,)), ("SHARES", (0.0, 0.5)), ("RATES", (0.5,)), ("PAGE", 16),
                        ("NUM_HELD_OUT", 2), ("NUM_OWN", 2)):
        monkeypatch.setattr(quality, name, value)
    payload = quality.measure(log=lambda line: None)
    rows = payload["results"]["rows"]
    assert len(rows) == 4 * 2 + 2 + 1 + 3 and payload["corpus_sha256"] == data.tokens("python_code").corpus_sha256
    assert {row["dirt"] for row in rows} == {"none", "scrambled", "copies"}
    assert all(2 < row[key] < 6 for row in rows for key in ("held_out", "own"))
    assert [row["read"] for row in rows if row["read"] < budget] == [budget // 2] * 2
    assert len({row["held_out"] for row in rows}) > 8                  # no two settings are the same by mistake
