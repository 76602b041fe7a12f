import importlib.util
import re
import sys
import time
from collections import Counter

import pytest

from helpers import data
from helpers.data import docs
from helpers.data.tables import table_names


@pytest.fixture(scope="module")
def corpus():
    return data.python_docs()


def test_thousands_of_passages_of_the_fixed_list(corpus):
    assert corpus.missing == []
    assert corpus.classes == list(docs.LIBRARIES)
    assert len(corpus.passages) > 3000
    assert Counter(p.library for p in corpus.passages)["standard library"] > 1000
    shares = [len(split) / len(corpus.passages) for split in corpus.splits().values()]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.03)
    assert set(corpus.labels(corpus.test)) == set(range(len(corpus.classes)))
    assert f"{len(corpus.train):,} / {len(corpus.validation):,}" in corpus.card.size


def test_no_leak_between_the_splits(corpus):
    for seed in (0, 1):
        splits = list(data.load("python_docs", seed=seed).splits().values())
        for i, first in enumerate(splits):
            for second in splits[i + 1:]:
                for key in (lambda p: (p.library, p.module), lambda p: p.query.lower(), lambda p: p.answer):
                    assert not set(map(key, first)) & set(map(key, second))


def test_near_copies_are_gone(corpus):
    def words(passage):
        return re.findall(r"[a-z]+", passage.answer.lower())

    runs = [{tuple(w[i:i + 4]) for i in range(len(w) - 3)} for w in map(words, corpus.passages)]
    rare = {}
    for index, own in enumerate(runs):
        for run in own:
            rare.setdefault(run, []).append(index)
    pairs = Counter((a, b) for holders in rare.values() if len(holders) < 20
                    for i, a in enumerate(holders) for b in holders[i + 1:])
    near = [(a, b) for (a, b), n in pairs.items() if n > 20 and n / len(runs[a] | runs[b]) > 0.9]
    assert near == []


def test_the_answer_never_holds_the_question(corpus):
    for passage in corpus.passages:
        assert passage.query not in " ".join(passage.answer.split())
        assert 80 <= len(passage.answer) <= 2000 and len(passage.query) <= 200
        assert passage.licence == docs.LIBRARIES[passage.library].licence


def test_the_passage_is_the_docstring(corpus):
    found = next(p for p in corpus.passages if (p.module, p.qualname) == ("textwrap", "wrap"))
    import textwrap
    first, _, rest = textwrap.wrap.__doc__.partition("\n\n")
    assert found.query == first.strip()
    assert found.answer.split() == rest.split()


def test_order_and_fingerprint_do_not_depend_on_the_seed(corpus):
    again = data.python_docs(seed=3)
    assert again.passages == corpus.passages and again.sha256 == corpus.sha256
    assert again.test != corpus.test
    assert data.python_docs(seed=3).test == again.test


def test_chosen_libraries_only():
    before = set(sys.modules)
    small = data.python_docs(["jinja2", "standard library"])
    assert small.classes == ["standard library", "jinja2"]
    assert set(small.versions) == {"standard library", "jinja2"}
    assert "jinja2" in before or "jinja2" not in sys.modules


def test_files_are_read_but_never_imported():
    import subprocess
    code = ("import sys; from helpers import data; d = data.python_docs(['networkx']); "
            "assert 'networkx' not in sys.modules; print(len(d.passages))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 300


def test_reading_is_quick():
    docs._read.cache_clear()
    start = time.process_time()
    data.python_docs()
    assert time.process_time() - start < 8           # 2.6 s on an idle core; the margin is for a busy one


@pytest.mark.parametrize("libraries", [["numpyy"], [], ["numpy", "numpy"]])
def test_unknown_libraries_are_refused(libraries):
    with pytest.raises(ValueError, match="libraries must be different names out of standard library, matplotlib"):
        data.python_docs(libraries)


def test_what_is_missing_is_reported(monkeypatch):
    absent = docs.Library("absent", ("*.py",), "absent-package", "MIT")
    monkeypatch.setitem(docs.LIBRARIES, "absent", absent)
    docs._read.cache_clear()
    found = data.python_docs(["absent", "joblib"])
    assert found.missing == ["absent is not installed"] and found.classes == ["joblib"]
    assert "missing here: absent is not installed" in found.card.limits
    with pytest.raises(ValueError, match="no passage could be read: absent is not installed"):
        data.python_docs(["absent"])
    docs._read.cache_clear()


def test_every_package_of_the_list_is_pinned():
    from pathlib import Path
    pinned = (Path(__file__).parents[1] / "constraints.txt").read_text().lower()
    for library in docs.LIBRARIES.values():
        if library.distribution:
            assert f"\n{library.distribution}==" in pinned
            assert importlib.util.find_spec(library.folder) is not None


@pytest.mark.parametrize("text, pair", [
    ("Return it.\n\n" + "word " * 20, None),                                     # question of two words
    ("Return the thing.\n\nshort", None),
    ("f(x) -> y is how\n\n" + "word " * 20, None),                               # a signature is no question
    ("Return the\nbig thing.\n\nReturn the big thing.\n" + "word " * 20,
     ("Return the big thing.", ("word " * 20).strip())),
    ("Return the thing.\n\n" + "\n\n".join(["a" * 900] * 4), ("Return the thing.", "\n\n".join(["a" * 900] * 2))),
])
def test_question_and_answer(text, pair):
    assert docs._pair(text, 3) == pair


def test_milestones():
    rows = data.table("milestones")
    assert len(rows) == 77 and len({row["name"] for row in rows}) == 77
    gpt3 = next(row for row in rows if row["name"] == "GPT-3")
    assert (gpt3["year"], gpt3["parameters"], gpt3["training_flop"]) == (2020, 1.75e11, 3.14e23)
    assert gpt3["flop_basis"] == "published" and gpt3["estimate"] is False and gpt3["reference_key"] == "brown2020"
    gpt4 = next(row for row in rows if row["name"] == "GPT-4")
    assert gpt4["parameters"] is None and gpt4["estimate"] is True and "nothing published" in gpt4["provenance"]
    for row in rows:
        assert 2012 <= row["year"] <= 2026 and row["reference_key"] and row["provenance"]
        assert (row["flop_basis"] is None) == (row["training_flop"] is None)
        assert row["flop_basis"] in (None, "published", "counted", "estimate")
        for key in ("parameters", "training_flop", "training_tokens"):
            assert row[key] is None or row[key] > 1e5


def test_unknown_table_offers_near_matches():
    assert table_names() == ["milestones", "sketches"]
    with pytest.raises(ValueError, match="no table is called 'milestone': did you mean 'milestones'?"):
        data.table("milestone")
    with pytest.raises(ValueError, match="no table is called '../x': there are milestones"):
        data.table("../x")
