from __future__ import annotations

from devices.live import levels


def test_levels_follow_the_square_root_of_the_load() -> None:
    assert [levels.nearest(permille) for permille in (0, 1, 2, 5, 60, 250, 1000, 4000, -3)] == [
        0, 0, 1, 1, 4, 8, 15, 15, 0,
    ]
    for level in range(levels.LEVELS):
        assert levels.nearest(round(1000 * levels.share(level))) == level


def test_a_load_that_wavers_at_an_edge_stays_where_it_is() -> None:
    edge = next(n for n in range(1000) if levels.nearest(n) == 8)
    for permille in (edge - 3, edge + 3):
        for level in (7, 8):
            assert levels.KEEPS_FROM[level] <= permille <= levels.KEEPS_TO[level]
    assert not levels.KEEPS_FROM[8] <= edge - 40 <= levels.KEEPS_TO[8]


def test_every_load_is_kept_by_its_own_level() -> None:
    for permille in range(1001):
        level = levels.nearest(permille)
        assert levels.KEEPS_FROM[level] <= permille <= levels.KEEPS_TO[level]
