"""By what each browser watches; who watches by what holds no more is shown out."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

from devices.live.access import LINK
from devices.live.viewer import Viewer
from devices.services import sessions, tokens

log = logging.getLogger(__name__)

TURN_S = 1.0
# with a turn, the most that passes before it is noticed that an admission is over
LINK_EVERY_S = 2.0
SESSION_EVERY_S = 59.0
AT_ONCE = 50  # asked of the database in one turn
Ask = Callable[[Collection[str]], Awaitable[Collection[str]]]


def over(admissions: Iterable[str]) -> frozenset[str]:
    """Those that hold no more; asks the database."""
    return frozenset(each for each in admissions if not _holds(each))


def _holds(admission: str) -> bool:
    kind, _, name = admission.partition(":")
    return tokens.opens_wall(int(name)) if kind == LINK else sessions.holds(name)


def _every_s(admission: str) -> float:
    return LINK_EVERY_S if admission.partition(":")[0] == LINK else SESSION_EVERY_S


class Admissions:
    """Asks now and then, once for all browsers of an admission, spread over time.

    `ask` gives those of the admissions that hold no more; when it raises, they are asked about
    again at the next turn.
    """

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._watching: dict[Viewer, tuple[str, Callable[[], None]]] = {}
        self._due: dict[str, float] = {}
        self._failing = False

    def enter(self, viewer: Viewer, admission: str, dismiss: Callable[[], None]) -> None:
        """A browser watches by this admission; `dismiss` is called when that is over."""
        self._watching[viewer] = (admission, dismiss)
        first_s = _every_s(admission) * random.uniform(0.5, 1.0)
        self._due.setdefault(admission, self._clock() + first_s)

    def leave(self, viewer: Viewer) -> None:
        """A browser watches no more."""
        self._watching.pop(viewer, None)

    def end(self, admissions: Collection[str]) -> None:
        """Show out who watches by these."""
        for viewer, (admission, dismiss) in list(self._watching.items()):
            if admission in admissions:
                del self._watching[viewer]
                dismiss()

    def doubt(self) -> None:
        """That some are over may have been said and not heard: ask about all of them soon."""
        self._due = dict.fromkeys(self._due, self._clock())

    async def run(self) -> None:
        """Ask for ever what is due."""
        while True:
            await asyncio.sleep(TURN_S)
            await self.look()

    async def look(self) -> None:
        """Ask about those that are due, and show out whose admission is over."""
        now = self._clock()
        used = {admission for admission, _ in self._watching.values()}
        self._due = {each: at for each, at in self._due.items() if each in used}
        due = [(at, each) for each, at in self._due.items() if at <= now]
        asked = [each for _, each in sorted(due)[:AT_ONCE]]
        if not asked:
            return
        try:
            ended = await self._ask(asked)
        except Exception:
            if not self._failing:
                log.exception("Whether those who watch still may could not be asked; trying again")
            self._failing = True
            return
        self._failing = False
        self._due.update((each, now + _every_s(each)) for each in asked)
        self.end(ended)
