"""Test Config: defaults of the process, and overrides per thread and task."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from dezero_core import Config, no_grad, precision, test_mode, using_config
from dezero_core.errors import ArgumentError, UnknownName


def test_blocks_override_and_restore() -> None:
    assert Config.enable_backprop
    assert Config.train
    with no_grad(), test_mode():
        assert not Config.enable_backprop
        assert not Config.train
        with using_config("train", True):
            assert Config.train
        assert not Config.train
    assert Config.enable_backprop
    assert Config.train
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert Config.enable_backprop


def test_assignment_sets_the_default_of_the_process() -> None:
    seen = []
    with using_config("train", True):
        Config.train = False
        try:
            assert Config.train, "this context has its own value"
            thread = threading.Thread(target=lambda: seen.append(Config.train))
            thread.start()
            thread.join()
        finally:
            Config.train = True
    assert seen == [False]


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(
        UnknownName, match=r"'trian'; there are enable_backprop, exact, float32_precision, train"
    ) as caught:
        using_config("trian", False)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(AttributeError):
        Config.trian = False


def test_a_flag_is_true_or_false() -> None:
    wrong: Any
    for wrong in ("no", None, 2, [True]):
        with pytest.raises(ArgumentError, match="train: .*; expected True or False"):
            Config.train = wrong
        with pytest.raises(ArgumentError, match="train: .*; expected True or False"):
            using_config("train", wrong)
    with using_config("train", np.bool_(False)):
        assert Config.train is False


def test_the_precision_of_float32_is_one_of_three_names() -> None:
    with precision("tf32"), precision("exact"), precision("fast"):
        assert Config.float32_precision == "tf32"
        with using_config("float32_precision", "float32"):
            assert Config.float32_precision == "float32"
    wrong: Any
    for wrong in ("fp32", True, None, 16, ["tf32"]):
        message = "is not one of 'float32', 'tf32', 'bf16'"
        with pytest.raises(ArgumentError, match=f"float32_precision: .* {message}"):
            Config.float32_precision = wrong
        with pytest.raises(ArgumentError, match=message):
            using_config("float32_precision", wrong)
        with pytest.raises(ArgumentError, match="precision: .* is none of 'exact', .* 'bf16'"):
            precision(wrong)
    assert Config.float32_precision == "float32"


def test_decorated_functions_may_call_themselves() -> None:
    @no_grad()
    def depth(n: int) -> int:
        assert not Config.enable_backprop
        return n and depth(n - 1)

    assert depth(3) == 0
    assert Config.enable_backprop


def test_a_block_in_one_thread_is_not_seen_by_another() -> None:
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            with no_grad():
                pass

    threads = [threading.Thread(target=flip) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(Config.enable_backprop for _ in range(100_000))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_tasks_have_their_own_values() -> None:
    async def one(value: bool) -> bool:
        with using_config("train", value):
            await asyncio.sleep(0)
            return Config.train

    async def both() -> list[bool]:
        return await asyncio.gather(one(False), one(True))

    assert asyncio.run(both()) == [False, True]
