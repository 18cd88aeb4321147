"""The page's reader of the wall agrees with the server's writer."""

from __future__ import annotations

import base64
import random

import pytest
from playwright.sync_api import Page

from devices.live import frames, levels
from devices.live.wall import Wall
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

READ = """async (messages) => {
  const { decode } = await import("/static/js/frames.js");
  const { Cells } = await import("/static/js/cells.js");
  const cells = new Cells(), followed = [], told = new Map();
  for (const message of messages) {
    const bytes = Uint8Array.from(atob(message), (character) => character.charCodeAt(0));
    for (const frame of decode(bytes.buffer)) {
      followed.push(cells.take(frame, (slot, was, now) => told.set(slot, now)));
    }
  }
  const cut = (array) => [...array.subarray(0, cells.places)];
  return {
    followed, states: cut(cells.states), loads: cut(cells.loads),
    beyond: cells.states.subarray(cells.places).some(Boolean), told: [...told],
  };
}"""


def test_the_page_reads_what_the_server_writes(page: Page, stage: Stage) -> None:
    draw = random.Random(9)
    wall = Wall(epoch=3)
    wall.put_states(1, 1.0, [(slot, "online") for slot in range(3001)])
    sent, base = [wall.frame(0, 1.0)], 1
    for n in range(2, 60):
        places = range(5000) if n % 3 else range(2500)
        states = draw.choices(("online", "failed", "gone", "booting"), k=150)
        wall.put_states(2 * n, 1.0, list(zip(draw.sample(places, 150), states, strict=True)))
        count = draw.choice((3, 300, 5000))
        wall.put_loads(
            2 * n + 1, 1.0, "a", [[slot, draw.randrange(1000)] for slot in range(0, count)]
        )
        sent.append(wall.frame(base, 1.0))
        base = wall.sequence
    skipped = wall.frame(base - 20, 1.0)
    page.goto(stage.url + "/login/")
    messages = [base64.b64encode(m or b"").decode() for m in (*sent, skipped)]
    found = page.evaluate(READ, messages)
    assert found["followed"] == [True] * len(sent) + [False]
    occupied = len(wall._states.rstrip(b"\0"))
    assert bytes(found["states"]) == wall._states[:occupied]
    assert not found["beyond"]
    assert found["loads"] == [round(255 * levels.share(n)) for n in wall._levels[:occupied]]
    now = dict(found["told"])
    assert all(now.get(slot, 0) == state for slot, state in enumerate(wall._states))
    assert any(frames.decode(m or b"").kind == frames.Kind.WALL_DELTA for m in sent)
