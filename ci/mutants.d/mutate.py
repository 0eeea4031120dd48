"""Small changes to a C file, one at a time, made on its tokens. Counts on the layout of .clang-format: an operator of two
operands has blanks around it, which tells it from a pointer or a sign."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.)*)'
    r'|(?P<text>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
    r'|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+\.\d*(?:[eE][+-]?\d+)?|\d+(?:[eE]\d+)?[uUlL]*)'
    r'|(?P<word>[A-Za-z_]\w*)'
    r'|(?P<mark><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)',
    re.DOTALL | re.MULTILINE)

OPERATORS = {
    '<': ['<=', '>='], '>': ['>=', '<='], '<=': ['<', '>'], '>=': ['>', '<'], '==': ['!='], '!=': ['=='],
    '&&': ['||'], '||': ['&&'], '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['/'], '&': ['|'], '|': ['&'],
    '<<': ['>>'], '>>': ['<<'], '+=': ['-='], '-=': ['+='], '*=': ['/='], '/=': ['*='], '|=': ['&='], '&=': ['|='],
}
STEPS = {'++': '--', '--': '++'}
TYPES = set('struct enum union const static unsigned char int long short double float void bool size_t ssize_t pid_t '
            'dev_t mode_t uid_t off_t va_list cJSON'.split())
OPENING, CLOSING = '([{', ')]}'


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int

    @property
    def end(self):
        return self.at + len(self.text)


@dataclass(frozen=True)
class Mutant:
    """`old`, `new`: the lines that differ, blanks made one. `function`: as it is changed, to know it by; `name`: its name."""
    line: int
    name: str
    old: str
    new: str
    source: str
    function: str


def tokenize(source):
    return [Token(match.lastgroup, match.group(), match.start()) for match in TOKEN.finditer(source)
            if match.lastgroup != 'skip']


def closing_of(tokens, index):
    """The index of what closes the bracket at `index`."""
    depth = 0
    for i in range(index, len(tokens)):
        if tokens[i].kind == 'mark':
            depth += (tokens[i].text in OPENING) - (tokens[i].text in CLOSING)
            if depth == 0:
                return i
    raise ValueError(f'a bracket at {tokens[index].at} is not closed')


def name_before(tokens, index):
    """Of the function whose list of parameters ends at `index`."""
    depth = 0
    for i in range(index, 0, -1):
        depth += (tokens[i].text == ')') - (tokens[i].text == '(')
        if depth == 0:
            return tokens[i - 1].text
    raise ValueError(f'a bracket at {tokens[index].at} is not opened')


def functions(tokens):
    """Name, first and last token of each function's body."""
    i = 0
    while i < len(tokens):
        if tokens[i].text == '{':
            end = closing_of(tokens, i)
            if tokens[i - 1].text == ')':
                yield name_before(tokens, i - 1), i, end
            i = end
        i += 1


def is_spaced(source, token):
    return source[token.at - 1].isspace() and source[token.end].isspace()


def end_of_operand(tokens, index):
    """Where what begins at `index` ends, as the last operand of ?: does."""
    depth = 0
    for i in range(index, len(tokens)):
        text = tokens[i].text if tokens[i].kind == 'mark' else ''
        if depth == 0 and text in (',', ';', ')', ']', '}') and text:
            return i
        depth += (text in OPENING and text != '') - (text in CLOSING and text != '')
    return len(tokens)


def change_operator(source, tokens, i):
    token = tokens[i]
    if token.text in OPERATORS and is_spaced(source, token):
        for other in OPERATORS[token.text]:
            yield token.at, token.end, other
    elif token.text in STEPS:
        yield token.at, token.end, STEPS[token.text]
    elif token.text == '!':
        yield token.at, token.end, ''


def change_constant(tokens, i):
    token = tokens[i]
    if token.text in ('true', 'false'):
        yield token.at, token.end, 'false' if token.text == 'true' else 'true'
    elif token.kind == 'number' and '.' not in token.text and 'e' not in token.text:
        digits = token.text.rstrip('uUlL')
        value = int(digits, 8 if digits.isdigit() and digits[0] == '0' else 0)  # C's octal
        yield token.at, token.end, str(0 if value == 1 else value + 1) + token.text[len(digits):]


def negate_condition(source, tokens, i):
    """Where no operator in it does the same."""
    if tokens[i].text not in ('if', 'while'):
        return
    begin, end = i + 1, closing_of(tokens, i + 1)
    inside = [token.text for token in tokens[begin + 1:end]]
    if '&&' in inside or '||' in inside or not (inside[0] == '!' or '==' in inside or '!=' in inside):
        condition = source[tokens[begin].end:tokens[end].at]
        yield tokens[begin].end, tokens[end].at, f'!({condition})'


def swap_branches(source, tokens, i):
    if tokens[i].text != '?':
        return
    colon, depth = i + 1, 0
    while depth > 0 or tokens[colon].text != ':':
        text = tokens[colon].text
        depth += (text in ('(', '[', '{', '?')) - (text in (')', ']', '}', ':'))
        colon += 1
    end = end_of_operand(tokens, colon + 1)
    first = source[tokens[i].end:tokens[colon].at].strip()
    second = source[tokens[colon].end:tokens[end].at].strip()
    yield tokens[i].end, tokens[end].at, f' {second} : {first}'


def begins_statement(tokens, i):
    before = tokens[i - 1].text
    if before in (';', '{', '}', 'else', 'do'):
        return True
    if before == ':':
        return tokens[i - 2].text == 'default' or tokens[i - 3].text == 'case'
    if before != ')':
        return False
    depth, k = 0, i - 1
    while True:
        depth += (tokens[k].text == ')') - (tokens[k].text == '(')
        if depth == 0:
            return tokens[k - 1].text in ('if', 'for', 'while') or tokens[k - 1].text.startswith('cJSON_ArrayFor')
        k -= 1


def remove_statement(tokens, i, last):
    """All but declarations, and the function's last return."""
    token = tokens[i]
    if (token.kind != 'word' and token.text not in ('*', '++', '--', '(')) or not begins_statement(tokens, i):
        return
    if token.text in TYPES or token.text.endswith('_t') or \
            token.text in ('if', 'for', 'while', 'do', 'switch', 'case', 'default', 'else', 'goto'):
        return
    depth, end = 0, i
    while depth > 0 or tokens[end].text != ';':
        depth += (tokens[end].text in OPENING) - (tokens[end].text in CLOSING)
        if depth < 0:
            return  # the header of a for
        end += 1
    if token.text != 'return' or end + 1 != last:
        yield token.at, tokens[end].at, ''


def changes(source, tokens, first, last):
    for i in range(first + 1, last):
        yield from remove_statement(tokens, i, last)
        yield from negate_condition(source, tokens, i)
        yield from swap_branches(source, tokens, i)
        yield from change_operator(source, tokens, i)
        yield from change_constant(tokens, i)


def mutants(source):
    """All mutants of a file, in its order."""
    tokens = tokenize(source)
    for name, first, last in functions(tokens):
        begin, end = tokens[first].at, tokens[last].end
        for at, to, text in changes(source, tokens, first, last):
            left, right = source.rfind('\n', 0, at) + 1, source.index('\n', to)
            changed = source[:at] + text + source[to:]
            yield Mutant(
                line=source.count('\n', 0, at) + 1,
                name=name,
                old=' '.join(source[left:right].split()),
                new=' '.join((source[left:at] + text + source[to:right]).split()),
                source=changed,
                function=changed[begin:end + len(text) - (to - at)])
