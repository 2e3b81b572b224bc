"""The tokens of the condition language, as patterns."""

from __future__ import annotations

import re

LOGICAL = re.compile("and|or")
NOT = re.compile("not")
MEMBERSHIP = re.compile(r"\b(not in|in|not contains|contains)\b", re.IGNORECASE)
IS = re.compile("is not|is")
COMPARE = re.compile("==|!=|<=|>=|<(?!<)|>")
PLUS_MINUS = re.compile("[+-]")
TIMES = re.compile("[*/]")
ASSIGN = re.compile("<<")
SEARCH = re.compile(r"(match|search|regex)[ \t\r\n]*\(")
SELECT = re.compile(r"(selectattr|select)[ \t\r\n]*\(")
DEFINED = re.compile("(?:defined|\"defined\"|'defined')(?![A-Za-z0-9])")
FLOAT = re.compile(r"[+-]?(?:\d+[eE][+-]?\d+|(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
NULL = re.compile("null")
BOOLEAN = re.compile("[Tt]rue|[Ff]alse")
WORD = re.compile("[A-Za-z0-9]+")
TEXT = re.compile(r"""'([^'\n\r]*)'|"([^"\n\r]*)\"""")
_LETTER = "A-Za-z_ªµºÀ-ÖØ-öø-ÿ"
OPTION = re.compile(f"([{_LETTER}][{_LETTER}0-9·]*)[ \t\r\n]*=(?!=)")
ROOT = re.compile(r"(?<![A-Za-z0-9_$])(events|event|facts|fact|vars)(?![A-Za-z0-9_$])")
KEY = re.compile(
    rf"""\.([{_LETTER}][{_LETTER}0-9·]*)|\[(?:"([^"\n\r]*)"|'([^'\n\r]*)'|([+-]?\d+))\]""", re.ASCII
)
COMMA = re.compile(",")
OPEN, CLOSE = re.compile(r"\("), re.compile(r"\)")
OPEN_LIST, CLOSE_LIST = re.compile(r"\["), re.compile(r"\]")
BACKSLASHED = {r"\t": "\t", r"\n": "\n", r"\f": "\f", r"\r": "\r"}
BACKSLASH = re.compile(r"\\[tnfr]")
