"""Whether the places at which processes are killed are still where they are named."""

from __future__ import annotations

import pytest

from tests.faults import failpoints, strikes


@pytest.mark.parametrize("place", failpoints.GATEWAY | failpoints.RECORDER)
def test_a_place_is_a_function_of_the_product(place: str) -> None:
    owner, function, _ = (failpoints.GATEWAY | failpoints.RECORDER)[place]
    assert callable(getattr(owner, function))


def test_both_sides_name_the_adoption_alike() -> None:
    assert strikes.ADOPTING == failpoints.ADOPTING
