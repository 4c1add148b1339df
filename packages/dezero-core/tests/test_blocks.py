"""Test that every block is a context manager and a decorator, and restores its setting."""

import asyncio
import contextvars
import gc
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from dezero_core import Config, detect_anomaly, no_grad, precision, test_mode, using_config
from dezero_core.anomaly import detecting
from dezero_core.backends import kernels
from dezero_core.engine import _grad_ready
from dezero_core.errors import CallError
from dezero_core.extend import kernel_log, on_grad_ready

Block = tuple[Callable[[], Any], Callable[[], bool]]
BLOCKS: dict[str, Block] = {
    "no_grad": (no_grad, lambda: not Config.enable_backprop),
    "test_mode": (test_mode, lambda: not Config.train),
    "using_config": (lambda: using_config("train", False), lambda: not Config.train),
    "precision": (lambda: precision("exact"), lambda: Config.exact),
    "detect_anomaly": (detect_anomaly, detecting),
    "kernel_log": (kernel_log, lambda: kernels._log.get() is not None),
    "on_grad_ready": (lambda: on_grad_ready(print), lambda: _grad_ready.get() is not None),
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
def test_a_block_entered_here_and_left_there(block: Block, start: Any, stop: Any) -> None:
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


def test_what_cannot_be_decorated_is_refused() -> None:
    for thing in (type("Model", (), {}), 3, property(lambda self: 1)):
        with pytest.raises(CallError, match="decorates functions and methods"):
            no_grad()(thing)
    with pytest.raises(CallError, match="int is neither"):
        on_grad_ready(lambda x: 1)(3)
    with pytest.raises(TypeError, match="value"):
        using_config("train")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="neither 'exact' nor 'fast'"):
        precision(lambda: 1)
    with pytest.raises(RuntimeError, match="exited more often"):
        no_grad().__exit__(None, None, None)
