"""Seventeen characters in, whether they are a vehicle identification number out."""

from typing import Final

# 49 CFR 565.15: the value of each character, the weight of each place.
VALUES: Final = {
    character: int(digit)
    for character, digit in zip(
        "0123456789ABCDEFGHJKLMNPRSTUVWXYZ", "012345678912345678123457923456789", strict=True
    )
}
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_PLACE: Final = 8
_CHECKED_REGIONS: Final = "12345"  # North America: the check digit is law
_MIN_DIGITS: Final = 5
_MIN_LETTERS: Final = 2


def is_vin(candidate: str, *, labelled: bool) -> bool:
    """`candidate`: 17 upper-case characters without I, O and Q; `labelled`: the text itself calls it a VIN.

    The check digit decides where one is prescribed. Elsewhere the number must look like one: letters and
    digits, and the last four are digits (ISO 3779).
    """
    digits = sum(c.isdigit() for c in candidate)
    if labelled:
        return digits > 0
    if len(candidate) - digits < _MIN_LETTERS or digits < _MIN_DIGITS or not candidate[-4:].isdigit():
        return False
    return candidate[0] not in _CHECKED_REGIONS or candidate[_CHECK_PLACE] == check_digit(candidate)


def check_digit(vin: str) -> str:
    """What place 9 must hold: a digit or X."""
    total = sum(VALUES[c] * weight for c, weight in zip(vin, _WEIGHTS, strict=True))
    return "0123456789X"[total % 11]
