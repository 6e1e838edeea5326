"""Invented sessions whose true scores are known: what intervals have to cover."""

import numpy as np

from kemer.session_sums import (
    CENTRE,
    SessionSums,
    Statistic,
    concordance_from_sums,
    macro_f1_from_sums,
    mean_from_sums,
)


def _whole(statistic: Statistic, sizes: np.ndarray, columns: list[np.ndarray]) -> SessionSums:
    """Return sums of whole sessions, (1, sessions, columns)."""
    sums = np.column_stack(columns)[None].astype(float)
    return SessionSums(statistic, tuple(range(len(sizes))), None, sizes, sums)


def draw_exact_matches(generator: np.random.Generator, sessions: int) -> tuple[SessionSums, float]:
    """Sessions of unequal size whose rates differ (sd .08), and the true rate."""
    truth, sizes = 0.6, generator.integers(40, 80, sessions)
    rates = generator.normal(truth, 0.08, sessions).clip(0, 1)
    return _whole(mean_from_sums, sizes, [generator.binomial(sizes, rates), sizes]), truth


def draw_decisions(generator: np.random.Generator, sessions: int) -> tuple[SessionSums, float]:
    """Decisions on seven emotions whose share and recall differ by session; the true macro-F1."""
    share = np.array([0.06, 0.12, 0.05, 0.42, 0.11, 0.07, 0.17])
    recall = np.array([0.3, 0.5, 0.2, 0.8, 0.5, 0.3, 0.6])
    alarm = np.array([0.03, 0.06, 0.03, 0.25, 0.05, 0.03, 0.06])
    in_session = [
        generator.beta(mean * size, (1 - mean) * size, (sessions, 7))
        for mean, size in ((share, 40), (recall, 15), (alarm, 30))
    ]
    sizes = generator.integers(60, 140, sessions)
    present = generator.binomial(sizes[:, None], in_session[0])
    hits = generator.binomial(present, in_session[1])
    false_alarms = generator.binomial(sizes[:, None] - present, in_session[2])
    sums = _whole(macro_f1_from_sums, sizes, [hits, false_alarms, present - hits])
    doubled = 2 * share * recall
    wrong = (1 - share) * alarm + share * (1 - recall)
    return sums, float(np.mean(doubled / (doubled + wrong)))


def draw_ratings(generator: np.random.Generator, sessions: int) -> tuple[SessionSums, float]:
    """Ratings and predictions with an offset of each session, and the true CCC."""
    items, offset = 80, generator.normal(0, 0.25, (sessions, 1))
    deviation = generator.normal(0, 0.7, (sessions, items))
    r = offset + deviation
    p = 0.1 + 0.4 * offset + generator.normal(0, 0.2, (sessions, 1)) + 0.5 * deviation
    p += generator.normal(0, 0.4, (sessions, items))
    r, p = r + 3 - CENTRE, p + 3 - CENTRE
    sums = [p.sum(1), r.sum(1), (p**2).sum(1), (r**2).sum(1), (p * r).sum(1)]
    sizes = np.full(sessions, items)
    covariance = 0.4 * 0.25**2 + 0.5 * 0.7**2
    variances = 0.25**2 + 0.7**2 + 0.4**2 * 0.25**2 + 0.2**2 + 0.5**2 * 0.7**2 + 0.4**2
    truth = 2 * covariance / (variances + 0.1**2)
    return _whole(concordance_from_sums, sizes, [sizes, *sums]), truth


def draw_scripts(
    generator: np.random.Generator, sessions: int, scripts: int
) -> tuple[SessionSums, float]:
    """Exact matches of sessions that all play the same scripts; sessions and scripts differ."""
    truth, items = 0.6, 20
    rates = truth + generator.normal(0, 0.04, (sessions, 1)) + generator.normal(0, 0.08, scripts)
    rates = (rates + generator.normal(0, 0.05, (sessions, scripts))).clip(0, 1)
    sizes = np.full(sessions * scripts, items)
    sums = np.column_stack([generator.binomial(items, rates).ravel(), sizes])[None].astype(float)
    places = np.divmod(np.arange(sessions * scripts), scripts)
    return SessionSums(mean_from_sums, *(tuple(p.tolist()) for p in places), sizes, sums), truth
