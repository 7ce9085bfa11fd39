"""Cells and a seed in, an endless order of them out in which every cell comes up in every deal."""

import random
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from tests.chaos.campaign.matrix import Cell

#: What is heavy piles up in front, one to a hand: behind it are those that fit beside it.
_LOOK_AHEAD: Final = 100


class Deck:
    """`position` is all that there is to remember: a deck with the same seed goes on from there."""

    def __init__(self, cells: Sequence[Cell], *, seed: int, drawn: int = 0) -> None:
        self.drawn = drawn
        self._seed = seed
        self._cells = cells
        self._size = sum(cell.copies for cell in cells)
        self._order = self._endless(drawn)
        self._held: list[Cell] = []

    @property
    def position(self) -> int:
        """Where another deck goes on without leaving out a cell."""
        return self.drawn - len(self._held)

    def hand(self, most: int, *, alone: Collection[str] = ()) -> list[Cell]:
        """Up to `most` cells that may happen at once: at different targets, at most one of them heavy.

        A cell whose name is in `alone` is a hand of its own if it is the first.
        """
        hand = [self._next()]
        if hand[0].name in alone:
            return hand
        while len(hand) < most and (cell := self.beside(hand)):
            hand.append(cell)
        return hand

    def beside(self, busy: Sequence[Cell]) -> Cell | None:
        """One that may happen while those of `busy` do; None: none of the next."""
        postponed: list[Cell] = []
        found: Cell | None = None
        while found is None and len(postponed) < _LOOK_AHEAD:
            cell = self._next()
            if _fits(cell, busy):
                found = cell
            else:
                postponed.append(cell)
        self._held = postponed + self._held
        return found

    def _next(self) -> Cell:
        if self._held:
            return self._held.pop(0)
        self.drawn += 1
        return next(self._order)

    def _endless(self, drawn: int) -> Iterator[Cell]:
        deal, place = divmod(drawn, self._size)
        while True:
            cards = [cell for cell in self._cells for _ in range(cell.copies)]
            random.Random(f"{self._seed} deal {deal}").shuffle(cards)
            yield from cards[place:]
            deal, place = deal + 1, 0


def _fits(cell: Cell, hand: Sequence[Cell]) -> bool:
    if any(cell.target == other.target for other in hand):
        return False
    return not (cell.heavy and any(other.heavy for other in hand))
