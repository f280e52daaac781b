"""The small changes, and where in a file each can be made."""

import hashlib
import re
from dataclasses import dataclass

from mutation.cpp import ENUMERATORS, Source

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
PAIRS = {"&&": "||", "||": "&&", "+": "-", "-": "+", "+=": "-=", "-=": "+="}
NOT_AN_EXPRESSION = set(
    "return if for while do switch case default break continue goto using typedef auto const "
    "constexpr consteval static struct class enum union template throw try catch else public "
    "private protected namespace static_assert friend extern inline mutable operator unsigned "
    "signed int bool char float double void explicit virtual typename CAUSEWAY_LOG assert".split()
)
# Calls whose arguments, or which themselves, change nothing that anybody could notice.
UNNOTICEABLE_CALLS = {"CAUSEWAY_LOG", "static_assert", "assert", "reserve", "shrink_to_fit"}


@dataclass
class Mutant:
    path: str
    line: int
    operator: str
    start: int
    end: int
    replacement: str
    identity: str = ""

    def apply(self, text):
        return text[: self.start] + self.replacement + text[self.end :]


def enumerators(texts):
    """Of each name of an enumeration in these texts: the lists of its enumerators."""
    found = {}
    for text in texts:
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
        for name, body in re.findall(r"\benum class (\w+)[^;{]*\{([^}]*)\}", text):
            names = re.findall(r"(?:^|,)\s*(\w+)", body)
            if len(names) > 1:
                found.setdefault(name, []).append(names)
    return found


def constants(text):
    """The names that a header of constants defines, in order."""
    return re.findall(r"constexpr std::string_view (\w+)", text)


