"""Functions that worker processes can import."""

from tensorguard.errors import InputError


def square(number: int) -> int:
    return number * number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise InputError("seven", where="file", hint="not seven")
    return number
