"""Test the dictionary that compares its keys by identity."""

import copy
import pickle
import weakref

import numpy as np

from dezero_core import Variable
from dezero_nn.identity import WeakIdentityDict

HOST = np.array([0.0, 1.0, np.nan], "f")


def test_weak_identity_dict_compares_identities_and_forgets() -> None:
    a, b = Variable(HOST), Variable(HOST)
    table = WeakIdentityDict([(a, "a"), (b, "b")])
    assert (table[a], table[b], len(table), list(table)) == ("a", "b", 2, [a, b])
    assert a in table and Variable(HOST) not in table and table.get(Variable(HOST)) is None
    for twin in (copy.copy(table), copy.deepcopy((a, b, table))[2]):
        assert sorted(twin.values()) == (["a", "b"] if a in twin else [])
    keys, twin = pickle.loads(pickle.dumps(([a, b], table)))
    assert [twin[key] for key in keys] == ["a", "b"] and a not in twin
    assert table.pop(a) == "a" and a not in table
    table[b] = "c"
    gone = weakref.ref(table)
    del b
    assert len(table) == 0 and table.setdefault(a, "d") == "d"
    del table
    assert gone() is None  # there is no cycle
