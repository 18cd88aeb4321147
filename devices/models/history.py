"""History: figures over time, in a store that never grows."""

from __future__ import annotations

from django.db import models


class HistoryPoint(models.Model):
    """What some figures were at a moment.

    `series` is a host's name, or empty for the whole fleet; `tier` is how far apart the points of
    a ring are, in seconds; `place` is the point's place in that ring, `at / tier` modulo its
    length, so that a new point takes the place of the oldest.
    """

    series = models.CharField(max_length=63)
    tier = models.PositiveIntegerField()
    place = models.PositiveIntegerField()
    at = models.DateTimeField()
    figures = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "tier", "place"], name="history_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.series or 'fleet'} {self.at} ({self.tier} s)"
