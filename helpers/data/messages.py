"""Support messages made of real documentation: one line or paragraph, without what gives its library away."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from dataclasses import replace

from helpers.data.docs import CARD, Passage, PythonDocs
from helpers.data.text_table import Texts, TextTable, key

MIN_WORDS, MAX_WORDS = 5, 20
NAMES = re.compile(r"\b\w*(?:numpy|matplotlib|pyplot|networkx|scikit|sklearn|torch|jinja|joblib)\w*\b"
                   r"|\b(?:np|mpl|plt|nx|c?python|stdlib)\d?\b", re.IGNORECASE)
SECTION = re.compile(r"\s*(args|arguments|attributes|examples?|keyword arguments|notes?|parameters|raises|returns?"
                     r"|see also|shape|usage|warnings?|yields)\b.{0,20}:\s*$", re.IGNORECASE)


def paragraphs(passage: Passage) -> list[str]:
    """The prose of a passage: its question and the paragraphs of its answer, without code, lists and sections."""
    kept = [passage.query]
    for part in passage.answer.split("\n\n"):
        lines = part.splitlines()
        code = any(re.match(r"\s*(>>>|\.\.)", line) for line in lines)
        ruled = any(re.fullmatch(r"\s*[-=~*^]{3,}\s*", line) for line in lines)
        item = re.match(r"\s*[\w*, ]+ : |\s*[-*] |\s{4}", lines[0]) if lines else True
        if not (code or ruled or item or SECTION.match(lines[0])):
            kept.append(" ".join(part.split()))
    return kept


def plain(text: str, *, names: bool = False, markup: bool = False) -> str:
    """A text without the names of the libraries and without markup, unless one of them is kept."""
    if not markup:
        text = re.sub(r":[\w:+-]+:`~?([^`<]*)(?:<[^`]*>)?`", r"\1", text)       # :class:`x` → x
        text = re.sub(r"[`*|~]+", " ", text)
    if not names:
        text = re.sub(r"\b\w{2,}(?:\.\w+)+\b", lambda found: found[0].rsplit(".", 1)[-1], text)  # a.b.c → c
        text = NAMES.sub(" ", text)
    return " ".join(text.split())


def distinct(texts: list[str]) -> list[int]:
    """Numbers of the texts that are no copy and no near copy of an earlier one.

    Near copies share at least 60 per cent of the later text's runs of three words.
    """
    holders: dict[str, list[int]] = {}
    seen: set[str] = set()
    kept = []
    for number, text in enumerate(texts):
        words = key(text).split()
        runs = {" ".join(words[i:i + 3]) for i in range(max(1, len(words) - 2))}
        shared = Counter(holder for run in runs for holder in holders.get(run, ()))
        if " ".join(words) in seen or (shared and shared.most_common(1)[0][1] >= 0.6 * len(runs)):
            continue
        seen.add(" ".join(words))
        kept.append(number)
        for run in runs:
            holders.setdefault(run, []).append(number)
    return kept


def messages(docs: PythonDocs, *, names: bool = False, markup: bool = False) -> TextTable:
    """One message of 5 to 20 words for each line or paragraph of prose; the label is the library, the group its module.

    Which texts are taken, and their split, never depends on the options, so results can be compared message by message.

    Arguments:
        docs: from ``data.python_docs``; its split by module is kept.
        names: leave the names of the libraries in.
        markup: leave the markup in.

    Derived in: book/project/text_classifier.
    """
    whose = {id(passage): split for split, part in docs.splits().items() for passage in part}
    found = [(passage, text) for passage in docs.passages for text in paragraphs(passage)
             if len(plain(text).split()) >= MIN_WORDS]
    cut = [" ".join(plain(text).split()[:MAX_WORDS]) for _, text in found]
    kept = distinct(cut)
    splits = {}
    for name, part in docs.splits().items():
        order = {id(passage): place for place, passage in enumerate(part)}
        rows = sorted((k for k in kept if whose[id(found[k][0])] == name),
                      key=lambda k: (_place(cut[k]), order[id(found[k][0])]))
        texts = [" ".join(plain(found[k][1], names=names, markup=markup).split()[:MAX_WORDS]) for k in rows]
        splits[name] = Texts(texts, docs.labels([found[k][0] for k in rows]), [found[k][0].module for k in rows])
    sizes = " / ".join(f"{len(part):,}" for part in splits.values())
    card = replace(
        CARD, title="Support messages about Python", size=f"{sizes} messages of 5 to 20 words, split by module",
        origin=docs.card.origin.split(". Question")[0] + ". A message is one line or paragraph of prose",
        limits="documentation, not what customers write; "
               f"{len(found) - len(kept):,} copies and near copies are left out; the name of a library is removed, its "
               "ideas are not")
    return TextTable(*splits.values(), card, docs.classes)


def _place(text: str) -> int:
    """A number that shuffles texts in the same order on every machine."""
    return zlib.crc32(text.encode())

