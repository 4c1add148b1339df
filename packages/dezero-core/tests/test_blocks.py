"""Test that every block is a context manager and a decorator, and restores its setting."""

import asyncio
import contextvars
import copy
import gc
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import pytest

from dezero_core import (
    Config,
    Function,
    Variable,
    detect_anomaly,
    inherit,
    no_grad,
    precision,
    test_mode,
    using_config,
)
from dezero_core.anomaly import detecting
from dezero_core.backends import kernels
from dezero_core.config import _settings
from dezero_core.errors import CallError
from dezero_core.extend import kernel_log, on_grad_ready
from dezero_core.functions import sin
from dezero_core.grad_ready import grad_ready

Block = tuple[Callable[[], Any], Callable[[], bool]]
BLOCKS: dict[str, Block] = {
    "no_grad": (no_grad, lambda: not Config.enable_backprop),
    "test_mode": (test_mode, lambda: not Config.train),
    "using_config": (lambda: using_config("train", False), lambda: not Config.train),
    "precision": (lambda: precision("exact"), lambda: Config.exact),
    "precision bf16": (lambda: precision("bf16"), lambda: Config.float32_precision == "bf16"),
    "detect_anomaly": (detect_anomaly, detecting),
    "kernel_log": (kernel_log, lambda: kernels._log.get() is not None),
    "on_grad_ready": (lambda: on_grad_ready(print), lambda: grad_ready.get() is not None),
}


@pytest.fixture(params=BLOCKS)
def block(request: pytest.FixtureRequest) -> Block:
    return BLOCKS[request.param]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Any:
    yield
    assert [name for name, (_, active) in BLOCKS.items() if active()] == []


def test_functions_and_methods(block: Block) -> None:
    make, active = block

    class Decorated:
        @make()
        def method(self, n: int = 2) -> bool:
            return active() and (n == 0 or self.method(n - 1))

        @make()
        @classmethod
        def class_above(cls) -> bool:
            return cls is Decorated and active()

        @classmethod
        @make()
        def class_below(cls) -> bool:
            return cls is Decorated and active()

        @make()
        @staticmethod
        def static(x: int) -> bool:
            return x == 1 and active()

    one = Decorated()
    assert one.method() and one.class_above() and one.class_below() and one.static(1)
    assert not active()
    assert make()(lambda: active())()
    with pytest.raises(ZeroDivisionError):
        make()(lambda: 1 / 0)()
    assert not active()


def test_a_generator_holds_the_block_while_its_body_runs(block: Block) -> None:
    make, active = block
    closed = []

    @make()
    def numbers(stop: int) -> Any:
        """Count."""
        try:
            received = yield active()
            with suppress(KeyError):
                yield received, active()
            yield "caught", active()
            return stop
        finally:
            closed.append(active())

    assert inspect.isgeneratorfunction(numbers) and numbers.__doc__ == "Count."
    items = numbers(3)
    assert next(items) is True and not active()
    assert items.send(5) == (5, True) and not active()
    assert items.throw(KeyError) == ("caught", True) and not active()
    with pytest.raises(StopIteration) as stop:
        next(items)
    assert stop.value.value == 3
    abandoned = numbers(0)
    next(abandoned)
    abandoned.close()
    assert closed == [True, True]
    assert list(make()(lambda: (active() for _ in range(2)))()) == [True, True]


def test_coroutines_and_asynchronous_generators(block: Block) -> None:
    make, active = block

    @make()
    async def work() -> bool:
        before = active()
        await asyncio.sleep(0)
        return before and active()

    @make()
    async def items() -> Any:
        received = yield active()
        await asyncio.sleep(0)
        with suppress(KeyError):
            yield received, active()
        yield "caught", active()

    async def main() -> list[Any]:
        both = await asyncio.gather(work(), work())
        seen: list[Any] = [*both, active()]
        running = items()
        seen += [await anext(running), active(), await running.asend(5)]
        seen += [await running.athrow(KeyError), active()]
        await running.aclose()
        seen += [item async for item in items()][:1]
        async for _ in items():
            break  # closed later, in a task of the event loop
        return seen

    assert inspect.iscoroutinefunction(work) and inspect.isasyncgenfunction(items)
    expected = [True, True, False, True, False, (5, True), ("caught", True), False, True]
    assert asyncio.run(main()) == expected
    by_hand = work()
    by_hand.send(None)
    assert not active(), "between two steps of a coroutine"
    by_hand.close()


def test_one_instance_entered_many_times(block: Block) -> None:
    make, active = block
    one = make()
    with one:
        with one:
            assert active()
        assert active()
    assert not active()
    with one:
        assert active()
    a, b = make(), make()
    a.__enter__()
    b.__enter__()
    a.__exit__(None, None, None)
    assert active()
    b.__exit__(None, None, None)
    assert not active()


