"""Count the single-bit flips of a file that change a value or a key without an error."""

from __future__ import annotations

import tempfile
from pathlib import Path

from figures import Figure, fingerprint, script, snapshot
from hostile import MEGABYTES, try_load

from dezero_core.state import load_weights, save_weights


def measure(long: bool = False) -> Figure:
    """Flip every bit of a stored and of a compressed file (quick: every fifth).

    Also load with ``strict=False``: no key may be lost, because the manifest lists all keys.
    """
    silent, refused, flips = 0, 0, 0
    model = snapshot(3.0, MEGABYTES)
    before = fingerprint(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.npz"
        for compress in (False, True):
            save_weights(model, path, metadata={"name": "flipped"}, compress=compress)
            content = path.read_bytes()
            for bit in range(0, 8 * len(content), 1 if long else 5):
                damaged = bytearray(content)
                damaged[bit // 8] ^= 1 << bit % 8
                path.write_bytes(damaged)
                other, flips = snapshot(0.0, MEGABYTES), flips + 1
                error, _ = try_load(path, other)
                if error is not None:
                    refused += 1
                    continue
                report = load_weights(other, path, strict=False)
                same = report.metadata == {"name": "flipped"} and not report.missing
                silent += fingerprint(other) != before or not same
    return Figure(silent, 0, f"{flips} flips, {refused} refused, the others without effect")


if __name__ == "__main__":
    script(measure)
