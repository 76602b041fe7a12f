"""Shingles, Jaccard, MinHash and bands against sets, exact probabilities and brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from helpers.data import duplicates as d

rng = np.random.default_rng(0)
WORDS = [f"w{k}" for k in range(400)]


def text(num: int = 200) -> str:
    return " ".join(rng.choice(WORDS, num))


def edited(source: str, num: int) -> str:
    words = source.split()
    for place in rng.integers(len(words), size=num):
        words[place] = "new"
    return " ".join(words)


def test_jaccard_of_shingles_is_that_of_sets_of_word_runs() -> None:
    first, second = text(), text()
    second = first[:600] + second[600:]
    runs = [{tuple(words[k:k + 5]) for k in range(len(words) - 4)} for words in (first.split(), second.split())]
    found = [d.shingles(one) for one in (first, second)]
    assert [len(one) for one in found] == [len(one) for one in runs]
    assert d.jaccard(*found) == pytest.approx(len(runs[0] & runs[1]) / len(runs[0] | runs[1]))
    assert d.jaccard(found[0], found[0]) == 1 and d.jaccard(found[0], found[0][:0]) == 0


def test_white_space_does_not_count_and_short_texts_are_one_run() -> None:
    np.testing.assert_array_equal(d.shingles("a = b\n\n  + c(1)"), d.shingles("a=b+c(1)"))
    assert not np.array_equal(d.shingles("A = b + c(1)"), d.shingles("a = b + c(1)"))
    assert len(d.shingles("two words")) == 1 and len(d.shingles(" \n")) == 0 and d.jaccard(*[d.shingles("")] * 2) == 0


@pytest.mark.parametrize("shared", [20, 60, 95])
def test_signatures_agree_as_often_as_jaccard_says(shared: int) -> None:
    numbers = rng.choice(d.PRIME, 200 - shared, replace=False)
    first, second = np.sort(numbers[:100]), np.sort(numbers[100 - shared:])
    exact = d.jaccard(first, second)
    assert exact == pytest.approx(shared / (200 - shared))
    agree = (d.signature(first, 4000, seed=1) == d.signature(second, 4000, seed=1)).mean()
    assert abs(agree - exact) < 4 * np.sqrt(exact * (1 - exact) / 4000)


def test_chance_is_the_published_curve_and_the_measured_one() -> None:
    assert [round(d.chance(j, 14, 8), 2) for j in (0.7, 0.75, 0.8, 0.85)] == [0.56, 0.77, 0.92, 0.99]
    assert d.chance(0.3, 1, 1) == pytest.approx(0.3)
    agree = rng.random((20_000, 6, 3)) < 0.6                      # 6 bands of 3 rows, each row with probability J
    assert agree.all(2).any(1).mean() == pytest.approx(d.chance(0.6, 6, 3), abs=0.02)


def test_candidates_are_the_pairs_that_share_a_band() -> None:
    signatures = rng.integers(0, 3, (30, 8))
    wanted = {(i, j) for i, j in combinations(range(30), 2)
              if any((signatures[i, k:k + 2] == signatures[j, k:k + 2]).all() for k in (0, 2, 4, 6))}
    assert d.candidates(signatures, 4, 2) == wanted


def test_near_duplicates_are_those_of_brute_force() -> None:
    texts = [text() for _ in range(12)]
    texts += [edited(texts[0], 3), edited(texts[1], 5), edited(texts[2], 60), texts[3], ""]
    sets = [d.shingles(one) for one in texts]
    exact = {(i, j): d.jaccard(sets[i], sets[j]) for i, j in combinations(range(len(texts)), 2)}
    found = d.near_duplicates(texts, threshold=0.6, bands=40, rows=3)
    assert {pair[:2]: pair.jaccard for pair in found} == {pair: j for pair, j in exact.items() if j >= 0.6}
    assert len(found) == 3 and d.exact_duplicates(texts) == [[3, 15]]
    assert d.near_duplicates(["", ""]) == [] and d.near_duplicates([]) == []


def test_keep_leaves_the_first_and_does_not_follow_chains() -> None:
    assert d.keep(5, [(0, 1), (1, 2), (3, 4)]) == [0, 2, 3]        # 2 is a copy of 1 only, and 1 has gone
    assert d.keep(3, []) == [0, 1, 2] and d.keep(3, [(2, 0), d.Pair(0, 1, 0.9)]) == [0]


def test_contained_is_the_share_of_runs() -> None:
    known = d.shingles("the quick brown fox jumps over the lazy dog", 3)
    assert d.contained("the quick brown fox sleeps", known, 3) == pytest.approx(2 / 3)
    assert d.contained("", known, 3) == 0 == d.contained("the quick brown fox", known[:0], 3)
    assert d.contained("zebras yawn at xylophones all day", known, 3) == 0


@pytest.mark.parametrize(("call", "words"), [
    (lambda: d.shingles("a", 0), "size"),
    (lambda: d.signature(np.array([1]), 0), "num_hashes"),
    (lambda: d.chance(1.2, 4, 4), r"lies in 0 … 1, found 1.2"),
    (lambda: d.candidates(np.zeros((2, 8), int), 3, 3), r"need signatures \[texts, 9 or more\], found .*\[2, 8\]"),
    (lambda: d.near_duplicates(["a"], threshold=0), "above 0 and at most 1, found 0"),
    (lambda: d.keep(3, [(1, 1)]), r"two different places in 0 … 2, found \(1, 1\)"),
    (lambda: d.keep(3, [(1, 3)]), r"found \(1, 3\)"),
])
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
