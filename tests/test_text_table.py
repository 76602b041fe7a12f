"""The reader's own texts: read, split, cut into tokens; each bad file gets one clear sentence."""

import builtins
import csv

import pytest

from helpers import data
from helpers.data import token_files

ROWS = [(f"{word} number {k} is broken", team) for k in range(12)
        for word, team in (("printer", "hardware"), ("password", "access"))]


def write(path, rows=ROWS, header=("text", "label"), encoding="utf-8", delimiter=","):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def refuse(path, message, kind=ValueError, **options):
    with pytest.raises(kind, match=message) as caught:
        data.load("text_table", path=path, **options)
    assert "\n" not in str(caught.value)


def test_a_table_is_split_label_by_label(tmp_path):
    table = data.load("text_table", path=write(tmp_path / "own.csv"))
    assert table.classes == ["access", "hardware"] and table.card.name == "text_table"
    assert sum(map(len, table.splits().values())) == 24
    assert all(set(split.labels) == {0, 1} for split in table.splits().values())
    assert "own.csv" in table.card.origin and "24 groups, 2 labels" in table.card.size
    again, other = (data.load("text_table", path=tmp_path / "own.csv", seed=seed) for seed in (0, 1))
    assert again.train.texts == table.train.texts != other.train.texts
    assert again.sha256() == table.sha256() != other.sha256()
    few = table.drawn(3, seed=1)
    assert len(few.train) == 3 and few.test is table.test and set(few.train.texts) < set(table.train.texts)
    assert few.train.texts == table.drawn(None, seed=1).train.texts[:3]
    with pytest.raises(ValueError, match="1 ≤ num ≤ .* training texts, found 0"):
        table.drawn(0)


