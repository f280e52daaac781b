"""As much of C++ as small changes need: tokens with their places, brackets, and what a brace opens.

It relies on the tree's formatting (.clang-format): a binary operator has a space on either side, a
template's bracket has none, and a block's brace has a space before it where an initialiser's has none.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<directive>(?<![^\n])[ \t]*\#(?:[^\n\\]|\\.)*)
  | (?P<string>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)"|(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*")
  | (?P<character>(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+')
  | (?P<number>\.?\d(?:[eEpP][+-]|'[0-9a-zA-Z]|[0-9a-zA-Z_.])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><=>|<<=|>>=|\.\.\.|->\*|::|->|\+\+|--|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)

CLOSING = {")": "(", "}": "{", "]": "["}
BLOCK, DECLARATIONS, ENUMERATORS, VALUE = "block", "declarations", "enumerators", "value"


@dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int
    partner: int = -1  # of a bracket: the index of the other one
    inside: int = -1  # the index of the innermost bracket around it


class Source:
    """The tokens of a file, without spaces, comments and directives."""

    def __init__(self, text):
        self.text = text
        self.tokens = []
        for match in TOKEN.finditer(text):
            if match.lastgroup not in ("space", "comment", "directive"):
                kind = "string" if match.lastgroup == "mark" else match.lastgroup
                self.tokens.append(Token(kind, match.group(), match.start(), match.end()))
        self._pair_brackets()

    def _pair_brackets(self):
        open_brackets = []
        for index, token in enumerate(self.tokens):
            if token.text in CLOSING and token.kind == "operator":
                if open_brackets and self.tokens[open_brackets[-1]].text == CLOSING[token.text]:
                    token.partner = open_brackets.pop()
                    self.tokens[token.partner].partner = index
            token.inside = open_brackets[-1] if open_brackets else -1
            if token.kind == "operator" and token.text in "({[":
                open_brackets.append(index)

    def __len__(self):
        return len(self.tokens)

    def word(self, index):
        """The text of a token; empty where there is none. A string is never a word."""
        if not 0 <= index < len(self.tokens) or self.tokens[index].kind == "string":
            return ""
        return self.tokens[index].text

    def line(self, index):
        return self.text.count("\n", 0, self.tokens[index].start) + 1

    def spaced(self, index):
        token = self.tokens[index]
        return self.text[token.start - 1 : token.start] in (" ", "\n") and self.text[
            token.end : token.end + 1
        ] in (" ", "\n")

    def opens(self, brace):
        """What the brace at that index opens."""
        before = self.word(brace - 1)
        if before in ("=", ",", "(", "{", "return", "?", ":") and before != ")":
            return VALUE
        head = []
        index = brace - 1
        while index >= 0 and self.word(index) not in (";", "{", "}"):
            if self.tokens[index].partner >= 0 and self.word(index) in CLOSING:
                index = self.tokens[index].partner
            head.append(self.word(index))
            index -= 1
        head.reverse()
        if "enum" in head:
            return ENUMERATORS
        if "namespace" in head[:2] or (
            {"class", "struct", "union"} & set(head) and "(" not in head
        ):
            return DECLARATIONS
        if self.text[self.tokens[brace].start - 1] != " " and before not in (")", "else", "do"):
            return VALUE
        return BLOCK

    def around(self, index):
        """The indices of the brackets around a token, from the inside out."""
        index = self.tokens[index].inside
        while index >= 0:
            yield index
            index = self.tokens[index].inside

    def in_block(self, index):
        """Whether it is code that runs, in a function's body."""
        return any(self.word(i) == "{" and self.opens(i) == BLOCK for i in self.around(index))

    def controlled_by(self, closing):
        """The word before the parentheses that end at that index: if, while, for, a name."""
        opening = self.tokens[closing].partner
        before = self.word(opening - 1)
        return self.word(opening - 2) if before == "constexpr" else before

    def statement_end(self, start):
        """The index of the ; that ends the statement which begins there, or -1."""
        index = start
        while index < len(self.tokens):
            text = self.word(index)
            if text == ";":
                return index
            if text in CLOSING:
                return -1
            if text in ("(", "{", "[") and self.tokens[index].partner > index:
                index = self.tokens[index].partner
            index += 1
        return -1

    def begins_statement(self, index):
        inside = self.tokens[index].inside
        if inside < 0 or self.word(inside) != "{" or self.opens(inside) != BLOCK:
            return False
        before = self.word(index - 1)
        if before in (";", "else", "do") or index - 1 == inside:
            return True
        if before == "}":
            return self.opens(self.tokens[index - 1].partner) == BLOCK
        if before == ")":
            return self.controlled_by(index - 1) in ("if", "while", "for")
        if before == ":":  # behind a label
            back = index - 2
            while back > inside and self.word(back) not in (";", "{", "}", "?"):
                if self.word(back) in ("case", "default"):
                    return True
                back -= 1
        return False
