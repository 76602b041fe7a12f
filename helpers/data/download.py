"""Fetch one file over the network: resumes what an earlier attempt left, checks it, then moves it into place."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path


def fetch(url: str, path: Path, check: Callable[[bytes], str | None], *, timeout_seconds: float = 30.0) -> Path:
    """Download ``url`` to ``path``; an interrupted download stays beside it as NAME.part and is resumed next time.

    Arguments:
        url: where the file lies.
        path: where it goes; it appears only whole and checked.
        check: takes the content and returns what is wrong with it, or None.
        timeout_seconds: for each answer of the server.

    Raises:
        ConnectionError: no network, no answer or an answer that ends too early; what arrived is kept for next time.
        ValueError: the content is not what was expected; it is deleted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            resumed = answer.status == 206
            expected = int(answer.headers.get("Content-Length", 0)) + (done if resumed else 0)
            with part.open("ab" if resumed else "wb") as file:
                while block := answer.read(1 << 18):
                    file.write(block)
    except urllib.error.HTTPError as error:
        if error.code != 416:                                  # 416: everything had arrived already
            raise ConnectionError(f"{url} could not be downloaded: the server answers {error.code} "
                                  f"{error.reason}") from error
        expected = done
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(f"{url} could not be downloaded ({reason}): check the network and try again, what has "
                              "arrived is kept") from error
    size = part.stat().st_size
    if size < expected:
        raise ConnectionError(f"{url} ended after {size:,} of {expected:,} bytes: try again, the download is resumed")
    wrong = check(part.read_bytes())
    if wrong is not None:
        part.unlink()
        raise ValueError(f"{url} is not the expected file ({wrong}): it was deleted, try again or use another source")
    part.replace(path)
    return path
