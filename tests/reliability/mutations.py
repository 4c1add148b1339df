"""How many damaged files were answered by anything but our error or the right weights."""

from __future__ import annotations

import io
import resource
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from figures import Figure, fingerprint, script, snapshot
from hostile import LIMIT, MEGABYTES, answer, zipped

from dezero_core.errors import WeightsError
from dezero_core.state import save_weights


def mutated(draw: np.random.Generator, content: bytes) -> bytes:
    """A file with some bytes changed, cut out, put in, or said twice."""
    damaged = bytearray(content)
    for _ in range(int(draw.integers(1, 5))):
        at, length = int(draw.integers(len(damaged))), int(draw.integers(1, 9))
        kind = draw.integers(6)
        if kind == 0:
            damaged[at] ^= 1 << int(draw.integers(8))
        elif kind == 1:
            damaged[at : at + length] = draw.bytes(length)
        elif kind == 2:
            del damaged[at : at + length]
        elif kind == 3:
            damaged[at:at] = damaged[at : at + 10 * length]
        elif kind == 4:
            damaged[at : at + length] = b"\xff" * length
        else:
            del damaged[at:]
        if not damaged:
            damaged = bytearray(b"P")
    return bytes(damaged)


def inside(draw: np.random.Generator, content: bytes) -> bytes:
    """A file with damage in one member, whose checksum is right nevertheless."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    chosen = int(draw.integers(len(members)))
    name, member = members[chosen]
    head = mutated(draw, member[:128]) + member[128:]
    members[chosen] = name, head
    return zipped(*members)


def damages(draw: np.random.Generator, originals: list[bytes]) -> Iterator[bytes]:
    """Ever new damaged files; every tenth has right checksums."""
    while True:
        for number in range(10):
            content = originals[int(draw.integers(len(originals)))]
            yield inside(draw, content) if number == 0 else mutated(draw, content)


def measure(long: bool = False) -> Figure:
    """1,000,000 mutations (quick: 8,000) of a stored and of a compressed file."""
    count, wrong, loaded, slowest = 1_000_000 if long else 8_000, 0, 0, 0.0
    model = snapshot(3.0, MEGABYTES)
    warnings.filterwarnings("ignore", "Reading `.npy`")  # NumPy's, about headers of Python 2
    with tempfile.TemporaryDirectory() as folder:
        path, originals = Path(folder) / "m.npz", []
        for compress in (False, True):
            save_weights(model, path, compress=compress)
            originals.append(path.read_bytes())
        before, memory = fingerprint(model), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _, content in zip(
            range(count), damages(np.random.default_rng(0), originals), strict=False
        ):
            path.write_bytes(content)
            error, seconds = answer(path, model)
            slowest, loaded = max(slowest, seconds), loaded + (error is None)
            foreign = error is not None and not isinstance(error, WeightsError)
            if foreign or seconds > 1 or (error is not None and fingerprint(model) != before):
                wrong += 1
            if error is None and fingerprint(model) != before:
                model = snapshot(3.0, MEGABYTES)  # damage with right checksums
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    wrong += grown > LIMIT / 2**20 + 64
    details = f"{count} files, {loaded} loaded, slowest {slowest * 1e3:.0f} ms, {grown:.0f} MB more"
    return Figure(wrong, 0, details)


if __name__ == "__main__":
    script(measure)
