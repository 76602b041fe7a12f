"""From token numbers back to text while they come: a token may end inside a character."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import TYPE_CHECKING

from helpers.data.token_files import byte_names

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Pieces:
    """The bytes of each token of a byte-level tokeniser.

    Arguments:
        tokeniser: such as ``data.tokeniser()``.

    Raises:
        ValueError: it is no byte-level tokeniser.

    Derived in: book/project/serving.
    """

    def __init__(self, tokeniser: Tokenizer) -> None:
        of_name = {name: byte for byte, name in enumerate(byte_names())}
        special = {number for number, token in tokeniser.get_added_tokens_decoder().items() if token.special}
        self.of: list[bytes] = []
        for number in range(tokeniser.get_vocab_size()):
            name = tokeniser.id_to_token(number)
            known = number not in special and name is not None
            if known and not all(letter in of_name for letter in name):
                raise ValueError(f"the service needs a byte-level tokeniser, but token {number} is called {name!r}: "
                                 "train one with data.token_files.train_tokeniser")
            self.of.append(bytes(of_name[letter] for letter in name) if known else b"")
        self.longest = max(map(len, self.of))

    def text(self, tokens: Iterable[int]) -> str:
        """All of a text at once; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.of[token] for token in tokens).decode("utf-8", errors="replace")

    def stream(self) -> Stream:
        """A decoder for one text that comes token by token."""
        return Stream(self)


class Stream:
    """Turns tokens into text as they come; what might be the start of a character is held back."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def text(self, tokens: Iterable[int], *, last: bool = False) -> str:
        """The text that is certain now; with ``last`` the rest as well."""
        return self._decoder.decode(b"".join(self._pieces.of[token] for token in tokens), final=last)
