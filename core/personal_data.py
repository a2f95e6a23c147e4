"""Personal data in a text, masked: e-mail addresses, phone numbers, cards, IBANs, IP addresses.

* Numbers count only if they can be what they look like: a card's and an IBAN's check digits fit, a
  phone number is one that its country could give out.
* National phone numbers have no form of their own; those with a leading zero or in the American
  style are masked by their look, which can mask another number.
* Names and addresses of people are not found: that would take a guess.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import iban, luhn
from stdnum.exceptions import ValidationError

from core.redaction import MASK

_EMAIL = re.compile(r"[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]*\d)")
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"
    r"|(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*[0-9A-Fa-f:](?![\w:])"
)
_NATIONAL = re.compile(
    r"(?<![\w.,:/-])(?:"
    r"(?:\(0\d{1,4}\)|0\d{1,4})[ /-]{1,3}\d{2,4}(?:[ -]?\d{2,4}){1,3}"
    r"|0[1-9]\d{8,10}"
    r"|(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}"
    r")(?![\w-])"
)
_NATIONAL_DIGITS = range(9, 14)
_PLUS = re.compile(r"\+\d|\b00\d")
_LOCAL = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


def mask_personal(text: str) -> str:
    """The text with all that was found in it replaced by `[masked]`."""
    for find in (_find_emails, _find_ibans, _find_cards, _find_addresses, _find_phones):
        text = _replace(text, find)
    return _replace(text, _find_national_phones)


def _replace(text: str, find: Callable[[str], Iterator[tuple[int, int]]]) -> str:
    done, parts = 0, []
    for start, end in find(text):
        if start >= done:
            parts += [text[done:start], MASK]
            done = end
    return "".join([*parts, text[done:]])


def _find_emails(text: str) -> Iterator[tuple[int, int]]:
    if "@" in text:
        yield from (found.span() for found in _EMAIL.finditer(text))


def _find_ibans(text: str) -> Iterator[tuple[int, int]]:
    """A capitalised word behind it may look like its end."""
    for found in _IBAN.finditer(text):
        start, end = found.span()
        while end - start >= 15:
            if iban.is_valid(text[start:end], check_country=False):
                yield start, end
                break
            end = text.rfind(" ", start, end)


def _find_cards(text: str) -> Iterator[tuple[int, int]]:
    for found in _CARD.finditer(text):
        try:
            luhn.validate(re.sub(r"[ -]", "", found.group()))
        except ValidationError:
            continue
        yield found.span()


def _find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """This machine's own is nobody's."""
    for found in _ADDRESS.finditer(text):
        try:
            address = ipaddress.ip_address(found.group())
        except ValueError:
            continue
        if address not in _LOCAL and not address.is_unspecified:
            yield found.span()


def _find_phones(text: str) -> Iterator[tuple[int, int]]:
    """International numbers."""
    if _PLUS.search(text):
        for found in PhoneNumberMatcher(text, None, Leniency.VALID, max_tries=len(text)):
            is_in_brackets = found.raw_string.count("(") > found.raw_string.count(")")
            yield found.start + is_in_brackets, found.end


def _find_national_phones(text: str) -> Iterator[tuple[int, int]]:
    for found in _NATIONAL.finditer(text):
        if sum(character.isdecimal() for character in found.group()) in _NATIONAL_DIGITS:
            yield found.span()
