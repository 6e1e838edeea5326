import doctest

import numpy as np
import pytest

from kemer import augmentation
from kemer.augmentation import Augmentation

RATE = 16_000


def tone(hertz: float = 400.0, *, seconds: float = 0.5) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype("f4")


def change(settings: Augmentation, samples: np.ndarray, **key: object) -> np.ndarray:
    return settings(samples, **{"rate": RATE, "seed": 0, "epoch": 0, "row_id": "a", **key})


def loudest_hertz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


def test_without_a_setting_nothing_changes() -> None:
    assert not Augmentation()
    assert (change(Augmentation(), tone()) == tone()).all()


def test_seed_epoch_and_id_alone_decide() -> None:
    settings = Augmentation(speed=0.1, gain=6.0, noise=10.0)
    first = change(settings, tone())
    np.random.seed(1)  # what is drawn elsewhere has no say
    assert np.array_equal(first, change(settings, tone()))
    for other in ({"seed": 1}, {"epoch": 1}, {"row_id": "b"}):
        assert not np.array_equal(first, change(settings, tone(), **other))
    assert first.dtype == np.float32


def test_three_speeds_are_drawn_about_equally_often_and_move_the_pitch() -> None:
    found = [change(Augmentation(speed=0.1), tone(), epoch=epoch) for epoch in range(300)]
    lengths = [len(samples) for samples in found]
    expected = {round(8000 / pace): pace for pace in (0.9, 1.0, 1.1)}
    assert set(lengths) <= {length + 1 for length in expected} | set(expected)
    for length, pace in expected.items():
        some = [samples for samples in found if abs(len(samples) - length) <= 1]
        assert 70 <= len(some) <= 130
        assert loudest_hertz(some[0]) == pytest.approx(400 * pace, abs=4)


def test_the_gain_is_within_its_range() -> None:
    power = (tone() ** 2).mean()
    changes = [
        10 * np.log10((change(Augmentation(gain=6.0), tone(), epoch=epoch) ** 2).mean() / power)
        for epoch in range(200)
    ]
    assert min(changes) == pytest.approx(-6, abs=0.3) and max(changes) == pytest.approx(6, abs=0.3)
    assert np.mean(changes) == pytest.approx(0, abs=0.7)
    assert np.abs(change(Augmentation(gain=40.0), tone() * 4.9, epoch=1)).max() <= 1.0


def test_the_noise_has_the_ratio_asked_for() -> None:
    ratios = []
    for epoch in range(200):
        noise = change(Augmentation(noise=10.0), tone(), epoch=epoch) - tone()
        ratios.append(10 * np.log10((tone() ** 2).mean() / (noise**2).mean()))
    assert min(ratios) == pytest.approx(10, abs=0.5) and max(ratios) == pytest.approx(30, abs=0.5)


def test_silence_stays_silence() -> None:
    silence = np.zeros(4000, dtype=np.float32)
    changed = change(Augmentation(speed=0.1, gain=6.0, noise=0.0), silence)
    assert len(changed) > 3000 and not changed.any()


def test_one_setting_does_not_change_what_another_draws() -> None:
    for epoch in range(20):
        alone = change(Augmentation(speed=0.1), tone(), epoch=epoch)
        beside = change(Augmentation(speed=0.1, noise=80.0), tone(), epoch=epoch)
        assert len(alone) == len(beside) and np.allclose(alone, beside, atol=1e-3)


def test_examples_in_docstrings_are_true() -> None:
    results = doctest.testmod(augmentation)
    assert results.attempted > 0 and results.failed == 0
