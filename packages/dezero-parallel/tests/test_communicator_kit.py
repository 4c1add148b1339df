"""Check that the kit of engines passes the engine of threads, and finds every planted fault."""

from typing import Any

import numpy as np
import pytest

from dezero_core.extend import Communicator
from dezero_parallel.threads import ThreadCommunicator, run_ranks
from dezero_testing import communicators
from dezero_testing.communicators import check_communicator, communicator_checks, report

Request = tuple[int, Any]


class SumsWithout(ThreadCommunicator):
    """The sum leaves out the last rank."""

    def wait(self, request: Request) -> None:
        request[1][...] = sum(self._take(request[0])[:-1])


class NotInPlace(ThreadCommunicator):
    """The sum is written to another array."""

    def wait(self, request: Request) -> None:
        super().wait((request[0], request[1].copy()))


class Mean(ThreadCommunicator):
    """The result is the mean, not the sum."""

    def wait(self, request: Request) -> None:
        super().wait(request)
        request[1][...] = request[1] / self.size


class BroadcastsLast(ThreadCommunicator):
    """The value of the last rank is sent."""

    def broadcast(self, value: object) -> Any:
        return self.gather(value)[-1]


class GathersBackwards(ThreadCommunicator):
    """The values come in the reverse order of the ranks."""

    def gather(self, value: object) -> list[Any]:
        return super().gather(value)[::-1]


class Truncates(ThreadCommunicator):
    """Long messages are cut."""

    def gather(self, value: object) -> list[Any]:
        return super().gather(value[: 1 << 20] if isinstance(value, bytes) else value)


class MixesRequests(ThreadCommunicator):
    """The oldest request is completed, whichever is waited for."""

    def start(self, array: Any) -> Request:
        request = super().start(array)
        self.__dict__.setdefault("open", []).append(request[0])
        return request

    def wait(self, request: Request) -> None:
        values = self._take(self.__dict__["open"].pop(0))
        request[1][...] = sum(values).reshape(-1)[0] if values[0].size else 0


class AddsInFloat32(ThreadCommunicator):
    """Numbers are added in float32."""

    def wait(self, request: Request) -> None:
        request[1][...] = sum(x.astype("float32") for x in self._take(request[0]))


class FirstMebibyte(ThreadCommunicator):
    """Only the first MiB of an array is summed."""

    def wait(self, request: Request) -> None:
        total = sum(self._take(request[0])).reshape(-1)
        count = (1 << 20) // total.itemsize
        request[1].reshape(-1)[:count] = total[:count]


class NeedsElements(ThreadCommunicator):
    """An empty array raises an error."""

    def start(self, array: Any) -> Request:
        assert not isinstance(array, np.ndarray) or array.size, "no elements"
        return super().start(array)


class CleansNumbers(ThreadCommunicator):
    """NaN and infinity become finite numbers."""

    def wait(self, request: Request) -> None:
        super().wait(request)
        np.nan_to_num(request[1], copy=False)


class OwnOrder(ThreadCommunicator):
    """Each rank adds its own array first."""

    def wait(self, request: Request) -> None:
        values = self._take(request[0])
        with np.errstate(all="ignore"):
            request[1][...] = sum(values[self.rank :] + values[: self.rank])


class AcceptsStrides(ThreadCommunicator):
    """An array with strides is accepted."""

    def start(self, array: Any) -> Request:
        if isinstance(array, np.ndarray) and array.dtype == "float64":
            return super().start(np.ascontiguousarray(array))[0], array
        return super().start(array)


class Blocks(ThreadCommunicator):
    """poll waits for the other ranks."""

    def poll(self, request: Request) -> None:
        with self._job.changed:
            call = self._job.calls.get(request[0])
            if call is not None:
                self._wait_for(lambda: call.values, "poll")


class Forgets(ThreadCommunicator):
    """departed() returns a rank only once."""

    def departed(self) -> tuple[int, int] | None:
        found = None if "told" in self.__dict__ else super().departed()
        if found is not None:
            self.__dict__["told"] = True
        return found


class LeavesAtOnce(ThreadCommunicator):
    """leave does not wait for the other ranks."""

    def _wait_for(self, present: Any, name: str) -> None:
        if name != "leave":
            super()._wait_for(present, name)


class WrongSize(ThreadCommunicator):
    """The size is that of the ranks up to this one."""

    def __init__(self, job: Any, rank: int) -> None:
        super().__init__(job, rank)
        self._all = self.size

    def gather(self, value: object) -> list[Any]:
        return super().gather(value if not isinstance(value, tuple) else (value[0], self.rank + 1))


PLANTED = {
    SumsWithout: "sum of 1 float32",
    NotInPlace: "sum of a part of a buffer",
    Mean: "sum of 1000 float64",
    BroadcastsLast: "broadcast",
    GathersBackwards: "gather",
    Truncates: "objects of 3 MiB",
    MixesRequests: "several requests",
    AddsInFloat32: "sum of 1000 int64",
    FirstMebibyte: "sum of 300000 float32",
    NeedsElements: "sum of 0 float16",
    CleansNumbers: "NaN and infinity",
    OwnOrder: "equal bits on all ranks",
    AcceptsStrides: "refused arrays",
    Blocks: "poll",
    Forgets: "leave and departed",
    LeavesAtOnce: "leave and departed",
    WrongSize: "rank and size",
}


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(communicators, "DELAY", 0.02)


@pytest.mark.parametrize("size", [1, 3])
def test_the_engine_of_threads_passes(size: int) -> None:
    results = run_ranks(size, check_communicator)
    names = [check.name for check in communicator_checks()]
    assert all([x.name for x in each] == names for each in results)
    assert [x for each in results for x in each if x.error] == []
    assert "sum of 0 float16: passed\n" in report(results[0], 0, size)
    assert size == 1 or report(results[1], 1, size) == ""


@pytest.mark.parametrize("planted", PLANTED, ids=lambda cls: cls.__name__)
def test_planted_faults_are_found(planted: type[ThreadCommunicator]) -> None:
    """Each fault fails the check that is named after it, on some rank."""

    def check(communicator: Communicator) -> Any:
        wrong = planted(communicator._job, communicator.rank)  # type: ignore[attr-defined]
        return check_communicator(wrong, names=[PLANTED[planted]])

    results = run_ranks(3, check)
    assert {x.name for each in results for x in each if x.error} == {PLANTED[planted]}
