import json
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import data, records
from helpers.data import corpora, token_files

TEXTS = {f"toy/{folder}/{name}.py":
         f'"""Module {name} of {folder}."""\n\n\ndef {name}(x):\n    return x + {number}\n' * 8
         for folder in "abcdefghijklmnopqrst" for number, name in enumerate(("add", "more", "ünï"))}


@pytest.fixture(scope="module")
def house():
    made = token_files.train_tokeniser(TEXTS.values(), 300)
    made.encode_special_tokens = True
    return made


@pytest.fixture
def installed(tmp_path):
    """A folder of installed packages and the manifest of its files."""
    splits = corpora.deal(list(TEXTS.items()))
    rows = ["path,split,sha256"]
    for path, text in TEXTS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        rows.append(f"{path},{splits[path]},{corpora.digest(text)}")
    listing = tmp_path / "manifest.csv"
    listing.write_text("\n".join(rows) + "\n")
    return tmp_path, listing


@pytest.fixture
def toy(installed):
    return corpora.corpus("python_code", root=installed[0], listing=installed[1])


@pytest.fixture
def stream(toy, house, tmp_path):
    return token_files.open_file(token_files.write(tmp_path / "toy.tokens", toy, house))


def test_a_corpus_is_what_the_manifest_names(toy, installed):
    assert len(toy.files) == len(TEXTS) and toy.missing == []
    assert toy.num_bytes == sum(len(text.encode()) for text in TEXTS.values())
    assert {file.path: file.text for file in toy.files} == TEXTS
    assert corpora.corpus("python_code", root=installed[0], listing=installed[1]).sha256 == toy.sha256
    assert toy.card.name == "python_code" and f"{toy.num_bytes:,} bytes" in toy.card.size
    assert toy.card.licence == "unknown: toy" and "missing" not in toy.card.limits
    with pytest.raises(ValueError, match="a split is called train, validation, test; found 'dev'"):
        toy.split("dev")


def test_splits_keep_folders_together_and_shares(toy):
    splits = {}
    for file in toy.files:
        splits.setdefault(corpora.group(file.path), set()).add(file.split)
    assert all(len(found) == 1 for found in splits.values())
    shares = [sum(len(file.text.encode()) for file in toy.split(name)) / toy.num_bytes for name in corpora.SPLITS]
    assert shares == pytest.approx(corpora.FRACTIONS, abs=0.011)


def test_files_that_differ_or_are_absent_are_reported_and_left_out(toy, installed):
    root, listing = installed
    (root / "toy/a/add.py").write_text("x = 1\n")
    (root / "toy/a/more.py").unlink()
    (root / "toy/b/add.py").write_bytes(b"\xff\xfe")
    listing.write_text(listing.read_text() + f"gone/x.py,train,{'0' * 32}\ngone/y.py,test,{'0' * 32}\n")
    found = corpora.corpus("python_code", root=root, listing=listing)
    assert found.missing == ["gone: not installed (2 files)", "toy/a/add.py: differs", "toy/a/more.py: not there",
                             "toy/b/add.py: differs"]
    assert len(found.files) == len(toy.files) - 3 and found.sha256 != toy.sha256
    assert "4 missing" in repr(found)


def test_windows_line_ends_do_not_make_another_corpus(toy, installed):
    root, listing = installed
    path = root / "toy/a/add.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert corpora.corpus("python_code", root=root, listing=listing).sha256 == toy.sha256


def test_bad_corpora(installed, tmp_path):
    root, listing = installed
    with pytest.raises(ValueError, match="the corpora are python_code and python_stdlib; found 'python'"):
        data.corpus("python")
    with pytest.raises(ValueError, match=r"no file of python_code was found for train, validation, test \(toy: not "
                                         r"installed .*pip install -c constraints.txt"):
        corpora.corpus("python_code", root=tmp_path / "nowhere", listing=listing)
    with pytest.raises(FileNotFoundError, match="there is no manifest none.csv"):
        corpora.corpus("python_code", root=root, listing=tmp_path / "none.csv")
    listing.write_text("path,split,sha256\ntoy/a/add.py,train,123\n")
    with pytest.raises(ValueError, match="line 2 of manifest.csv must hold path, split and 32 digits"):
        corpora.corpus("python_code", root=root, listing=listing)


def test_the_shipped_manifest():
    rows = corpora.manifest()
    paths = [row["path"] for row in rows]
    assert len(paths) == len(set(paths)) > 2500
    assert {path.partition("/")[0] for path in paths} == {package.folder for package in corpora.PACKAGES}
    groups = {}
    for row in rows:
        groups.setdefault(corpora.group(row["path"]), set()).add(row["split"])
    assert all(len(found) == 1 for found in groups.values())


