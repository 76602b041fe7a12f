import gzip
import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from helpers import data
from helpers.data import download, fashion_mnist

CONTENT = {}
for _name, _count in (("train-images-idx3-ubyte", 6000), ("train-labels-idx1-ubyte", 6000),
                      ("t10k-images-idx3-ubyte", 100), ("t10k-labels-idx1-ubyte", 100)):
    _rng = np.random.default_rng(len(CONTENT))
    _images = "images" in _name
    _body = _rng.integers(0, 256, (_count, 784), dtype=np.uint8) if _images else np.arange(_count, dtype=np.uint8) % 10
    CONTENT[_name] = bytes(16 if _images else 8) + _body.tobytes()


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A small set in the same format, none of it on this machine."""
    files = {name: (hashlib.sha256(body).hexdigest(), ((len(body) - 16) // 784, 28, 28) if "images" in name
                    else (len(body) - 8,)) for name, body in CONTENT.items()}
    monkeypatch.setattr(fashion_mnist, "FILES", files)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HELPERS_FASHION_MNIST", raising=False)
    return tmp_path


def write(folder, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in CONTENT.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(body, 1) if packed else body)
    return folder


class Server:
    """A local HTTP server that can cut an answer short, send something else, or know nothing of ranges."""

    def __init__(self):
        self.files, self.cut, self.ranges, self.asked = {}, None, True, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = outer.files.get(self.path.lstrip("/"))
                outer.asked.append((self.path, self.headers.get("Range")))
                if body is None:
                    return self.send_error(404)
                start = 0
                if outer.ranges and self.headers.get("Range"):
                    start = int(self.headers["Range"][6:-1])
                    if start >= len(body):
                        return self.send_error(416)
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                self.wfile.write(body[start:start + outer.cut] if outer.cut else body[start:])

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.close()


def test_the_real_set_without_leak():
    if not fashion_mnist._complete(fashion_mnist.DEBIAN):
        message = "needs the Debian package dataset-fashion-mnist"
        if os.environ.get("HELPERS_REQUIRE_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    dataset = data.load("fashion_mnist", path=fashion_mnist.DEBIAN)
    assert [len(split) for split in dataset.splits().values()] == [55_000, 5_000, 10_000]
    assert dataset.train.x.shape == (55_000, 784) and dataset.train.x.max() == 1
    assert dataset.test.y.bincount().tolist() == [1000] * 10
    assert dataset.classes[int(dataset.test.y[0])] == "Ankle boot"
    assert set(data.leaks(dataset).values()) == {0}


@pytest.mark.parametrize("packed", [True, False])
def test_a_local_folder(small, packed, monkeypatch):
    folder = write(small / "here", packed)
    dataset = data.load("fashion_mnist", path=folder, flat=False)
    assert dataset.train.x.shape == (1000, 1, 28, 28) and len(dataset.test) == 100
    original = np.frombuffer(CONTENT["t10k-images-idx3-ubyte"][16:], np.uint8).reshape(100, 1, 28, 28) / 255
    assert np.allclose(dataset.test.x.numpy(), original)
    monkeypatch.setenv("HELPERS_FASHION_MNIST", str(folder))
    assert data.load("fashion_mnist", flat=False).sha256() == dataset.sha256()


def test_nowhere_names_three_ways(small):
    with pytest.raises(FileNotFoundError, match="Three ways: name a folder .* HELPERS_FASHION_MNIST.* Debian package "
                                                "dataset-fashion-mnist, or pass download=True"):
        data.load("fashion_mnist")
    with pytest.raises(FileNotFoundError, match="lacks train-images-idx3-ubyte, train-labels-idx1-ubyte"):
        data.load("fashion_mnist", path=small)


def test_a_damaged_file_is_refused(small):
    folder = write(small / "here")
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte.gz is damaged or another file .*SHA-256"):
        data.load("fashion_mnist", path=folder)
    path.write_bytes(gzip.compress(CONTENT["t10k-labels-idx1-ubyte"])[:-6])
    with pytest.raises(ValueError, match="damaged or another file .*cannot be decompressed"):
        data.load("fashion_mnist", path=folder)


def test_download_once_checked_and_cached(small, server, monkeypatch):
    server.files = {f"{name}.gz": gzip.compress(body, 1) for name, body in CONTENT.items()}
    monkeypatch.setattr(fashion_mnist, "URL", server.url)
    dataset = data.load("fashion_mnist", download=True)
    assert len(dataset.train) == 1000 and len(server.asked) == 4
    assert data.load("fashion_mnist").sha256() == dataset.sha256()
    assert len(server.asked) == 4
    assert not list(fashion_mnist.cache_folder().glob("*.part"))


def test_a_download_resumes(small, server, monkeypatch):
    server.files = {f"{name}.gz": gzip.compress(body, 1) for name, body in CONTENT.items()}
    monkeypatch.setattr(fashion_mnist, "URL", server.url)
    server.cut = 1000
    with pytest.raises(ConnectionError, match="ended after 1,000 of .* bytes: try again, the download is resumed"):
        data.load("fashion_mnist", download=True)
    assert [p.stat().st_size for p in fashion_mnist.cache_folder().glob("*.part")] == [1000]
    server.cut = None
    assert len(data.load("fashion_mnist", download=True).train) == 1000
    assert ("/train-images-idx3-ubyte.gz", "bytes=1000-") in server.asked


def test_a_server_without_ranges_starts_again(tmp_path, server):
    server.files, server.ranges = {"f": b"0123456789"}, False
    (tmp_path / "f.part").write_bytes(b"01234")
    path = download.fetch(f"{server.url}/f", tmp_path / "f", lambda content: None)
    assert path.read_bytes() == b"0123456789"


def test_everything_had_arrived_already(tmp_path, server):
    server.files = {"f": b"0123456789"}
    (tmp_path / "f.part").write_bytes(b"0123456789")
    assert download.fetch(f"{server.url}/f", tmp_path / "f", lambda content: None).read_bytes() == b"0123456789"


def test_wrong_content_is_deleted(small, server, monkeypatch):
    server.files = {f"{name}.gz": gzip.compress(b"something else") for name in CONTENT}
    monkeypatch.setattr(fashion_mnist, "URL", server.url)
    with pytest.raises(ValueError, match="is not the expected file .*SHA-256.* it was deleted, try again"):
        data.load("fashion_mnist", download=True)
    assert list(fashion_mnist.cache_folder().iterdir()) == []


def test_no_network_and_no_such_file(small, server, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "URL", server.url)
    with pytest.raises(ConnectionError, match="could not be downloaded: the server answers 404"):
        data.load("fashion_mnist", download=True)
    server.close()
    with pytest.raises(ConnectionError, match=r"could not be downloaded \(.*\): check the network and try again"):
        data.load("fashion_mnist", download=True)
