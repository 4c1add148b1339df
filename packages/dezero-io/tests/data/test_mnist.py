"""Test where MNIST is found, and that damaged files are refused."""

import gzip
import http.server
import os
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import DataDamaged, DataMissing
from dezero_io import MNIST, DataLoader
from dezero_io.data import download
from dezero_io.data.datasets import mnist

REAL = Path(os.environ.get("DEZERO_DATA", "")) / "mnist" / "train-images-idx3-ubyte.gz"
needs_mnist = pytest.mark.skipif(
    not REAL.is_file(), reason="no MNIST: set DEZERO_DATA to the folder that holds mnist/*.gz"
)


def idx(values: Any) -> bytes:
    """Return a file in the format of the published ones."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write files of a few images to a folder, and replace the published checksums by theirs."""
    draw = np.random.default_rng(0)
    served = tmp_path / "served"
    served.mkdir()
    files = {}
    for name in mnist.FILES:
        count = 6 if "train" in name else 3
        shape = (count, 28, 28) if "images" in name else (count,)
        contents = idx(draw.integers(0, 10, shape))
        (served / Path(name).name).write_bytes(gzip.compress(contents))
        files[name] = mnist.Contents(len(contents), sha256(contents).hexdigest())
    monkeypatch.setattr(mnist, "FILES", files)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("DEZERO_DATA", raising=False)
    return served


@pytest.fixture
def server(small: Path) -> Iterator[str]:
    """Return the address of a local server for these files."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(small))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@needs_mnist
@pytest.mark.parametrize(("train", "count", "ones"), [(True, 60000, 6742), (False, 10000, 1135)])
def test_the_published_files(train: bool, count: int, ones: int) -> None:
    data = MNIST(train)
    assert len(data) == count
    assert data.data.shape == (count, 1, 28, 28)
    assert data.data.dtype == np.uint8
    assert np.bincount(data.label)[1] == ones
    x, t = data[0]
    assert (x.shape, x.dtype) == ((784,), np.float32)
    assert (x.min(), x.max(), int(t)) == (0.0, 1.0, 5 if train else 7)
    batch, _ = next(iter(DataLoader(data, 100, shuffle=False)))
    assert (batch.shape, batch.dtype) == ((100, 784), np.float32)
    assert np.array_equal(batch[0], x)


def test_dezero_data_is_searched_before_the_cache(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.rename(tmp_path / "mnist")
    with pytest.raises(DataMissing):
        MNIST()
    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    assert len(MNIST(transform=None)) == 6
    (tmp_path / "cache").mkdir()
    (tmp_path / "mnist").rename(tmp_path / "cache" / "mnist")
    assert len(MNIST(train=False)) == 3, "the cache folder comes second"


def test_without_network_the_error_lists_files_and_folder(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(DataMissing) as caught:
        MNIST()
    message = str(caught.value)
    assert str(tmp_path / "cache" / "mnist") in message
    assert "http://127.0.0.1:9/: ConnectionError" in message
    for name in mnist.FILES:
        assert Path(name).name in message
    assert isinstance(caught.value, FileNotFoundError)
    assert list((tmp_path / "cache").rglob("*.gz*")) == []


def test_missing_files_are_downloaded_once(
    server: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/", server))
    monkeypatch.setenv("DEZERO_DATA", str(tmp_path / "chosen"))
    data = MNIST()
    assert len(data) == 6
    found = sorted(path.name for path in (tmp_path / "chosen").rglob("*") if path.is_file())
    assert found == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    shown = capfd.readouterr()
    assert "train-images-idx3-ubyte.gz: 100%" in shown.err
    assert shown.out == ""
    monkeypatch.setattr(mnist, "MIRRORS", ())
    assert np.array_equal(MNIST().data, data.data)


def damage(path: Path, how: str) -> None:
    whole = path.read_bytes()
    if how == "cut":
        path.write_bytes(whole[:-20])
    elif how == "no gzip":
        path.write_bytes(b"<html>not found</html>")
    elif how == "another":
        contents = bytearray(gzip.decompress(whole))
        contents[-1] ^= 1
        path.write_bytes(gzip.compress(bytes(contents)))
    elif how == "bits":
        path.write_bytes(whole[:12] + bytes([whole[12] ^ 255]) + whole[13:])
    elif how == "longer":
        path.write_bytes(gzip.compress(gzip.decompress(whole) + b"0" * 10_000_000))
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize("how", ["cut", "no gzip", "another", "bits", "longer", "empty"])
def test_damaged_files_are_refused(
    how: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.rename(tmp_path / "mnist")
    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    path = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    damage(path, how)
    with pytest.raises(DataDamaged, match="does not have the published contents") as caught:
        MNIST(train=False)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(MNIST()) == 6, "the other part is whole"


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    assert download.data_folder() == tmp_path
    monkeypatch.setenv("DEZERO_DATA", "")
    assert download.data_folder() == download.cache_folder()
    assert "dezero" in str(download.cache_folder())
