"""Count the damaged files that raise a foreign error, or change the model in spite of an error."""

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
from hostile import LIMIT, MEGABYTES, try_load, zipped

from dezero_core.errors import WeightsError
from dezero_core.state import save_weights


def mutated(rng: np.random.Generator, content: bytes) -> bytes:
    """Return a file with some bytes changed, deleted, inserted or repeated."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        at, length = int(rng.integers(len(damaged))), int(rng.integers(1, 9))
        change = rng.integers(6)
        if change == 0:
            damaged[at] ^= 1 << int(rng.integers(8))
        elif change == 1:
            damaged[at : at + length] = rng.bytes(length)
        elif change == 2:
            del damaged[at : at + length]
        elif change == 3:
            damaged[at:at] = damaged[at : at + 10 * length]
        elif change == 4:
            damaged[at : at + length] = b"\xff" * length
        else:
            del damaged[at:]
        if not damaged:
            damaged = bytearray(b"P")
    return bytes(damaged)


def damage_member(rng: np.random.Generator, content: bytes) -> bytes:
    """Return a file with one damaged member whose checksum is recomputed, so it is correct."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    chosen = int(rng.integers(len(members)))
    name, member = members[chosen]
    head = mutated(rng, member[:128]) + member[128:]
    members[chosen] = name, head
    return zipped(*members)


def damages(rng: np.random.Generator, originals: list[bytes]) -> Iterator[bytes]:
    """Yield an endless stream of damaged files; every tenth has correct checksums."""
    while True:
        for number in range(10):
            content = originals[int(rng.integers(len(originals)))]
            yield damage_member(rng, content) if number == 0 else mutated(rng, content)


def measure(long: bool = False) -> Figure:
    """Load 1,000,000 mutations (quick: 8,000) of a stored and of a compressed file."""
    count, wrong, loaded, slowest = 1_000_000 if long else 8_000, 0, 0, 0.0
    model = snapshot(3.0, MEGABYTES)
    warnings.filterwarnings("ignore", "Reading `.npy`")  # NumPy warns about headers of Python 2
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
            error, seconds = try_load(path, model)
            slowest, loaded = max(slowest, seconds), loaded + (error is None)
            foreign = error is not None and not isinstance(error, WeightsError)
            if foreign or seconds > 1 or (error is not None and fingerprint(model) != before):
                wrong += 1
            if error is None and fingerprint(model) != before:
                model = snapshot(3.0, MEGABYTES)  # the damage had correct checksums
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    wrong += grown > LIMIT / 2**20 + 64
    details = f"{count} files, {loaded} loaded, slowest {slowest * 1e3:.0f} ms, {grown:.0f} MB more"
    return Figure(wrong, 0, details)


if __name__ == "__main__":
    script(measure)
