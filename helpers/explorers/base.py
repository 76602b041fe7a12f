"""What all explorers share: a state that travels as JSON, and one object that lives twice.

How to add an explorer (about 30 lines of Python, 80 of JavaScript):

1. `helpers/explorers/price.py`: a class that puts into the state what the drawing needs, and, when the page computes
   something, the same function in Python with a few cases on which both are compared by the browser tests:

       class Price(Explorer):
           '''Price of a run against its size.'''

           module = "price"

           def __init__(self, rate: float, *, id: str | None = None) -> None:
               super().__init__({"title": "What a run costs", "hint": "Drag the size.", "rate": rate,
                                 "source": "Computed in this page."}, id=id)

           @staticmethod
           def compute(size: float, rate: float) -> dict:
               return {"cost": size * rate}

           @staticmethod
           def cases() -> list[dict]:
               return [{"size": 1e9, "rate": 2e-9}]

2. `helpers/explorers/js/price.mjs`:

       import { Panel, format } from "./core.mjs";

       export function compute({ size, rate }) {
         return { cost: size * rate };
       }

       export default {
         render({ model, el }) {
           const panel = new Panel({ model, el });
           panel.slider({ name: "size", label: "size", min: 1e6, max: 1e12, scale: "log", value: 1e9 });
           const plot = panel.plot({ label: "Cost", x: { domain: [1e6, 1e12], scale: "log", label: "size" },
                                     y: { domain: [1e-3, 1e4], scale: "log", label: "USD" } });
           return panel.start(({ size }, ghost) => {
             const { cost } = compute({ size, rate: panel.state.rate });
             const ends = [1e6, 1e12];
             plot.paint((p) => { p.line(ends, ends.map((n) => n * panel.state.rate)); p.mark(size, cost); });
             panel.say(`Size ${format(size, "si")} costs ${format(cost, "money")}.`);
           });
         },
       };

   For sliders, a sentence whose numbers can be dragged, and one chart, `formula.mjs` needs only `compute` and a line.

3. In the chapter: `from helpers.explorers.price import Price`, then `Price(2e-9)` as the last line of a cell.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .sources import names, source

MAX_BYTES = 300_000


def numbers(values: Any, digits: int = 4) -> Any:
    """Nested lists of rounded numbers for the state; what is not finite becomes None (shown as diverged).

    Args:
        values: number, sequence, array or tensor of any shape.
        digits: significant digits that are kept.
    """
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
    return _rounded(array.tolist(), digits)


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def pack_uint8(values: Any) -> str:
    """Base64 text of whole numbers 0 to 255, read by `bytes()` in core.mjs.

    Raises:
        ValueError: a value lies outside 0 to 255.
    """
    array = np.asarray(values)
    if array.size and (array.min() < 0 or array.max() > 255):
        raise ValueError(
            f"pack_uint8 takes values from 0 to 255, found {array.min()} to {array.max()}; scale them first."
        )
    return base64.b64encode(np.ascontiguousarray(array, dtype=np.uint8).tobytes()).decode("ascii")


def pack_float16(values: Any) -> str:
    """Base64 text of numbers rounded to 16 bits, read by `floats()` in core.mjs.

    Raises:
        ValueError: a value is not finite in 16 bits.
    """
    array = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        half = array.astype("<f2")
    if not np.isfinite(half).all():
        raise ValueError(f"pack_float16 takes finite values up to 65504, found {np.abs(array).max():g}.")
    return base64.b64encode(half.tobytes()).decode("ascii")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def encode(state: dict, name: str = "explorer") -> str:
    """The state as JSON, checked.

    Raises:
        ValueError: the state is not JSON, holds a number that is not finite, or is larger than 300 kB.
    """
    try:
        text = json.dumps(state, allow_nan=False, separators=(",", ":"), ensure_ascii=False, default=_plain)
    except ValueError as error:
        raise ValueError(
            f"The state of {name} holds a number that is not finite; pass it through numbers()."
        ) from error
    except TypeError as error:
        raise ValueError(
            f"The state of {name} must be JSON: {error}; pass arrays through numbers() or pack_uint8()."
        ) from error
    size = len(text.encode("utf8"))
    if size > MAX_BYTES:
        largest = max(state, key=lambda key: len(json.dumps(state[key], default=_plain)))
        raise ValueError(
            f"The state of {name} has {size:,} bytes, at most {MAX_BYTES:,} are allowed; "
            f"the largest part is {largest!r}: keep fewer grid points or fewer digits."
        )
    return text


class Explorer:
    """One explorer: `module` names its file in `js/`, `state` is what the drawing needs.

    As the last value of a cell it shows as a widget in JupyterLab and as plain HTML on a page without a kernel.

    Args:
        state: JSON-able dictionary; `title`, `hint`, `source` and `labels` are shown by the frame of every explorer.
        id: name in links to a setting (`#id:lr=0.3`); default: module and a fingerprint of the state.
        live: optional panel of controls for training in JupyterLab; see `Live`.

    Raises:
        ValueError: unknown module, or a state that is not JSON, not finite or above 300 kB.
    """

    module = ""

    def __init__(self, state: dict, *, id: str | None = None, live: Any = None) -> None:
        if self.module not in names():
            raise ValueError(f"{type(self).__name__}.module is {self.module!r}; there are: {', '.join(names())}.")
        text = encode(state, type(self).__name__)
        self.state = json.loads(text)
        self.id = id or f"{self.module}-{hashlib.sha256(text.encode('utf8')).hexdigest()[:8]}"
        if not self.id.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"The id of an explorer takes letters, digits and hyphens, found {self.id!r}.")
        self.live = live
        self._widget: Any = None

    def html(self) -> str:
        """What a page without a kernel shows: a div with the state; the script of the book draws into it."""
        state = encode({"state": self.state, "id": self.id, "page": True}, type(self).__name__)
        state = state.replace("</", "<\\/").replace("<!--", "<\\u0021--")
        note = html.escape(str(self.state.get("title", "This explorer")))
        return (
            f'<div class="course-explorer" data-module="{html.escape(self.module)}" id="{html.escape(self.id)}">'
            f'<script type="application/json">{state}</script>'
            f"<noscript>{note}: this figure moves when JavaScript is switched on.</noscript></div>"
        )

    def widget(self) -> Any:
        """The drawing as an anywidget, with the live panel above it when there is one.

        Raises:
            ImportError: anywidget or ipywidgets is not installed.
        """
        if self._widget is None:
            drawing = _drawing(self)
            self._widget = drawing if self.live is None else self.live.attach(self, drawing)
        return self._widget

    def _repr_mimebundle_(self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict:
        try:
            bundle = self.widget()._repr_mimebundle_()
        except ImportError:
            bundle = {"text/plain": f"{type(self).__name__} {self.id}"}
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**(data or {}), "text/html": self.html()}


def _drawing(explorer: Explorer) -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ImportError(
            "Explorers in JupyterLab need anywidget and ipywidgets; install them with: pip install -e '.[book]'"
        ) from error

    class Drawing(anywidget.AnyWidget):
        """The drawing of one explorer inside JupyterLab."""

        _esm = source(explorer.module)
        state = traitlets.Dict().tag(sync=True)
        id = traitlets.Unicode().tag(sync=True)
        page = traitlets.Bool(False).tag(sync=True)
        choice = traitlets.Dict().tag(sync=True)
        live = traitlets.Dict().tag(sync=True)

    return Drawing(state=explorer.state, id=explorer.id)
