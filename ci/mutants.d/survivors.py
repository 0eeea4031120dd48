"""The list of mutants that may survive, each with its reason. A list that no longer fits the source is an error."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = Path(__file__).resolve().parent / 'survivors'


@dataclass(frozen=True)
class Survivor:
    place: str  # file and function
    old: str
    new: str


def read_rows():
    """[(line of the list, survivor, reason)]. Blocks of four lines: FILE FUNCTION, "- OLD", "+ NEW", "= REASON"."""
    rows, block = [], []
    for number, line in enumerate(LIST.read_text().splitlines(), 1):
        if line and not line.startswith('#'):
            block.append((number, line))
        if len(block) == 4:
            (first, place), (_, old), (_, new), (_, reason) = block
            if old[:2] != '- ' or new[:2] not in ('+ ', '+') or reason[:2] != '= ' or not reason[2:].strip():
                raise ValueError(f'{LIST}:{first}: not FILE FUNCTION, "- OLD", "+ NEW", "= REASON"')
            rows.append((first, Survivor(place, old[2:], new[2:]), reason[2:]))
            block = []
    if block:
        raise ValueError(f'{LIST}:{block[0][0]}: FILE FUNCTION, "- OLD", "+ NEW", "= REASON" expected')
    return rows


def of(file, mutant):
    return Survivor(f'{file} {mutant.name}', mutant.old, mutant.new)


def read():
    return {survivor for _, survivor, _ in read_rows()}


def check(mutants_of):
    """Is each of them still a mutant of its file, and listed once? Returns an exit status."""
    rows = read_rows()
    there = {}
    status = 0
    seen = set()
    for number, survivor, _ in rows:
        file = survivor.place.split(' ')[0]
        if file not in there:
            there[file] = {of(file, mutant) for mutant in mutants_of(file)} if (ROOT / file).is_file() else set()
        if survivor not in there[file]:
            print(f'{LIST.relative_to(ROOT)}:{number}: {survivor.place} has no such mutant any more: {survivor.old}',
                  file=sys.stderr)
            status = 1
        if survivor in seen:
            print(f'{LIST.relative_to(ROOT)}:{number}: listed a second time: {survivor.old}', file=sys.stderr)
            status = 1
        seen.add(survivor)
    return status