class Finder:
    """All mutants of one file."""

    def __init__(self, path, text, known_enumerators, namespaces):
        self.path = path
        self.source = Source(text)
        self.known_enumerators = known_enumerators
        self.namespaces = namespaces
        self.mutants = []
        self.silent = self._silent_ranges()

    def find(self):
        for index in range(len(self.source)):
            if any(first <= index <= last for first, last in self.silent):
                continue
            if any(
                self.source.word(i) == "{" and self.source.opens(i) == ENUMERATORS
                for i in self.source.around(index)
            ):
                continue
            self._at(index)
        self._name_them()
        return self.mutants

    def _at(self, index):
        source = self.source
        token = source.tokens[index]
        if token.kind in ("string", "character"):
            return
        in_block = source.in_block(index)
        if in_block:
            self._conditions(index)
            if source.begins_statement(index):
                self._statements(index)
            if token.kind == "operator" and source.spaced(index):
                if token.text in COMPARISONS:
                    self._change("comparison", index, index, COMPARISONS[token.text])
                elif token.text in PAIRS and source.word(index - 1) not in ("return", "(", ",", "="):
                    self._change("operator", index, index, PAIRS[token.text])
            if token.text in ("min", "max") and source.word(index - 1) == "::":
                self._change("operator", index, index, "max" if token.text == "min" else "min")
        if token.text in ("true", "false"):
            self._change("constant", index, index, "false" if token.text == "true" else "true")
        elif token.kind == "number":
            self._numbers(index)
        elif token.text == "::":
            self._swaps(index)

    # ---- the kinds of change ----

    def _conditions(self, index):
        source = self.source
        if source.word(index) not in ("if", "while") or source.word(index + 1) != "(":
            return
        last = source.tokens[index + 1].partner - 1
        first = index + 2
        for i in range(first, last + 1):
            if source.word(i) == ";" and source.tokens[i].inside == index + 1:
                first = i + 1
        words = [source.word(i) for i in range(first, min(first + 3, last + 1))]
        if "auto" in words or "const" in words or first > last:
            return  # a declaration is the condition
        self._change("condition", first, last, f"!({self._text(first, last)})")

    def _statements(self, index):
        source = self.source
        word = source.word(index)
        end = source.statement_end(index)
        if end < 0:
            return
        if word == "return":
            if self._is_early(index, end):
                self._change("return", index, end, ";")
        elif word in ("break", "continue"):
            self._change("statement", index, end, ";")
        elif self._is_expression(index, end):
            self._change("statement", index, end, ";")

    def _is_early(self, index, end):
        """Whether something else comes where this return is gone."""
        source = self.source
        block = source.tokens[index].inside
        if source.word(index - 1) == ")":
            return source.word(end + 1) != "}" or self._loops(source.tokens[end + 1].partner)
        if source.word(block - 1) != ")" or source.controlled_by(block - 1) != "if":
            return False
        closing = source.tokens[block].partner
        return source.word(closing + 1) not in ("}", "else")

    def _loops(self, block):
        return self.source.word(block - 1) == ")" and self.source.controlled_by(block - 1) in (
            "for",
            "while",
        )

    def _is_expression(self, index, end):
        source = self.source
        first = source.tokens[index]
        if first.text in NOT_AN_EXPRESSION or first.kind not in ("name", "operator"):
            return False
        words = [source.word(i) for i in range(index, end)]
        if set(words) & UNNOTICEABLE_CALLS and not set(words) & {"=", "+="}:
            return False
        if first.kind == "operator":
            return first.text in ("++", "--", "*", "(") and words[:2] != ["(", "void"]
        at = index + 1
        while source.word(at) == "::":
            at += 2
        if source.word(at) == "<" and not source.spaced(at):  # a template's arguments
            depth = 0
            while at < end:
                depth += {"<": 1, ">": -1, ">>": -2}.get(source.word(at), 0)
                at += 1
                if depth <= 0:
                    break
            while source.word(at) == "::":
                at += 2
        following = source.tokens[at]
        if following.kind == "name" or (following.text in ("&", "*") and not source.spaced(at)):
            return False  # a type and a name
        return "(" in words or any(w in words for w in ("=", "+=", "-=", "|=", "++", "--"))

    def _numbers(self, index):
        source = self.source
        text = source.tokens[index].text
        if not re.fullmatch(r"\d[\d']*[uUlL]*", text):
            return
        if source.word(index - 1) in ("<", "[") and not source.spaced(index - 1):
            return  # a size
        digits = re.match(r"[\d']+", text).group()
        value = int(digits.replace("'", ""))
        suffix = text[len(digits) :]
        # By one where that shows; else by an order of magnitude, for a limit of 101 instead of
        # 100 is no fault that anybody would call one.
        for changed in [value + 1, value - 1] if 0 < value < 10 else [value + 1 if not value else value * 10]:
            self._change("constant", index, index, f"{changed}{suffix}")

    def _swaps(self, index):
        source = self.source
        owner, value = source.word(index - 1), source.word(index + 1)
        back = index - 1
        while source.word(back) not in (";", "{", "}", ",", "(", ""):
            if source.word(back) == "case":
                return
            back -= 1
        if owner == "ns" and value in self.namespaces:
            others = self.namespaces
        else:
            lists = [names for names in self.known_enumerators.get(owner, []) if value in names]
            if not lists:
                return
            others = lists[0]
        swapped = others[(others.index(value) + 1) % len(others)]
        self._change("constant", index + 1, index + 1, swapped)

    # ---- helpers ----

    def _silent_ranges(self):
        ranges = []
        for index in range(len(self.source)):
            if self.source.word(index) in UNNOTICEABLE_CALLS and self.source.word(index + 1) == "(":
                ranges.append((index, self.source.tokens[index + 1].partner))
        return ranges

    def _text(self, first, last):
        tokens = self.source.tokens
        return self.source.text[tokens[first].start : tokens[last].end]

    def _change(self, operator, first, last, replacement):
        tokens = self.source.tokens
        self.mutants.append(
            Mutant(
                self.path,
                self.source.line(first),
                operator,
                tokens[first].start,
                tokens[last].end,
                replacement,
            )
        )

    def _name_them(self):
        """Identities that stay while the line stays, wherever it moves in its file."""
        seen = {}
        text = self.source.text
        for mutant in self.mutants:
            begin = text.rfind("\n", 0, mutant.start) + 1
            line = text[begin : text.find("\n", mutant.end)]
            column = mutant.start - begin - (len(line) - len(line.lstrip()))
            key = (mutant.path, mutant.operator, line.strip(), column, mutant.replacement)
            seen[key] = seen.get(key, 0) + 1
            digest = hashlib.sha1(repr((key, seen[key])).encode()).hexdigest()
            mutant.identity = digest[:8]


