"""Test downloads, the datasets that need them, and published weights."""

import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import md5, sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import ArgumentError, DataDamaged, DataMissing
from dezero_core.extend import plugins
from dezero_io import (
    CIFAR10,
    CIFAR100,
    MNIST,
    ImageNet,
    Shakespear,
    Shakespeare,
    get_file,
    plugin,
)
from dezero_io.data import download
from dezero_io.data.datasets import cifar, imagenet, shakespear
from dezero_io.data.download import show_progress


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for data; there is no other one, and no network."""
    monkeypatch.setenv("DEZERO_DATA", str(tmp_path))
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
    for module in (cifar, imagenet, shakespear, plugin):
        monkeypatch.setattr(module, "MIRRORS", ())
    return tmp_path


def archive(folder: Path, name: str, members: dict[str, Any], monkeypatch: Any) -> Path:
    """Write a small archive, and replace the published checksum by its own."""
    path = folder / "cifar" / name
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as file:
        for member, records in members.items():
            info = tarfile.TarInfo(member)
            info.size = records.size
            file.addfile(info, io.BytesIO(records.tobytes()))
    monkeypatch.setitem(cifar.ARCHIVES, name, md5(path.read_bytes()).hexdigest())
    return path


def records(count: int, labels: int) -> Any:
    found = np.random.default_rng(count).integers(0, 255, (count, labels + cifar.PIXELS))
    found[:, :labels] %= 10
    return found.astype(np.uint8)


def test_cifar10(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = {f"cifar-10-batches-bin/data_batch_{n}.bin": records(n, 1) for n in range(1, 6)}
    test = records(4, 1)
    members = {**batches, "cifar-10-batches-bin/test_batch.bin": test}
    path = archive(folder, "cifar-10-binary.tar.gz", members, monkeypatch)
    data = CIFAR10(train=False)
    assert data.data.shape == (4, 3, 32, 32) and data.data.dtype == np.uint8
    assert data.label.tolist() == test[:, 0].tolist() and data.label.dtype == np.int64
    assert data.data[1, 2, 0, 5] == test[1, 1 + 2 * 1024 + 5], "planes of red, green, blue"
    x, _ = data[0]
    assert x.dtype == np.float32 and -1 <= x.min() < x.max() <= 1
    assert len(CIFAR10()) == 15
    assert CIFAR10.labels()[0] == "airplane" and len(CIFAR10.labels()) == 10
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataDamaged, match="its MD5 differs. Delete it"):
        CIFAR10()


def test_cifar100(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = records(3, 2)
    archive(folder, "cifar-100-binary.tar.gz", {"cifar-100-binary/test.bin": test}, monkeypatch)
    assert CIFAR100(train=False).label.tolist() == test[:, 1].tolist()
    assert CIFAR100(train=False, label_type="coarse").label.tolist() == test[:, 0].tolist()
    fine, coarse = CIFAR100.labels(), CIFAR100.labels("coarse")
    assert len(fine) == len(set(fine.values())) == 100 and list(fine.values()) == sorted(
        fine.values()
    )
    assert len(coarse) == 20 and coarse[0] == "aquatic mammals"
    with pytest.raises(ArgumentError, match="label_type 'finest'"):
        CIFAR100(label_type="finest")
    with pytest.raises(DataDamaged, match="train.bin"):  # not in this archive
        CIFAR100()


def test_imagenet_labels_are_read_and_never_run(folder: Path) -> None:
    path = folder / imagenet.FILE
    path.parent.mkdir()
    lines = [f"{n}: 'name {n}, also'," for n in range(998)]
    lines += ['998: "hen-of-the-woods, Grifola",', "999: 'toilet paper'}"]
    path.write_text("{" + "\n ".join(lines))
    labels = ImageNet.labels()
    assert len(labels) == 1000
    assert labels[0] == "name 0, also" and labels[998] == "hen-of-the-woods, Grifola"
    assert labels[999] == "toilet paper"
    for bad in ("__import__('os').getcwd()", "{" + "\n ".join(lines[1:]), "{0: open('x')}"):
        path.write_text(bad)
        with pytest.raises(DataDamaged, match="a line for each of 1000 numbers"):
            ImageNet.labels()


def test_shakespear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / shakespear.FILE
    path.parent.mkdir()
    path.write_text("To be, or not to be")
    monkeypatch.setattr(shakespear, "SIZE", 19)
    data = Shakespear()
    assert "".join(data.id_to_char[i] for i in data.data) == "To be, or not to b"
    assert data.label[:-1].tolist() == data.data[1:].tolist()
    assert data.data[:4].tolist() == [0, 1, 2, 3] and data.char_to_id["T"] == 0
    assert Shakespeare is Shakespear
    path.write_text("To be, or not to bé")
    with pytest.raises(DataDamaged, match="expected 19 bytes of ASCII, found 20"):
        Shakespear()


def test_missing_files_are_named(folder: Path) -> None:
    for load, name in (
        (CIFAR10, "cifar-10-binary.tar.gz"),
        (CIFAR100, "cifar-100-binary.tar.gz"),
        (ImageNet.labels, "imagenet1000_clsidx_to_labels.txt"),
        (Shakespear, "input.txt"),
        (lambda: plugins.fetch("vgg16.npz"), "vgg16.npz"),
    ):
        with pytest.raises(DataMissing, match=f"{name} is not in .*put these files there: {name}"):
            load()


def test_published_weights_are_found_offline(folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "models" / "resnet50.npz").write_bytes(b"PK")
    assert plugins.fetch("resnet50.npz") == folder / "models" / "resnet50.npz"
    assert plugin.dezero_fetch("unheard-of.npz") is None


def test_get_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def arrive(url: str, target: Path) -> None:
        asked.append(url)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"x")

    monkeypatch.setattr(download, "download", arrive)
    first = get_file("https://example.org/a/b.txt")
    assert first == str(folder / "cache" / "b.txt") == get_file("https://example.org/a/b.txt")
    assert get_file("https://example.org/a/b.txt", "c.txt").endswith("c.txt")
    assert asked == ["https://example.org/a/b.txt"] * 2
    for bad in ("../up.txt", "a/b", "", ".."):
        with pytest.raises(ArgumentError, match="is no name of a file"):
            get_file("https://example.org/x", bad)

    def fail(url: str, target: Path) -> None:
        raise OSError("no network")

    monkeypatch.setattr(download, "download", fail)
    with pytest.raises(DataMissing, match=r"https://example.org/z: OSError: no network"):
        get_file("https://example.org/z")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Return the address of a local server with one file, ``a.bin``, of contents ``right``."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.bin").write_bytes(b"right")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


RIGHT, WRONG = sha256(b"right").hexdigest(), sha256(b"wrong").hexdigest()


def test_get_file_compares_the_checksum(folder: Path, address: str) -> None:
    url, target = f"{address}/a.bin", folder / "cache" / "a.bin"
    with pytest.raises(DataDamaged, match=f"{url}: .*SHA-256 {RIGHT}, expected {WRONG}"):
        get_file(url, sha256=WRONG)
    assert [*target.parent.iterdir()] == [], "a download with another checksum is not stored"
    assert get_file(url, sha256=RIGHT.upper()) == str(target)
    assert target.read_bytes() == b"right"

    target.write_bytes(b"wrong")
    assert get_file(url) == str(target) and target.read_bytes() == b"wrong", "nothing is compared"
    assert get_file(url, sha256=RIGHT) == str(target) and target.read_bytes() == b"right"

    target.write_bytes(b"wrong")  # now neither file has the expected checksum
    other = sha256(b"other").hexdigest()
    with pytest.raises(DataDamaged, match=f"SHA-256 {RIGHT}, expected {other}.*exists, .*{WRONG}"):
        get_file(url, sha256=other)
    assert [x.read_bytes() for x in target.parent.iterdir()] == [b"wrong"]


def test_a_file_with_another_checksum_and_no_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str, target: Path, sha256: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr(download, "download", fail)
    target = folder / "cache" / "z.bin"
    target.parent.mkdir()
    target.write_bytes(b"wrong")
    message = f"https://example.org/z.bin: OSError: no network; .*{WRONG}, expected {RIGHT}"
    with pytest.raises(DataMissing, match=message):
        get_file("https://example.org/z.bin", sha256=RIGHT)
    assert target.read_bytes() == b"wrong"
    target.write_bytes(b"right")
    assert get_file("https://example.org/z.bin", sha256=RIGHT) == str(target)


@pytest.mark.parametrize(
    "checksum", ["", "0" * 32, "0" * 40, "g" * 64, RIGHT + "0", f"sha256:{RIGHT}", 5, b"0" * 64]
)
def test_invalid_checksums_are_refused(folder: Path, checksum: Any) -> None:
    with pytest.raises(ArgumentError, match=r"get_file: sha256 .*; expected the 64 hexadecimal"):
        get_file("https://example.org/z.bin", sha256=checksum)


def test_get_file_copies_a_local_file(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "a file.bin"
    source.write_bytes(b"right")
    assert " " not in source.as_uri()
    found = get_file(source.as_uri(), "a.bin", sha256=RIGHT)
    assert found == str(folder / "cache" / "a.bin") and Path(found).read_bytes() == b"right"
    with pytest.raises(DataDamaged, match=f"SHA-256 {RIGHT}, expected {WRONG}"):
        get_file(source.as_uri(), "b.bin", sha256=WRONG)
    for url, message in (
        (tmp_path.as_uri(), "is not a regular file"),
        (f"{source.as_uri()}.gone", "FileNotFoundError"),
        ("file://elsewhere/a.bin", "a file on elsewhere; a file of this machine is file:///path"),
    ):
        with pytest.raises(DataMissing, match=message):
            get_file(url, "c.bin")
    assert [x.name for x in (folder / "cache").iterdir()] == ["a.bin"]


@pytest.mark.parametrize(
    "url", [None, Path("a.bin"), b"https://x.org/a", 5, "", "a.bin", "/a.bin", "ftp://x.org/a",
            "s3://x/a", "C:\\a.bin", "http://[x/a"]
)  # fmt: skip
def test_invalid_addresses_are_refused(folder: Path, url: Any) -> None:
    with pytest.raises(ArgumentError, match="get_file: url .*expected an address that begins with"):
        get_file(url)


def test_the_query_is_a_part_of_the_name(folder: Path, address: str) -> None:
    assert Path(get_file(f"{address}/a.bin?v=1#top")).name == "a.bin?v=1"
    for url, name in ((f"{address}/get?path=a/b", None), (f"{address}/a.bin", Path("a"))):
        with pytest.raises(ArgumentError, match="is no name of a file; give file_name"):
            get_file(url, name)


def test_show_progress(capsys: pytest.CaptureFixture[str]) -> None:
    show_progress(1, 50, 200)
    show_progress(9, 50, 200)
    show_progress(2, 500, -1)
    assert capsys.readouterr().out.split("\r")[1:] == [
        "[#######.......................] 25.00%",
        f"[{'#' * 30}] 100.00%",
        "1,000 bytes",
    ]


def test_show_draws_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="show needs matplotlib")
    pyplot.switch_backend("agg")
    monkeypatch.setattr(pyplot, "show", lambda: None)

    class Small(MNIST):
        def prepare(self) -> None:
            self.data = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 2, 3)

    figure = Small().show(row=2, col=5)
    assert figure.axes[0].images[0].get_array().shape == (4, 15)
    pyplot.close(figure)
    assert MNIST.labels() == {n: str(n) for n in range(10)}