def test_tokens_give_back_every_text(stream, toy, house):
    for name in corpora.SPLITS:
        files = toy.split(name)
        texts, part = [], []
        for number in stream.stream(name).tolist():
            if number == 0:
                texts.append(house.decode(part))
                part = []
            else:
                part.append(number)
        assert texts == [file.text for file in files] and part == []
        assert stream.num_bytes[name] == sum(len(file.text.encode()) for file in files)
        assert stream.num_files[name] == len(files)
    assert stream.train.dtype == np.uint16 and stream.vocabulary == 300 and stream.corpus_sha256 == toy.sha256


def test_the_end_sign_in_a_text_stays_text(house):
    ids = house.encode("a<|end|>b").ids
    assert 0 not in ids and house.decode(ids) == "a<|end|>b"
    assert house.token_to_id("<|end|>") == 0


@pytest.mark.parametrize("text", ["", " ", "\r\n\t", "1234.5e-6", "a  b   c\n\n  d", "\x00\ufeff\u0085",
                                  "naïve 数学 हिन्दी 🙂👩‍👩‍👧"])
def test_any_text_comes_back(house, text):
    assert house.decode(house.encode(text).ids) == text


def test_windows_do_not_overlap_and_targets_follow(stream):
    flat = torch.from_numpy(stream.train.astype(np.int64))
    every = stream.windows("train", 16)
    assert every.x.shape == ((len(flat) - 1) // 16, 16) and every.x.dtype == torch.int64
    assert every.x.flatten().equal(flat[:every.x.numel()]) and every.y.flatten().equal(flat[1:every.x.numel() + 1])
    state = torch.get_rng_state()
    some = stream.windows("train", 16, 5, seed=3)
    assert state.equal(torch.get_rng_state()) and some.x.shape == (5, 16)
    places = [int((every.x == row).all(dim=1).nonzero()[0]) for row in some.x]
    assert all(every.y[place].equal(row) for place, row in zip(places, some.y))
    assert some.x.equal(stream.windows("train", 16, 5, seed=3).x)
    assert not some.x.equal(stream.windows("train", 16, 5, seed=4).x)


def test_training_takes_windows(stream):
    from helpers import models, training

    model = models.Decoder(vocabulary=300, context=16, num_layers=1, d_model=16, num_heads=2)
    losses = [float(step.loss) for step in training.steps(model, stream.windows("train", 16), lr=1e-2, epochs=3)]
    assert losses[-1] < losses[0] - 1
    bits = stream.bits_per_byte(losses[-1], "train")
    assert bits == pytest.approx(losses[-1] / np.log(2) * len(stream.train) / stream.num_bytes["train"])


@pytest.mark.parametrize("call, message", [
    (lambda t: t.windows("train", 0), "context must be a whole number of at least 1, got 0"),
    (lambda t: t.windows("train", 8, 0), "num must be a whole number of at least 1, got 0"),
    (lambda t: t.windows("train", 8, 10**9), "holds .* windows of 8 tokens, asked for 1,000,000,000"),
    (lambda t: t.windows("test", 10**9), "take fewer or shorter ones"),
    (lambda t: t.windows("dev", 8), "a split is called train, validation, test; found 'dev'"),
    (lambda t: t.bits_per_byte(1.0, "dev"), "found 'dev'"),
])
def test_bad_windows(stream, call, message):
    with pytest.raises(ValueError, match=message):
        call(stream)


def test_a_damaged_token_file_is_named(stream):
    path = stream.path
    content = path.read_bytes()
    path.write_bytes(content[:-2])
    with pytest.raises(ValueError, match=r"toy.tokens holds [\d,]+ bytes instead of [\d,]+: delete it"):
        token_files.open_file(path)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="toy.tokens is damaged .SHA-256"):
        token_files.open_file(path)
    header = json.loads(content.splitlines()[0])
    headless = [json.dumps({key: value for key, value in header.items() if key != lost}).encode() + b"\n"
                for lost in header]
    for rubbish in (b"", b"PK\x03\x04 something else", b"{}\n", b"[1]\n", *headless):
        path.write_bytes(rubbish)
        with pytest.raises(ValueError, match="toy.tokens is no token file of this course"):
            token_files.open_file(path)
    path.write_bytes(content)
    assert token_files.open_file(path).sha256 == stream.sha256
    with pytest.raises(FileNotFoundError, match="there is no token file"):
        token_files.open_file(path.with_name("other.tokens"))


