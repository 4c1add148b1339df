"""Check how many threads each rank of a host uses."""

from types import SimpleNamespace

import pytest

from dezero_parallel import cores

# The cores that each of the ranks may use, as (host, cores), and the threads of the first rank.
HOSTS = {
    "two ranks on four cores": ([("a", [0, 1, 2, 3])] * 2, 2),
    "three ranks on four cores": ([("a", [0, 1, 2, 3])] * 3, 1),
    "more ranks than cores": ([("a", [0, 1])] * 3, 1),
    "each rank bound to two cores": ([("a", [0, 1]), ("a", [2, 3])], 2),
    "two hosts": ([("a", [0, 1]), ("b", [0, 1])], 2),
}


@pytest.mark.parametrize("case", HOSTS)
def test_ranks_split_the_cores_of_their_host(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks, threads = HOSTS[case]
    set_to: list[int] = []
    for name in cores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for function in ("set_blas_threads", "set_num_threads"):
        monkeypatch.setattr(cores, function, set_to.append)
    monkeypatch.setattr(cores, "usable_cores", lambda: ranks[0][1])
    collectives = SimpleNamespace(host=ranks[0][0], gather=lambda place, value: ranks)
    cores.split_cores(collectives)
    assert set_to == [threads, threads]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cores.split_cores(collectives)
    assert set_to == [threads, threads], "the user's number is kept"
