"""Slow and obvious versions of what the detectors do to all series at once: one series, one point at a time."""

import math

import numpy as np
from scipy import stats


def known(values):
    return [value for value in values if not math.isnan(value)]


def level(values, window, block):
    forecast = [math.nan] * len(values)
    for at in range(1, len(values)):
        begin = 1 + (at - 1) // block * block
        past = known(values[max(0, begin - window) : begin])
        forecast[at] = float(np.median(past)) if past else math.nan
    return forecast


def seasonal(values, period, cycles, min_cycles):
    forecast = []
    for at in range(len(values)):
        past = known(values[at - back * period] for back in range(1, cycles + 1) if at - back * period >= 0)
        forecast.append(float(np.median(past)) if len(past) >= min_cycles else math.nan)
    return forecast


def mean_before(values, window):
    means = []
    for at in range(len(values)):
        past = known(values[max(0, at - window) : at])
        means.append(sum(past) / len(past) if past else math.nan)
    return means


def best(values, forecasts, window):
    chosen = []
    for at in range(len(values)):
        least, value = math.inf, forecasts[0][at]
        for forecast in forecasts:
            errors = [
                math.sqrt(abs(values[j] - forecast[j]))
                for j in range(max(0, at - window), at)
                if not math.isnan(values[j] - forecast[j])
            ]
            if errors and not math.isnan(forecast[at]) and sum(errors) / len(errors) < least:
                least, value = sum(errors) / len(errors), forecast[at]
        chosen.append(value)
    return chosen


def tails(deviations, floor, stretches, *, gap=12):
    """One row of deviations, up to 512 points of past (no thinning)."""
    scores = [math.nan] * len(deviations)
    learned = list(deviations)
    for begin, end in stretches:
        past = learned[:begin]
        seen = sorted(known(past))
        if len(seen) < 50:
            continue
        threshold = seen[math.ceil(0.95 * len(seen)) - 1]
        at = [i for i, value in enumerate(past) if value > threshold]
        excess = [past[i] - threshold for i in at]
        mean = sum(excess) / len(excess) if excess else 0.0
        variance = sum(e * e for e in excess) / len(excess) - mean**2 if excess else 0.0
        clusters = sum(1 for n, i in enumerate(at) if n == 0 or i - at[n - 1] > gap)
        shape = min(max(0.5 * (1 - mean**2 / variance), 0.0), 0.5) if variance > 1e-12 else 0.0
        shape = max(shape * clusters / (clusters + 10), 1 / (clusters + 2))
        scale = max(mean, floor) * (1 - shape)
        share = (len(at) + 1) / (len(seen) + 2)
        for i in range(begin, end):
            if deviations[i] > threshold:
                beyond = math.log10(1 + shape * (deviations[i] - threshold) / scale) / shape
                scores[i] = min(-math.log10(share) + beyond, 30.0)
                most = threshold + scale * (10 ** (shape * (8 + math.log10(share))) - 1) / shape
                learned[i] = min(deviations[i], most)
            elif deviations[i] <= threshold:
                scores[i] = -math.log10(share) * min(deviations[i] / max(threshold, floor), 1.0)
    return scores


def z_scores(values, window, min_points):
    scores = []
    for at in range(len(values)):
        past = known(values[max(0, at - window) : at])
        if len(past) < min_points or math.isnan(values[at]):
            scores.append(math.nan)
            continue
        mean = sum(past) / len(past)
        spread = math.sqrt(sum((value - mean) ** 2 for value in past) / len(past))
        scores.append(abs(values[at] - mean) / max(spread, 0.005 * abs(mean), 1e-9))
    return scores


def held(scores, quiet):
    out = []
    for at, score in enumerate(scores):
        before = known(scores[max(0, at - quiet) : at])
        out.append(score if not math.isnan(score) and score > max([0.0, *before]) else 0.0)
    return out


def level_scores(values):
    """One row's first levels: the rank of the farthest, and the fourth power of the distance beyond it."""
    seen, scores, begin, end = [], [], 12, 14
    for value in values:
        if math.isnan(value):
            scores.append(math.nan)
            continue
        while len(seen) >= end:
            begin, end = end, math.ceil(end * 1.1)
        past = seen[:begin]
        seen.append(value)
        if len(past) < 12 or len(seen) > 160:
            scores.append(math.nan)
            continue
        centre = float(np.median(past))
        farthest = max(abs(other - centre) for other in past)
        distance = abs(value - centre)
        if farthest == 0:
            scores.append(math.log10(len(past) + 1) if distance else 0.0)
        elif distance <= farthest:
            scores.append(math.log10(len(past) + 1) * distance / farthest)
        else:
            scores.append(min(math.log10(len(past) + 1) + 4 * math.log10(distance / farthest), 30.0))
    return scores


def count_score(hits, exposure, past_hits, past_exposure, dispersion, freedom):
    """The chance of one count, given the sum of those before: negative binomial, by Student's t."""
    mean = (past_hits + 0.5) / past_exposure * exposure
    shape = 1.0 / ((dispersion - 1.0) / mean + 1.0 / (past_hits + 0.5))
    tail = stats.nbinom(shape, shape / (shape + mean))
    low = 2 * min(tail.cdf(hits), 1.0 - tail.cdf(hits - 1.0))
    return -math.log10(2 * stats.t(freedom).sf(stats.norm.isf(min(low, 1.0) / 2)))