def test_one_instance_in_two_threads_and_two_tasks(block: Block) -> None:
    make, active = block
    one, both, seen = make(), threading.Barrier(2), []

    def thread() -> None:
        with one:
            both.wait()
            seen.append(active())
        both.wait()
        seen.append(not active())

    threads = [threading.Thread(target=thread) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen == [True] * 4

    async def task(steps: int) -> bool:
        with one:
            for _ in range(steps):
                await asyncio.sleep(0)
            inside = active()
        return inside and not active()

    async def main() -> list[bool]:
        return await asyncio.gather(task(1), task(3), task(2))

    assert asyncio.run(main()) == [True] * 3


def in_thread(function: Callable[[], Any]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def in_copy(function: Callable[[], Any]) -> None:
    contextvars.copy_context().run(function)


def in_place(function: Callable[[], Any]) -> None:
    function()


@pytest.mark.parametrize("start", [in_thread, in_copy, in_place])
@pytest.mark.parametrize("stop", [in_thread, in_copy, in_place])
def test_a_block_may_be_exited_in_another_thread(block: Block, start: Any, stop: Any) -> None:
    make, active = block

    def suspended_inside() -> Any:
        with make():
            yield

    items = suspended_inside()
    start(lambda: next(items))
    stop(items.close)
    assert not active()


def test_an_asynchronous_generator_closed_by_the_loop(block: Block) -> None:
    make, active = block

    async def suspended_inside() -> Any:
        with make():
            yield

    async def main() -> bool:
        async for _ in suspended_inside():
            break
        gc.collect()
        await asyncio.sleep(0.001)
        return active()

    assert not asyncio.run(main())


def test_a_task_started_inside_keeps_the_block(block: Block) -> None:
    make, active = block

    async def main() -> bool:
        async def late() -> bool:
            await asyncio.sleep(0)
            return active()

        with make():
            task = asyncio.create_task(late())
        return await task

    assert asyncio.run(main())


@pytest.mark.parametrize("name", ["no_grad", "test_mode", "detect_anomaly"])
def test_without_parentheses(name: str) -> None:
    make, active = BLOCKS[name]
    assert make(lambda: active())()  # type: ignore[call-arg]
    with pytest.raises(CallError, match=rf"{name}\(\) takes no arguments.*got False"):
        make(False)  # type: ignore[call-arg]


def test_decorating_a_non_function_raises() -> None:
    for thing in (type("Model", (), {}), 3, property(lambda self: 1)):
        with pytest.raises(CallError, match="decorates functions and methods"):
            no_grad()(thing)
    with pytest.raises(CallError, match="int is neither"):
        on_grad_ready(lambda x: 1)(3)
    with pytest.raises(TypeError, match="value"):
        using_config("train")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="none of 'exact', 'fast', 'float32'"):
        precision(lambda: 1)
    with pytest.raises(RuntimeError, match="exited more often"):
        no_grad().__exit__(None, None, None)


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def entries() -> list[Any]:
    """Return the entries of all blocks in this context."""
    return [entry for setting in _settings for entry in setting.entries.get()]


def inside(make: Callable[[], Any]) -> Iterator[None]:
    with make():
        yield


class Node:
    """An object in a reference cycle, which the garbage collector frees."""


@pytest.mark.parametrize("threshold", [37, 700])
def test_generators_closed_by_the_collector_at_any_moment(block: Block, threshold: int) -> None:
    make, active = block
    before = gc.get_threshold()
    gc.set_threshold(threshold)
    try:
        for _ in range(150):
            node: Any = Node()
            node.itself, node.items = node, inside(make)
            next(node.items)
            del node
            with make():
                assert active()
    finally:
        gc.set_threshold(*before)
        gc.collect()
    assert not active() and entries() == []


def test_closing_generators_elsewhere_leaks_no_entries(
    block: Block, worker: ThreadPoolExecutor
) -> None:
    make, active = block
    for start, stop in [(worker.submit, None), (None, worker.submit), (None, None)]:
        for _ in range(50):
            items = inside(make)
            _ = start(next, items).result() if start else next(items)
            _ = stop(items.close).result() if stop else items.close()
    assert not worker.submit(active).result() and worker.submit(entries).result() == []
    assert not active() and entries() == []


def test_generators_closed_in_any_order(block: Block) -> None:
    make, active = block
    one = make()
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        for blocks in ([one] * 3, [make(), make(), make()]):
            opened = [inside(lambda block=block: block) for block in blocks]
            for items in opened:
                next(items)
            for number in order:
                assert active()
                opened[number].close()
            assert not active() and entries() == []


def test_a_block_shared_with_a_generator_of_another_thread(
    block: Block, worker: ThreadPoolExecutor
) -> None:
    make, active = block
    one = make()
    items = inside(lambda: one)
    worker.submit(next, items).result()
    with one:
        items.close()
        assert active(), "the generator's entry has ended, not this one"
        assert not worker.submit(active).result()
    assert not active()


def test_each_entry_of_one_instance_has_its_own_value() -> None:
    log = kernel_log()
    lists: list[Any] = []

    def logged() -> Iterator[None]:
        with log as ran:
            lists.append(ran)
            yield

    first, second = logged(), logged()
    next(first), next(second)
    first.close()
    assert kernels._log.get() is lists[1]
    second.close()


def test_a_stack_of_blocks(block: Block) -> None:
    make, active = block
    one = make()
    with ExitStack() as stack:
        for each in (one, make(), one):
            stack.enter_context(each)
        with one:
            assert active()
        assert active()
        left = stack.pop_all()
        assert active()
    assert active()
    left.close()
    assert not active() and entries() == []


def test_a_copy_of_a_block_has_not_been_entered(block: Block) -> None:
    make, active = block
    one = make()
    with one:
        twins = copy.copy(one), copy.deepcopy(one)
        for twin in twins:
            with pytest.raises(RuntimeError, match="exited more often"):
                twin.__exit__(None, None, None)
    for twin in twins:
        with twin:
            assert active()


def in_executor(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def by_map(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: function(), range(2))
    assert first == second
    return first


def as_target(function: Callable[[], Any]) -> Any:
    seen: list[Any] = []
    in_thread(lambda: seen.append(function()))
    return seen[0]


def in_event_loop(function: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function)

    return asyncio.run(main())


@pytest.mark.parametrize("call", [in_executor, by_map, as_target, in_event_loop])
def test_an_inheriting_function_runs_in_the_blocks_of_its_caller(block: Block, call: Any) -> None:
    make, active = block
    with make():
        function = inherit(active)
        assert not call(active)
        assert call(function)
    assert call(function) and call(function), "the block of the caller may have ended"
    assert not active()
    with make():
        assert not call(lambda: inherit(active)()), "that thread is in no block"


def test_an_inheriting_function_ignores_the_blocks_of_its_thread(block: Block) -> None:
    make, active = block
    function = inherit(active)
    with make():
        assert not function() and active()
        inner = inherit(lambda: (active(), function(), inherit(active)()))
    assert inner() == (True, False, True)


def test_an_inheriting_function_runs_in_many_threads_at_once(block: Block) -> None:
    make, active = block
    all_four = threading.Barrier(4)

    def work() -> bool:
        all_four.wait(10)
        with make():
            inner = active()
        return inner and active() and function.__wrapped__ is work  # type: ignore[attr-defined]

    with make():
        function = inherit(work)
    with ThreadPoolExecutor(4) as pool:
        assert [f.result() for f in [pool.submit(function) for _ in range(4)]] == [True] * 4
        assert not any(f.result() for f in [pool.submit(active) for _ in range(4)])


def test_an_inheriting_function_keeps_the_block_of_a_closed_generator(
    block: Block, worker: ThreadPoolExecutor
) -> None:
    make, active = block

    def functions() -> Iterator[Any]:
        with make():
            yield inherit(active)

    opened = functions()
    function = next(opened)
    worker.submit(opened.close).result()
    assert function() and worker.submit(function).result()
    assert not active()


def test_generators_and_coroutines_inherit(block: Block, worker: ThreadPoolExecutor) -> None:
    make, active = block

    def items() -> Iterator[bool]:
        yield active()
        yield active()

    async def work() -> bool:
        before = active()
        await asyncio.sleep(0)
        return before and active()

    async def stream() -> Any:
        yield active()
        await asyncio.sleep(0)
        yield active()

    async def main() -> list[bool]:
        return [await working(), *[item async for item in streaming()]]

    with make():
        generating, working, streaming = inherit(items), inherit(work), inherit(stream)
        returning = inherit(lambda: items())
    assert worker.submit(list, generating()).result() == [True, True]
    assert list(returning()) == [True, True]
    assert asyncio.run(main()) == [True, True, True]


def test_inherit_refuses_a_value_that_is_not_callable() -> None:
    with pytest.raises(CallError, match=r"inherit: int is not callable; .*inherit\(f\), x\)"):
        inherit(3)  # type: ignore[type-var]


def test_a_backward_inherits_its_mode(worker: ThreadPoolExecutor) -> None:
    class Scale(Function):
        def forward(self, x: Any) -> Any:
            return 3 * x

        def backward(self, gy: Any) -> Any:
            return worker.submit(inherit(lambda: gy * 3 * sin(0 * self.inputs[0] + 1.0))).result()

    x = Variable(np.ones(2))
    for create_graph in (False, True):
        x.cleargrad()
        Scale()(x).backward(create_graph=create_graph)
        assert np.allclose(x.grad.data, 3 * np.sin(1.0))


def test_numpys_settings_are_inherited(worker: ThreadPoolExecutor) -> None:
    with np.errstate(divide="raise"):
        function = inherit(lambda: np.float64(1) / np.float64(0))
    with pytest.raises(FloatingPointError):
        worker.submit(function).result()
