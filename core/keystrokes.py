"""Text from a chat -> what is typed into Claude Code, so that the model reads exactly that.

Claude Code's input box changes some texts, and takes the Enter after others for something else. All
of this was measured on 2.1.330 in tmux 3.3a; tests/test_typing_claude.py shows it again. What no
row names arrives as it is.

| in the text                          | typed as it is          | made of it by `prepare_prompt` |
|--------------------------------------|-------------------------|--------------------------------|
| not in NFC                           | arrives in NFC          | NFC                            |
| CR LF, CR, U+000B, C, 85, 2028, 2029 | one or two new lines    | one new line                   |
| tab                                  | four spaces             | four spaces                    |
| CSI and OSC sequences                | take text away          | gone                           |
| other controls (C0, DEL, C1)         | gone, with text for ESC | gone                           |
| half a surrogate pair                | cannot be sent          | U+FFFD                         |
| white space at the end               | gone                    | gone; at the start it is kept  |
| `<pasted_content`, however spelled   | a backslash after `<`   | the same                       |
| `!` first                            | runs as a shell command | a space before it; it is read  |
| alone: exit quit :q :q! :wq :wq!     | ends the session        | in double quotes               |
| invisible characters                 | gone, **and an Enter**  | gone, but for these:           |

| invisible, and yet it arrives | where it is kept                                               |
|-------------------------------|----------------------------------------------------------------|
| ZWJ                           | between two emoji; where ZWNJ is                               |
| ZWNJ                          | after a letter, with its marks, of Arabic, Syriac, the Indic   |
|                               | scripts U+0900-0DFF, Tibetan, Myanmar or Khmer                 |
| U+FE0E, FE0F                  | after an emoji; after 0-9 # * when U+20E3 follows              |
| tags U+E0020-7F               | in the flags of England, Scotland and Wales                    |
| LRM, RLM, ALM                 | beside a space, punctuation or an end of a line that has a     |
|                               | right-to-left letter (for ALM an Arabic or Syriac one)         |
| zero width space              | between two letters of Thai, Lao, Myanmar or Khmer             |
| U+180B-F; U+17B4-5            | after a letter of Mongolian; of Khmer                          |

Never kept, though some would arrive in rare places: U+00AD, 034F, 115F-1160, 2060-206F with the
isolates, 202A-202E, 3164, FE00-FE0D, FEFF, FFA0, FFF0-FFFB, 13430-1345F, 1BCA0-1BCA3, 1D173-1D17A,
the rest of plane 14, and most of two invisible ones in a row. The Enter that one of them costs may
be that of the *next* prompt.

| typed in one paste              | what happens                                                 |
|---------------------------------|--------------------------------------------------------------|
| over 800 units or 2 new lines   | the model reads it inside `<pasted_content>`                 |
| .png .jpg .gif .webp at its end | it is attached as an image, or the Enter is lost             |
| a backslash at the end          | Enter makes a new line                                       |
| :word or @word at the end       | Enter takes an emoji or a file from the list of suggestions  |

So `split_pieces` makes small pieces, cuts inside every such extension, and ends with a space, which
Claude Code drops. (Units are UTF-16's. An image and a suggestion take the Enter only if it comes
before, or after, Claude Code is done looking: at times.)

Left to the caller: a text that starts with "/", also after white space, may be a command; and what
is typed while Claude works waits in its queue, where it loses the white space at its start.
"""

from __future__ import annotations

import re
import unicodedata

from core.claude_code import EXIT_WORDS, LONGEST_PIECE, MOST_NEWLINES_IN_PIECE, Typing
from core.errors import EmptyPromptError, PromptTooLongError

LONGEST_PROMPT = 16_000
MOST_LINES = 500

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
)
_NEW_LINE = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_PASTED_CONTENT = re.compile(r"[<\uff1c](?=[\s/!]*pasted[_-]content\b)", re.IGNORECASE)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BRITISH_FLAG = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067"
    "|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_WHITE_SPACE = re.compile(r"\s+")
# Inside the extension, between the "." and the letters.
_IMAGE_CUT = re.compile(r"\.(?=(?:png|jpe?g|gif|webp)(?![A-Za-z0-9]))", re.IGNORECASE)


def _parse_ranges(text: str) -> frozenset[str]:
    characters: set[str] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        characters.update(map(chr, range(int(first, 16), int(last or first, 16) + 1)))
    return frozenset(characters)