def test_a_write_that_fails_leaves_no_remains(toy, house, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    folder = tmp_path / "cache"
    monkeypatch.setattr(records.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        token_files.write(folder / "toy.tokens", toy, house)
    assert list(folder.iterdir()) == []


def test_the_cache_is_made_once_and_read_after(toy, house, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(token_files, "tokeniser", lambda vocabulary: house)
    calls = []
    monkeypatch.setattr(token_files, "corpus", lambda name: calls.append(name) or toy)
    first = data.tokens("python_code")
    assert data.tokens("python_code").sha256 == first.sha256 and calls == ["python_code"]
    assert data.tokens("python_code", path=first.path, vocabulary=300).sha256 == first.sha256
    with pytest.raises(ValueError, match="holds python_code in 300 numbers, asked for python_stdlib in 2048"):
        data.tokens("python_stdlib", path=first.path)
    with pytest.raises(ValueError, match="the corpora are python_code and python_stdlib; found 'text'"):
        data.tokens("text")


@pytest.mark.parametrize("size", [256, 65_537, 300.0, True])
def test_bad_vocabularies(size):
    with pytest.raises(ValueError, match="vocabulary must be a whole number from 257 to 65,536"):
        token_files.train_tokeniser(["a"], size)


def test_the_house_tokeniser_is_the_recorded_one():
    house = data.tokeniser()
    assert house.get_vocab_size() == 2048 and house.token_to_id("<|end|>") == 0
    text = "def mean(values):\n    return sum(values) / len(values)  # naïve 数学\n<|end|>"
    ids = house.encode(text).ids
    assert house.decode(ids) == text and 0 not in ids and max(ids) < 2048
    record = records.load("tokeniser-2048")
    ratios = dict(zip(record["curves"]["vocabulary"], record["curves"]["bytes_per_token"]))
    assert list(ratios.values()) == sorted(ratios.values()) and ratios[2048] > 2.5
    with pytest.raises(ValueError, match="no recorded run is called 'tokeniser-999': did you mean 'tokeniser-2048'"):
        data.tokeniser(999)


def test_the_record_of_a_toy(toy):
    from benchmarks import tokeniser

    payload = tokeniser.measure(300, sizes=(257, 280, 300), source=toy)
    assert json.loads(json.dumps(payload))["results"]["tokeniser"]["model"]["type"] == "BPE"
    ratios = payload["curves"]["bytes_per_token"]
    assert ratios[0] == pytest.approx(1.0) and ratios == sorted(ratios)


def test_what_the_manifest_leaves_out():
    from tools import manifest

    good = "def mean(values):\n    return sum(values) / len(values)\n" * 5
    assert not manifest.unfit(good)
    assert manifest.unfit("x = 1\n") and manifest.unfit(good * 5000)
    assert manifest.unfit("# This file was generated by a program.\n" + good)
    assert manifest.unfit("TABLE = [\n" + "    0.123456, 0.654321, 12345678,\n" * 20 + "]\n")
    other = good.replace("mean", "average_of_all_the_values").replace("sum(values)", "total_of_all(values)")
    files = [("a.py", good), ("b.py", good), ("c.py", good.replace("mean", "total_of_every_value_here") + other)]
    assert [path for path, _ in manifest.distinct(iter(files))] == ["a.py", "c.py"]


def test_the_paths_of_the_manifest_have_no_host_paths():
    assert not any(Path(row["path"]).is_absolute() or ".." in row["path"] for row in corpora.manifest())


def test_merges_of_a_tokeniser(house):
    numbers, pairs = token_files.merges(house)
    assert sorted(numbers) == list(range(1, 257)) and len(pairs) == 300 - 257
    assert [numbers[byte] for byte in b"a z"] == token_files.train_tokeniser([], 257).encode("a z").ids
    from tokenizers import Tokenizer, models

    for other in (Tokenizer(models.WordLevel({"a": 0}, unk_token="a")), Tokenizer(models.BPE()), token_files.blank()):
        with pytest.raises(ValueError, match="merges needs a tokeniser trained by train_tokeniser, found one of type"):
            token_files.merges(other)


@pytest.mark.parametrize("text", ["", "def more(x):\n    return x + 12\n", "ünï 数学  🙂\t", "aaaa return return"])
def test_the_explorer_cuts_as_the_library_does(house, text):
    from helpers.explorers.tokens import TokenCutter

    numbers, pairs = token_files.merges(house)
    flat = [number for pair in pairs for number in pair]
    found = TokenCutter.compute(text, numbers, flat, len(pairs), 2.0)
    ids = house.encode(text).ids
    assert found["tokens"] == ids and found["curve"][-1] == len(ids) and found["usd"] == 2.0 * len(ids)
    assert found["curve"][0] == found["bytes"] == len(text.encode())
    for num in (0, 10):
        fewer = token_files.train_tokeniser(TEXTS.values(), 257 + num)
        assert TokenCutter.compute(text, numbers, flat, num, 2.0)["tokens"] == fewer.encode(text).ids
        assert found["curve"][num] == len(fewer.encode(text).ids)


def test_bad_explorers(house):
    from helpers.explorers.tokens import TokenCutter

    with pytest.raises(ValueError, match="texts of at most 2,000 characters, found .2001."):
        TokenCutter({"long": "a" * 2001}, 2.0, tokeniser=house)
    with pytest.raises(ValueError, match="price lies between 0.01 and 100 .* found 0"):
        TokenCutter({"a": "a"}, 0, tokeniser=house)
    with pytest.raises(ValueError, match="num_merges lies between 0 and 43, found 44"):
        TokenCutter({"a": "a"}, 2.0, num_merges=44, tokeniser=house)
