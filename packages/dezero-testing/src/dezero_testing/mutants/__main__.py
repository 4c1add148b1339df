"""Plant every fault in every function that DeZero uses, and report which the kit misses.

``python -m dezero_testing.mutants [FUNCTION ...]`` takes minutes. If it gets names of functions,
such as ``sum`` or ``backend.pad``, it plants faults only in these functions. ``--list`` also prints
the faults that changed no bit of any result. If the kit misses a wrong library, the exit status
is 1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from ..conformance.items import Item, all_items
from .library import library
from .plan import Mutant, Plan, make_plan, registered, runs


def catches(mutant: Mutant, items: list[Item]) -> str | None:
    """Return the id of the first test that fails with a mutant, or None."""

    def hook(name: str, function: Callable[..., Any], arguments: Any, settings: Any) -> Any:
        if name == mutant.function:
            return mutant.fault.run(function, arguments, settings)
        return function(*arguments, **settings)

    library.hook = hook
    return next((item.id for item in items if not runs(item)), None)


def report(plan: Plan, functions: list[str], listing: bool) -> bool:
    """Test the mutants of some functions, or of all; print the result; return whether all fail."""
    mutants = [m for m in plan.items if not functions or m.function in functions]
    effective = [m for m in mutants if plan.items[m]]
    missed = [m for m in effective if catches(m, plan.items[m]) is None]
    for mutant in missed:
        print(f"missed: {mutant.name} (changes a result in {plan.items[mutant][0].id})")
    for mutant in mutants if listing else []:
        if not plan.items[mutant]:
            print(f"no effect in any call: {mutant.name}")
    print(f"caught {len(effective) - len(missed)} of {len(effective)} wrong libraries")
    print(f"{len(mutants) - len(effective)} other faults changed no bit of any result")
    return not missed


def main() -> int:
    """Make the plan, and print the report."""
    start = time.perf_counter()
    functions = [word for word in sys.argv[1:] if word != "--list"]
    with registered():
        plan = make_plan(all_items())
        if plan.broken:
            print(f"tests that fail without a fault: {', '.join(plan.broken)}")
            return 1
        print(f"recorded and planned in {time.perf_counter() - start:.0f} s", flush=True)
        passed = report(plan, functions, "--list" in sys.argv)
    print(f"finished after {time.perf_counter() - start:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
