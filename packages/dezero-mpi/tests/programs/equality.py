"""Train by one process and by all ranks; rank 0 prints the differences of the weights as JSON.

The argument is the number of steps. The keys of the result are the rows of the table; a key of the
form "... losses" has the largest difference of a loss.
"""

import hashlib
import json
import sys
from pathlib import Path

from dezero_parallel import Alone, world

sys.path.append(str(Path(__file__).parents[3] / "dezero-parallel" / "tests"))
from programs import MODELS, OPTIMIZERS, distance, made, train


def main(steps: int) -> None:
    ranks = world(force=True)
    table = {}
    for model, kind in MODELS.items():
        for optimizer, new in OPTIMIZERS.items():
            for shard in (False, True):
                alone, losses = train(Alone(), made(kind), new(), steps)
                mine = made(kind, ranks.rank)  # the weights of rank 0 count
                found, means = train(ranks, mine, new(), steps, shard=shard)
                digest = hashlib.sha256(b"".join(x.tobytes() for x in found.values())).digest()
                digests = ranks.collectives.gather("comparing weights", digest)
                row = f"{model} {optimizer}{' sharded' if shard else ''}"
                assert len(set(digests)) == 1, f"{row}: the ranks differ"
                table[row] = distance(found, alone)
                table[f"{row} losses"] = max(abs(a - b) for a, b in zip(means, losses, strict=True))
    if ranks.rank == 0:
        print(json.dumps(table), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