def test_groups_stay_together(tmp_path):
    rows = [(*row, f"customer {k // 4}") for k, row in enumerate(ROWS)]
    path = write(tmp_path / "own.csv", rows, ("body", "team", "who"))
    table = data.load("text_table", path=path, text="body", label="team", group="who")
    groups = [set(split.groups) for split in table.splits().values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    path = write(path, [(*row, f"{k % 8 // 2}{row[1]}") for k, row in enumerate(ROWS)],
                 ("body", "team", "who"))
    refuse(path, "the table cannot be split: .* or take a finer group", text="body", label="team", group="who")
    write(path, [*rows, ("words", "access", " ")], ("body", "team", "who"))
    refuse(path, "row 26 has no group; mend or remove", text="body", label="team", group="who")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_tabs_and_quoted_texts(tmp_path, delimiter):
    rows = [(f'say "{text}", {delimiter}\nplease', label) for text, label in ROWS]
    table = data.load("text_table", path=write(tmp_path / "own.csv", rows, delimiter=delimiter))
    assert 'say "printer number 0 is broken", ' + f"{delimiter}\nplease" in sum(
        (split.texts for split in table.splits().values()), [])


def test_old_line_ends_are_read(tmp_path):
    path = write(tmp_path / "own.csv")
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\r"))
    assert sum(map(len, data.load("text_table", path=path).splits().values())) == 24


def test_copies_are_counted_and_contradictions_named(tmp_path):
    rows = [*ROWS, ("Printer  number 3 is BROKEN.", "hardware"), ("both", "access"), ("both", "hardware")]
    with pytest.warns(UserWarning, match=r"2 rows \(27, 28\) have the same words with different labels: left out"):
        table = data.load("text_table", path=write(tmp_path / "own.csv", rows))
    assert "left out: 1 copy; 2 with two labels" in table.card.limits
    assert sum(map(len, table.splits().values())) == 24


def test_other_encodings_are_read_when_named(tmp_path):
    rows = [(f"Drucker für {k} gestört", "gerät") for k in range(5)] + [(f"Paßwort {k}", "zugang") for k in range(5)]
    path = write(tmp_path / "own.csv", rows, encoding="cp1252")
    refuse(path, r"own.csv is not UTF-8: byte 0xfc in line 2; save it as UTF-8, or name its encoding with encoding=")
    assert data.load("text_table", path=path, encoding="cp1252").classes == ["gerät", "zugang"]
    refuse(path, "Python knows no encoding 'cp12': try 'utf-8', 'cp1252'", encoding="cp12")
    refuse(path, "is not ascii: ordinal not in range", encoding="ascii")
    path = write(tmp_path / "own.csv", rows)
    refuse(path, "is valid UTF-8, so encoding='cp1252' would spoil its letters", encoding="cp1252")
    path = write(tmp_path / "own.csv", rows, encoding="utf-16")
    refuse(path, "is not UTF-8: byte 0xff in line 1; .*UTF-16")
    assert data.load("text_table", path=path, encoding="utf-16").classes == ["gerät", "zugang"]
    path = write(tmp_path / "own.csv", rows, encoding="utf-7")                        # ASCII bytes, other letters
    assert data.load("text_table", path=path, encoding="utf-7").classes == ["gerät", "zugang"]
    path = write(tmp_path / "own.csv", rows, encoding="utf-8-sig")                    # with a byte-order mark
    assert data.load("text_table", path=path).classes == ["gerät", "zugang"]


@pytest.mark.parametrize(("rows", "message"), [
    ([*ROWS, ("", "access"), ("  ", "access")], r"own.csv: 2 rows \(26, 27\) have no text; mend or remove them"),
    ([("", "access"), *ROWS], r"own.csv: row 2 has no text"),
    ([*ROWS, ("words", "")], r"own.csv: row 26 has no label"),
    ([row for row in ROWS if row[1] == "access"], r"holds one label, 'access': a classifier needs at least two labels"),
    ([*ROWS, ("rare one", "other"), ("rare two", "other")],
     r"the label 'other' has 2 texts in 2 groups: three splits need at least 3 groups of each label"),
    ([(text, f"id {k}") for k, (text, _) in enumerate(ROWS)], r"24 different labels in 24 texts, .* the right column"),
    ([*ROWS, ("one", "two", "three")], r"row 26 has not 2 fields as the header has"),
    ([], r"own.csv has a header but no rows"),
])
def test_bad_rows_are_named_and_counted(tmp_path, rows, message):
    refuse(write(tmp_path / "own.csv", rows), message)


def test_empty_rows_can_be_skipped_but_are_still_counted(tmp_path):
    path = write(tmp_path / "own.csv", [*ROWS, ("", "access")])
    with pytest.warns(UserWarning, match="row 26 has no text: left out"):
        table = data.load("text_table", path=path, skip_empty=True)
    assert "left out: 1 without text" in table.card.limits


def test_bad_files_and_columns(tmp_path):
    path = write(tmp_path / "own.csv", header=("body", "team"))
    refuse(path, r"own.csv has no column 'text' and no column 'label': it has 'body', 'team'; pass the names")
    refuse(path, r"has no column 'thread'", text="body", label="team", group="thread")
    refuse(path, "text and label name the same column, 'body'", text="body", label="body")
    refuse(write(tmp_path / "own.csv", header=("text", "text")), "no column 'label'")
    refuse(write(tmp_path / "own.csv", [(*row, "") for row in ROWS], ("text", "label", "text")),
           "two columns called 'text': rename one")
    refuse(tmp_path / "none.csv", "there is no file .*none.csv: check the path", FileNotFoundError)
    refuse(tmp_path, "is a folder, expected a .csv or .parquet file")
    (tmp_path / "own.xlsx").write_bytes(b"PK")
    refuse(tmp_path / "own.xlsx", "own.xlsx is neither .csv, .tsv, .txt nor .parquet")
    (tmp_path / "own.csv").write_text("")
    refuse(tmp_path / "own.csv", "own.csv is empty: expected a header and rows")
    (tmp_path / "own.csv").write_bytes(b"text,label\na\0b,c\n")
    refuse(tmp_path / "own.csv", "holds null bytes, so it is no CSV file")
    (tmp_path / "own.csv").write_text('text,label\n"never closed,a\n')
    refuse(tmp_path / "own.csv", "cannot be read as CSV: .*quotation mark that is not closed")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    load = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    refuse(tmp_path / "own.parquet", r"needs pyarrow, which is not installed: pip install -e '.\[tables\]', or save",
           ImportError)


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts, labels = map(list, zip(*ROWS))
    path = tmp_path / "own.parquet"
    parquet.write_table(pyarrow.table({"text": texts, "label": [len(name) for name in labels]}), path)
    assert data.load("text_table", path=path).classes == ["6", "8"]
    parquet.write_table(pyarrow.table({"text": [*texts, None], "label": [*labels, "access"]}), path)
    refuse(path, "row 26 has no text")
    parquet.write_table(pyarrow.table({"text": range(24), "label": labels}), path)
    refuse(path, r"the column 'text' holds int \(0\), expected text")
    refuse(path, "no column 'body': it has 'text', 'label'", text="body")
    path.write_bytes(b"no parquet at all")
    refuse(path, "own.parquet cannot be read as Parquet")


def test_tokens_come_back_in_every_script(tmp_path):
    texts = {"billing": "发票金额不对，请退款 {}", "access": "पासवर्ड भूल गया {}", "other": "Принтер не работает {} 🖨"}
    rows = [(text.format(k), label) for label, text in texts.items() for k in range(6)]
    table = data.load("text_table", path=write(tmp_path / "own.csv", rows))
    tokeniser = token_files.train_tokeniser(table.train.texts, 400)
    dataset = table.tokens(tokeniser, 200)
    for split, part in zip(table.splits().values(), dataset.splits().values()):
        for text, row, label in zip(split.texts, part.x, part.y):
            assert tokeniser.decode(row[row > 0].tolist()) == text
            assert text.startswith(texts[table.classes[label]][:4])
    assert table.tokens(tokeniser, 7).train.x.shape == (len(table.train), 7)
    with pytest.raises(ValueError, match="max_tokens must be a whole number of at least 1"):
        table.tokens(tokeniser, 0)


def test_chinese_has_no_spaces_but_many_tokens():
    text = "发票金额不对请退款"
    assert len(text.split()) == 1
    tokeniser = token_files.train_tokeniser(["发票金额", "退款", "不对"] * 3, 270)
    assert 3 < len(tokeniser.encode(text).ids) < len(text.encode())
    assert tokeniser.decode(tokeniser.encode(text).ids) == text
    assert "[UNK]" not in tokeniser.encode("謝謝").tokens and tokeniser.decode(tokeniser.encode("謝謝").ids) == "謝謝"
