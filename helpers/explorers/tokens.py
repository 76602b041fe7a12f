"""Type a text, drag the number of merges: the page cuts the text into tokens, counts and prices them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from helpers import data
from helpers.data import token_files

from .base import Explorer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_CHARACTERS = 2_000
WORDS = {
    "text": "your text", "sample": "start from", "own": "your own text", "merges": "merges",
    "price": "price, USD per M",
    "tokens": "Tokens, one box each", "curve": "Tokens of this text against merges", "axis": "tokens",
    "columns": ["place", "number", "token", "bytes"], "empty": "Type something.",
    "status": "{characters} characters, {bytes} bytes, {tokens} tokens: {ratio} bytes a token. "
              "A million such prompts cost {usd}.",
}


class TokenCutter(Explorer):
    """A text in tokens under the first so many merges of a tokeniser, and what they cost.

    Args:
        texts: name → text to start from; the first is shown first.
        usd_per_million: price of a million input tokens at the start, 0.01 to 100, marked with its label.
        price_label: date of this price.
        num_merges: merges at the start; all of them by default.
        tokeniser: the house tokeniser by default; any that ``token_files.train_tokeniser`` made.

    Raises:
        ValueError: no text, a text of more than 2,000 characters, a price or a number of merges out of range.

    Derived in: book/concepts/tokenisation.
    """

    module = "tokens"

    def __init__(self, texts: Mapping[str, str], usd_per_million: float, *, price_label: str = "",
                 num_merges: int | None = None, tokeniser: Tokenizer | None = None, id: str | None = None) -> None:
        numbers, pairs = token_files.merges(tokeniser or data.tokeniser())
        num = len(pairs) if num_merges is None else num_merges
        if not texts or max(map(len, texts.values())) > MAX_CHARACTERS:
            raise ValueError(f"TokenCutter needs texts of at most {MAX_CHARACTERS:,} characters, found "
                             f"{[len(text) for text in texts.values()]}.")
        if not 0.01 <= usd_per_million <= 100:
            raise ValueError(f"The price lies between 0.01 and 100 USD per million tokens, found {usd_per_million}.")
        if not 0 <= num <= len(pairs):
            raise ValueError(f"num_merges lies between 0 and {len(pairs):,}, found {num_merges}.")
        super().__init__({
            "title": "Cut a text into tokens", "words": WORDS,
            "hint": "Type or choose a text, then drag the merges: 0 leaves bytes, each merge joins one more pair.",
            "source": f"All {len(pairs):,} merges of the tokeniser run in this page.",
            "numbers": numbers, "pairs": [number for pair in pairs for number in pair], "texts": dict(texts),
            "num_merges": num, "usd_per_million": usd_per_million, "price_label": price_label,
            "max_characters": MAX_CHARACTERS,
        }, id=id)

    @staticmethod
    def compute(text: str, numbers: Sequence[int], pairs: Sequence[int], num_merges: int,
                usd_per_million: float) -> dict:
        """Tokens of a text under the first ``num_merges`` merges.

        Args:
            text: any text.
            numbers: token number of each byte, 256 values.
            pairs: the merges in their order, two token numbers each, one list.
            num_merges: how many of them are used.
            usd_per_million: price of a million tokens, USD.

        Returns:
            ``tokens``: numbers; ``curve``: number of tokens after 0, 1, … all merges; ``bytes``, ``characters``,
            ``bytes_per_token``, ``usd`` (price of a million such texts).
        """
        ranks = {(pairs[2 * k], pairs[2 * k + 1]): k for k in range(len(pairs) // 2)}
        number_of = dict(zip(token_files.byte_names(), numbers, strict=True))
        pre = token_files.blank().pre_tokenizer
        assert pre is not None
        tokens: list[int] = []
        joined = [0] * (len(ranks) + 1)
        for piece, _ in pre.pre_tokenize_str(text):
            symbols, shown = [number_of[name] for name in piece], None
            while True:
                found = min(((ranks.get(pair, len(ranks)), place)
                             for place, pair in enumerate(zip(symbols, symbols[1:]))), default=(len(ranks), 0))
                rank, place = found
                if shown is None and rank >= num_merges:
                    shown = list(symbols)
                if rank == len(ranks):
                    break
                symbols[place:place + 2] = [257 + rank]
                joined[rank + 1] += 1
            tokens += shown
        num_bytes = len(text.encode())
        curve = [num_bytes]
        for fewer in joined[1:]:
            curve.append(curve[-1] - fewer)
        return {"tokens": tokens, "curve": curve, "bytes": num_bytes, "characters": len(text),
                "bytes_per_token": num_bytes / len(tokens) if tokens else 0.0, "usd": len(tokens) * usd_per_million}

    @staticmethod
    def cases() -> list[dict]:
        """Texts and settings on which the page and Python are compared."""
        numbers, pairs = token_files.merges(data.tokeniser())
        flat = [number for pair in pairs for number in pair]
        texts = ("", "def mean(values):\n    return sum(values) / len(values)\n", "aaaaaaa  \t\n x = 12345.67  ",
                 "Grüße, 数学, हिन्दी, العربية 🙂👩‍👩‍👧", "a\u00a0b\u0085c\ufeffd ½²Ⅳ ___self.__init__")
        return [{"text": text, "numbers": numbers, "pairs": flat, "num_merges": num, "usd_per_million": 2.0}
                for text in texts for num in (0, 37, 500, len(pairs))]
