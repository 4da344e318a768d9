"""Work for several threads at once, where the first failure ends it all and nothing is begun in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def in_parallel(work: Iterable[Callable[[], object]], threads: int, stop: threading.Event) -> None:
    """Do all of it in so many threads; the first failure stops the rest and is raised.

    :param stop: set when they shall leave off, also by an interruption of this thread.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="visionbatch") as pool:
        futures = [pool.submit(act) for act in work]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise


def each_in_parallel(items: Iterable[T], act: Callable[[T], object], threads: int) -> Iterator[T]:
    """Do something for each item in so many threads, without ever holding many; gives an item when it is done.

    The first failure is raised when those that are under way have ended; the rest is not begun.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="visionbatch") as pool:
        running: dict[Future[object], T] = {}
        try:
            for item in items:
                running[pool.submit(act, item)] = item
                if len(running) >= 2 * threads:
                    yield from _done(running)
            while running:
                yield from _done(running)
        finally:
            for future in running:
                future.cancel()


def _done(running: dict[Future[object], T]) -> list[T]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    found = []
    for future in done:
        item = running.pop(future)
        future.result()
        found.append(item)
    return found
