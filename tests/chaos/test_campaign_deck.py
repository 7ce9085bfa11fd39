"""The campaign's deck deals every cell, and nothing side by side that may not be."""

from collections import Counter

from tests.chaos.campaign.deck import Deck
from tests.chaos.campaign.matrix import CELLS, Cell

DEAL = sum(cell.copies for cell in CELLS)


def test_every_cell_comes_up_as_often_as_it_should() -> None:
    deck, dealt = Deck(CELLS, seed=1), list[Cell]()

    while deck.drawn < 2 * DEAL:
        dealt += played(deck)

    times = Counter(cell.name for cell in dealt)
    assert all(times[cell.name] >= cell.copies for cell in CELLS)


def test_of_what_happens_at_once_one_is_heavy_and_no_two_have_a_target() -> None:
    deck = Deck(CELLS, seed=2)

    for _ in range(200):
        hand = deck.hand(9)
        beside = deck.beside(hand)
        cells = [*hand, beside] if beside else hand
        assert sum(cell.heavy for cell in cells) <= 1
        assert len({cell.target for cell in cells}) == len(cells)


def test_of_a_deck_that_goes_on_where_another_stood_no_cell_is_left_out() -> None:
    first = Deck(CELLS, seed=3)
    dealt = [cell for _ in range(20) for cell in played(first)]
    second = Deck(CELLS, seed=3, drawn=first.position)

    while second.drawn < 3 * DEAL:
        dealt += played(second)

    assert {cell.name for cell in dealt} == {cell.name for cell in CELLS}


def played(deck: Deck) -> list[Cell]:
    hand = deck.hand(9)
    beside = deck.beside(hand)
    return [*hand, beside] if beside else hand