# After which a presentation selector arrives, as measured one by one.
_EMOJI = _parse_ranges("""
    a9 ae 203c 2049 2122 2139 2194-2199 21a9-21aa 231a-231b 2328 23cf 23e9-23f3 23f8-23fa 24c2
    25aa-25ab 25b6 25c0 25fb-25fe 2600-2604 260e 2611 2614-2615 2618 261d 2620 2622-2623 2626 262a
    262e-262f 2638-263a 2640 2642 2648-2653 265f-2660 2663 2665-2666 2668 267b 267e-267f 2692-2697
    2699 269b-269c 26a0-26a1 26a7 26aa-26ab 26b0-26b1 26bd-26be 26c4-26c5 26c8 26ce-26cf 26d1
    26d3-26d4 26e9-26ea 26f0-26f5 26f7-26fa 26fd 2702 2705 2708-270d 270f 2712 2714 2716 271d 2721
    2728 2733-2734 2744 2747 274c 274e 2753-2755 2757 2763-2764 2795-2797 27a1 27b0 27bf 2934-2935
    2b05-2b07 2b1b-2b1c 2b50 2b55 3030 303d 3297 3299 1f004 1f0cf 1f170-1f171 1f17e-1f17f 1f18e
    1f191-1f19a 1f1e6-1f1ff 1f201-1f202 1f21a 1f22f 1f232-1f23a 1f250-1f251 1f300-1f321 1f324-1f393
    1f396-1f397 1f399-1f39b 1f39e-1f3f0 1f3f3-1f3f5 1f3f7-1f4fd 1f4ff-1f53d 1f549-1f54e 1f550-1f567
    1f56f-1f570 1f573-1f57a 1f587 1f58a-1f58d 1f590 1f595-1f596 1f5a4-1f5a5 1f5a8 1f5b1-1f5b2 1f5bc
    1f5c2-1f5c4 1f5d1-1f5d3 1f5dc-1f5de 1f5e1 1f5e3 1f5e8 1f5ef 1f5f3 1f5fa-1f64f 1f680-1f6c5
    1f6cb-1f6d2 1f6d5-1f6e5 1f6e9 1f6eb-1f6f0 1f6f3-1f6ff 1f7e0-1f7f0 1f90c-1f93a 1f93c-1f945
    1f947-1f9ff 1fa70-1faff
""")
_SKIN_TONES = _parse_ranges("1f3fb-1f3ff")
_JOINABLE_EMOJI = _EMOJI - _SKIN_TONES - _parse_ranges("1f1e6-1f1ff")
# By the first word of a letter's Unicode name.
_JOINING_SCRIPTS = frozenset(
    ("ARABIC", "SYRIAC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL")
) | {"TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "TIBETAN", "MYANMAR", "KHMER"}
_SCRIPTS_WITHOUT_SPACES = frozenset(("THAI", "LAO", "MYANMAR", "KHMER"))
_ARABIC_LETTERS = (
    "\u0620-\u063f\u0641-\u064a\u066e\u066f\u0671-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06fc\u06ff"
    "\u0710\u0712-\u072f\u074d-\u077f\u08a0-\u08c7"
)
_ARABIC = re.compile(f"[{_ARABIC_LETTERS}]")
_RIGHT_TO_LEFT = re.compile(
    f"[{_ARABIC_LETTERS}\u05d0-\u05ea\u05ef-\u05f2\u0780-\u07a5\u07ca-\u07ea]"
)


def prepare_prompt(text: str) -> str:
    """What the model will read when `text` is typed; a prepared text is left as it is.

    Raises:
        EmptyPromptError: nothing is left. PromptTooLongError: too much is.
    """
    prompt = clean(text)
    if not prompt:
        raise EmptyPromptError("The message has no text that Claude could read.")
    if prompt.startswith("!"):
        prompt = f" {prompt}"
    if prompt.strip() in EXIT_WORDS:
        prompt = f'"{prompt.strip()}"'
    lines = prompt.count("\n") + 1
    if len(prompt) > LONGEST_PROMPT or lines > MOST_LINES:
        raise PromptTooLongError(
            f"The message has {len(prompt):,} characters in {lines:,} lines, and at most "
            f"{LONGEST_PROMPT:,} in {MOST_LINES:,} can be typed: send it as a file, or in parts."
        )
    return prompt


def split_pieces(text: str, typing: Typing) -> list[str]:
    """What to paste, one after another, before Enter: `text` and one space (see the last table).

    No piece is longer than `LONGEST_PIECE` UTF-16 units or has more than two new lines; but it is
    one paste for a version that takes no pieces.
    """
    typed = f"{text} "
    if not typing.in_pieces:
        return [typed]
    pieces = []
    start = 0
    cuts = iter([match.end() for match in _IMAGE_CUT.finditer(typed)])
    cut = next(cuts, len(typed))
    while start < len(typed):
        end = min(_piece_end(typed, start), cut)
        pieces.append(typed[start:end])
        start = end
        if start == cut:
            cut = next(cuts, len(typed))
    return pieces


def is_same_prompt(sent: str, received: str) -> bool:
    """Whether `received`, from a hook or a transcript, is the prompt that was typed.

    What no person can see does not count, so that a small change by another version of Claude Code
    is not taken for a lost prompt, and typed again.
    """
    return _essence(sent) == _essence(received)


def _essence(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).replace("<\\", "<")
    visible = _INVISIBLE.sub("", _CONTROL.sub("", _WHITE_SPACE.sub("", folded)))
    return unicodedata.normalize("NFKC", visible)


def _piece_end(text: str, start: int) -> int:
    units = newlines = 0
    for index in range(start, len(text)):
        units += 2 if text[index] > "\uffff" else 1
        newlines += text[index] == "\n"
        if units > LONGEST_PIECE or newlines > MOST_NEWLINES_IN_PIECE:
            return index
    return len(text)


def clean(text: str) -> str:
    """What of it can be typed at all, without white space at its end."""
    # Two halves of a character become one, a half alone becomes U+FFFD.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    before = None
    while text != before:  # what is taken away may give a neighbour another meaning
        before = text
        text = unicodedata.normalize("NFC", _ESCAPE_SEQUENCE.sub("", text))
        text = _CONTROL.sub("", _NEW_LINE.sub("\n", text).replace("\t", "    "))
        text = _INVISIBLE.sub(lambda match: match[0] if _has_meaning(match) else "", text)
        text = _PASTED_CONTENT.sub(r"<\\", text).rstrip()
    return text


def _has_meaning(match: re.Match[str]) -> bool:
    """Whether this invisible character is one that Claude Code lets pass where it stands."""
    text, index, character = match.string, match.start(), match[0]
    before = text[index - 1] if index else ""
    after = text[index + 1] if index + 1 < len(text) else ""
    if "\U000e0020" <= character <= "\U000e007f":
        return _is_in_flag(text, index)
    if character in "\ufe0e\ufe0f":
        return before in _EMOJI or (before != "" and before in "0123456789#*" and after == "\u20e3")
    if character == "\u200d" and _joins_emoji(text, index):
        return True
    if _INVISIBLE.match(before) or _INVISIBLE.match(after):
        return False
    return _has_meaning_in_script(text, index, before, after)


def _has_meaning_in_script(text: str, index: int, before: str, after: str) -> bool:
    match text[index]:
        case "\u200c" | "\u200d":
            return _script_before(text, index) in _JOINING_SCRIPTS
        case "\u200e" | "\u200f" | "\u061c":
            return _is_direction_needed(text, index, before, after)
        case "\u200b":
            script = _script_before(text, index)
            return script in _SCRIPTS_WITHOUT_SPACES and script == _script_of_letter(after)
        case "\u17b4" | "\u17b5":
            return "\u1780" <= before <= "\u17b3"
        case "\u180b" | "\u180c" | "\u180d" | "\u180e" | "\u180f":
            return "\u1820" <= before <= "\u18aa" and unicodedata.category(before)[0] == "L"
    return False


def _script_before(text: str, index: int) -> str:
    """The script of the letter right before `index`, marks of its own script between; else ""."""
    marks: set[str] = set()
    for position in range(index - 1, -1, -1):
        character = text[position]
        if unicodedata.category(character) not in ("Mn", "Mc"):
            script = _script_of_letter(character)
            return script if marks <= {script} else ""
        marks.add(_name_start(character))
    return ""


def _script_of_letter(character: str) -> str:
    """Of the basic multilingual blocks only, for no others were measured."""
    is_letter = character != "" and character < "\u2000" and unicodedata.category(character) == "Lo"
    return _name_start(character) if is_letter else ""


def _name_start(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _joins_emoji(text: str, index: int) -> bool:
    before = text[max(0, index - 3) : index]
    for skipped in ("\ufe0e\ufe0f", _SKIN_TONES):
        if before and before[-1] in skipped:
            before = before[:-1]
    return before[-1:] in _JOINABLE_EMOJI and text[index + 1 : index + 2] in _JOINABLE_EMOJI


def _is_in_flag(text: str, index: int) -> bool:
    start = text.rfind("\U0001f3f4", 0, index)
    flag = _BRITISH_FLAG.match(text, start) if start >= 0 else None
    return flag is not None and index < flag.end()


def _is_direction_needed(text: str, index: int, before: str, after: str) -> bool:
    if _is_mark(after) or (_is_in_word(before) and _is_in_word(after)):
        return False
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", index)
    wanted = _ARABIC if text[index] == "\u061c" else _RIGHT_TO_LEFT
    return wanted.search(text, start, len(text) if end < 0 else end) is not None


def _is_in_word(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] in "LMN"


def _is_mark(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] == "M"
