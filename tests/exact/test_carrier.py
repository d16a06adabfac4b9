"""Payloads come back, content stays, and the price is what is said."""

from __future__ import annotations

import numpy as np
import pytest

from imuge_cli.exact.carrier import PROFILES, Profile, read_payload, write_payload


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: str(profile.number))
def test_a_payload_comes_back_and_content_stays(profile: Profile) -> None:
    rng = np.random.default_rng(profile.number)
    kind = np.uint8 if profile.depth == 8 else np.uint16
    samples = rng.integers(0, np.iinfo(kind).max + 1, (9, profile.channels, 16, 16)).astype(kind)
    samples[0], samples[1] = 0, np.iinfo(kind).max
    payload = rng.integers(0, 256, (9, profile.capacity), dtype=np.uint8)
    filler = rng.integers(0, 256, (9, 16), dtype=np.uint8)
    content = profile.content(samples)
    written = write_payload(content, payload, filler, profile)
    assert written.dtype == kind and (read_payload(written, profile) == payload).all()
    assert (profile.content(written) == content).all()
    # White has no content of its own in base three.
    assert np.abs(written.astype(int) - samples).max() <= max(profile.bases) - (3 not in profile.bases)


def test_capacities_and_slots() -> None:
    assert [(p.capacity, p.slots) for p in PROFILES] == [(96, 11), (48, 5), (384, 47), (128, 15), (112, 13), (128, 15)]


@pytest.mark.parametrize(("number", "cost"), [(0, 0.5), (4, (2 * 0.5 + 4 / 3) / 3), (5, (0.5 + 2 * 4 / 3) / 3)])
def test_what_it_costs(number: int, cost: float) -> None:
    rng = np.random.default_rng(0)
    profile = next(p for p in PROFILES if p.number == number)
    samples = rng.integers(0, 250, (200, 3, 16, 16)).astype(np.uint8)
    payload = rng.integers(0, 256, (200, profile.capacity), dtype=np.uint8)
    written = write_payload(profile.content(samples), payload, payload[:, :16], profile)
    assert np.mean((written.astype(float) - samples) ** 2) == pytest.approx(cost, rel=0.03)


def test_digits_of_base_three_are_nearly_uniform() -> None:
    profile = PROFILES[5]
    payload = np.random.default_rng(1).integers(0, 256, (400, profile.capacity), dtype=np.uint8)
    written = write_payload(np.full((400, 3, 16, 16), 40), payload, payload[:, :16], profile)
    shares = np.bincount((written[:, 2] % 3).ravel(), minlength=3) / written[:, 2].size
    assert np.abs(shares - 1 / 3).max() < 0.02
