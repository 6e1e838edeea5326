import asyncio
import time

from dataset_script.translation.limit import AdaptiveLimit


def _run(main):
    return asyncio.run(main)


def test_no_more_than_allowed_are_in_flight():
    async def main():
        limit, most = AdaptiveLimit(3), 0

        async def work():
            nonlocal most
            async with limit.slot():
                most = max(most, limit.in_flight)
                await asyncio.sleep(0.005)

        await asyncio.gather(*(work() for _ in range(20)))
        return most, limit.in_flight

    assert _run(main()) == (3, 0)


def test_refusals_of_one_moment_halve_it_once_and_nothing_starts_before_the_time_named():
    async def main():
        limit = AdaptiveLimit(8)
        began = time.monotonic()
        for _ in range(5):
            limit.slow_down(0.2)
        halved = limit.allowed
        async with limit.slot():
            waited = time.monotonic() - began
        limit.slow_down(0)
        for _ in range(9):
            await asyncio.sleep(0.001)
            limit.slow_down(0)
        return halved, waited, limit.allowed

    halved, waited, least = _run(main())
    assert halved == 4 and waited >= 0.2
    assert least == 1  # never none


def test_answers_let_it_grow_again_to_where_it_was():
    async def main():
        limit = AdaptiveLimit(4)
        limit.slow_down(0)
        limit.allowed = 2.0
        seen = []
        for _ in range(20):
            limit.speed_up()
            seen.append(limit.allowed)
        return seen

    seen = _run(main())
    assert seen[0] == 2.5 and seen[-1] == 4.0 and sorted(seen) == seen
    assert 4 < sum(allowed < 4 for allowed in seen) < 8


def test_a_failure_inside_gives_the_place_back():
    async def main():
        limit = AdaptiveLimit(1)
        for _ in range(3):
            try:
                async with limit.slot():
                    raise ValueError
            except ValueError:
                pass
        async with limit.slot():
            return limit.in_flight

    assert _run(main()) == 1
