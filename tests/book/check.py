"""Run the observations on the book's own framework: `hatch run book:check`.

First a training step must be healthy there, so that nothing fails because all does. Then every
defect must give exactly what `defects.toml` says it gives, which is not what is right, and
everything that is kept must be right there too.
"""

import sys
from importlib.metadata import version

import numpy as np

vars(np)["int"] = int  # the book's framework needs np.int; import_on_numpy_2 tests without it

import observations
from outcomes import items, outcome

import dezero


def training_is_healthy():
    """Fit a line in twenty steps: the loss falls, and every parameter changes."""
    np.random.seed(0)
    x = np.random.rand(50, 1)
    model = dezero.models.MLP((10, 1))
    optimizer = dezero.optimizers.SGD(0.2).setup(model)
    model(x)
    before = [p.data.copy() for p in model.params()]
    losses = []
    for _ in range(20):
        loss = dezero.functions.mean_squared_error(model(x), 2 * x)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    moved = all((p.data != old).any() for p, old in zip(model.params(), before, strict=True))
    return moved and losses[-1] < losses[0] / 2


def main():
    where = dezero.__file__
    if version("dezero") != "0.0.13" or hasattr(dezero, "Buffer"):
        sys.exit(f"expected the book's framework, dezero 0.0.13; found {where}")
    if not training_is_healthy():
        sys.exit("a training step is not healthy on the book's framework: nothing can be told")
    wrong = 0
    for item in items("defect", "kept"):
        expected = item["book"] if item["kind"] == "defect" else item["right"]
        got = outcome(getattr(observations, item["name"]))
        wrong += got != expected
        mark = "as recorded" if got == expected else f"EXPECTED {expected}"
        print(f"{item['kind']:7} {item['name']:46} {got}  {mark}")
    print(f"\n{len(items('defect'))} defects, {len(items('kept'))} kept, {wrong} not as recorded")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
