#!/usr/bin/env python3
"""Writes Sources/SMS/PhoneNumber/NumberingPlan+Table.swift from libphonenumber's metadata: `make numbers`.

Taken are facts: which numbers a country has, what is dialled in front of them within it and from it, and how they are
rewritten. libphonenumber states them as regular expressions over digits that never repeat without end. All of them
together become one automaton whose equal parts are shared: it looks at each digit once, and needs no library at run time.
"""

import re
import sys
import textwrap

try:
    from re import _parser as expression_parser
except ImportError:  # Python before 3.11
    import sre_parse as expression_parser

import phonenumbers
from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

OUTPUT = sys.argv[1]
KINDS = ("fixed_line mobile toll_free premium_rate shared_cost personal_number voip pager uan voicemail").split()
PHONES = KINDS[:2]
# E.164: what a number has at most, its country code included. It names no least; 7 are the shortest in use.
LONGEST, SHORTEST = 15, 7
NON_GEOGRAPHIC = "001"

# National prefixes that libphonenumber writes together with what follows or with a rewriting. The Swift code tries each
# reading and keeps those that are numbers, so the prefix alone will do. A change in the metadata must be looked at by
# someone: anything with a rewriting that is not in here ends the script.
#   country code: (expression as it is in the metadata, transformation, prefixes to drop, rewriting)
# A rewriting is (digits put in front, digits taken out, fewest and most digits that stand before them).
REWRITTEN = {
    # 0 11 15 2345 6789 is 9 11 2345 6789 from abroad: 15 behind the area code says that it is a mobile. The area codes
    # are in the numbers' own expression.
    54: (r"0?(?:(11|2", r"9\1", "0", ("9", "15", 2, 4)),
    # A carrier's two digits behind the 0.
    55: (r"(?:0|90)(?:(1[245]|", r"\2", r"(?:0|90)(?:1[245]|2[1-35]|31|4[13]|[56]5|99)?", None),
    81: (r"(000[2569]\d{4,6})$|", r"\1", r"(?:(?:003768)0?)|0", None),
    241: (r"0(11\d{6}|60\d{6}|", r"\1", "0", None),
    # Numbers as they are dialled within the capital, or the one area that there is.
    261: (r"([24-9]\d{6})$|0", r"20\1", "0", ("20", "", 0, 0)),
    378: (r"([89]\d{5})$", r"0549\1", None, ("0549", "", 0, 0)),
    672: (r"([0-258]\d{4})$", r"3\1", None, ("3", "", 0, 0)),
}

# Numbers that are nobody's, which libphonenumber does not count as numbers, and which people try things with.
#   1: the area code 555, which is not assigned. 33: Arcep, decision 2018-0881, numbers for fiction.
#   44: Ofcom, "Telephone numbers for use in TV and radio drama programmes"; the other ones there are in the metadata.
FICTITIOUS = {1: [r"555\d{7}"], 33: [r"63998\d{4}"], 44: [r"7700900\d{3}", r"1632960\d{3}"]}


class Automaton:
    """Deterministic, without cycles, and equal states made once. A state is (accepts, ten targets or None)."""

    def __init__(self):
        self.states = {}
        self.order = []
        # The nondeterministic one that expressions are read into: state -> [(set of digits, state)], [state].
        self.moves, self.jumps = [], []

    def add(self, expressions, longest):
        """The state that the expressions' numbers of at most `longest` digits start at; None for no number."""
        start, ends = self._state(), set()
        for expression in expressions:
            first = self._state()
            self.jumps[start].append(first)
            ends.add(self._sequence(expression_parser.parse(expression), first))
        return self._determine(self._closure({start}), longest, ends, {})

    def _state(self):
        self.moves.append([])
        self.jumps.append([])
        return len(self.moves) - 1

    def _sequence(self, items, state):
        for operator, value in items:
            state = self._item(str(operator), value, state)
        return state

    def _item(self, operator, value, state):
        if operator == "AT":  # $: every expression here matches a whole number
            return state
        if operator == "SUBPATTERN":
            return self._sequence(value[3], state)
        end = self._state()
        if operator == "LITERAL":
            self.moves[state].append(({value - 48}, end))
        elif operator == "IN":
            self.moves[state].append((set().union(*(self._digits(*item) for item in value)), end))
        elif operator == "BRANCH":
            for branch in value[1]:
                self.jumps[self._sequence(branch, state)].append(end)
        elif operator == "MAX_REPEAT":
            fewest, most, items = value
            for _ in range(fewest):
                state = self._sequence(items, state)
            self.jumps[state].append(end)
            for _ in range(most - fewest):
                # A state of its own, so that what is skipped cannot be entered half way.
                again = self._state()
                self.jumps[state].append(again)
                state = self._sequence(items, again)
                self.jumps[state].append(end)
        else:
            raise ValueError(f"an expression with {operator}")
        return end

    @staticmethod
    def _digits(operator, value):
        operator = str(operator)
        if operator == "LITERAL":
            return {value - 48}
        if operator == "RANGE":
            return set(range(value[0] - 48, value[1] - 47))
        if operator == "CATEGORY" and str(value) == "CATEGORY_DIGIT":
            return set(range(10))
        raise ValueError(f"a class with {operator}")

    def _closure(self, states):
        seen, todo = set(states), list(states)
        while todo:
            for state in self.jumps[todo.pop()]:
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        return frozenset(seen)

    def _determine(self, states, left, ends, memo):
        key = (states, left)
        if key not in memo:
            targets = []
            for digit in range(10):
                reached = {end for state in states for digits, end in self.moves[state] if digit in digits}
                ok = reached and left > 0
                targets.append(self._determine(self._closure(reached), left - 1, ends, memo) if ok else None)
            accepts = not ends.isdisjoint(states)
            memo[key] = None
            if accepts or any(target is not None for target in targets):
                state = (accepts, tuple(targets))
                if state not in self.states:
                    self.states[state] = len(self.order)
                    self.order.append(state)
                memo[key] = self.states[state]
        return memo[key]

    def arcs(self):
        """The arcs as numbers, see DigitAutomaton in Swift, and the first arc of each state."""
        first, arcs = {}, [0]
        # A state's targets were made before it, so their places are known.
        for number, (_, targets) in enumerate(self.order):
            masks = {}
            for digit, target in enumerate(targets):
                if target is not None:
                    masks[target] = masks.get(target, 0) | 1 << digit
            first[number] = len(arcs) if masks else 0
            for position, (target, mask) in enumerate(sorted(masks.items())):
                last = position == len(masks) - 1
                accepts = self.order[target][0]
                arcs.append(mask | last << 10 | accepts << 11 | first[target] << 12)
        assert max(arcs) < 1 << 32
        return arcs, first


def metadata(code):
    return [
        PhoneMetadata.metadata_for_nongeo_region(code) if region == NON_GEOGRAPHIC
        else PhoneMetadata.metadata_for_region(region)
        for region in COUNTRY_CODE_TO_REGION_CODE[code]
    ]  # fmt: skip


def descriptions(territory, kinds=KINDS):
    for kind in kinds:
        description = getattr(territory, kind)
        if description is not None and description.national_number_pattern not in (None, "", "NA"):
            yield description


def trunk(code, territory):
    """The expression of what is dropped in front of a national number, and the rewriting."""
    expression, transformation = territory.national_prefix_for_parsing, territory.national_prefix_transform_rule
    if code in REWRITTEN:
        known, transformed, prefix, rewriting = REWRITTEN[code]
        if not expression.startswith(known) or transformation != transformed:
            sys.exit(f"+{code}: the rewriting {expression} -> {transformation} is new: see REWRITTEN in {__file__}")
        return prefix, rewriting
    # A group that is put back, or an end: more than a prefix.
    if transformation is not None or "$" in (expression or ""):
        sys.exit(f"+{code}: the rewriting {expression} -> {transformation} is not known: see REWRITTEN in {__file__}")
    return expression, None


def main():
    automaton = Automaton()
    plans, rewritings, calling_codes = [], [], [0] * 1000
    for code, regions in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        territories = metadata(code)
        # Where several regions share a code, its first is the one whose way of dialling they share.
        prefix, rewriting = trunk(code, territories[0])
        international = territories[0].international_prefix
        longest = LONGEST - len(str(code))
        numbers = automaton.add(
            [item.national_number_pattern for territory in territories for item in descriptions(territory)]
            + FICTITIOUS.get(code, []), longest)
        plan = [numbers] + [
            None if expression is None else automaton.add([expression], LONGEST) for expression in (prefix, international)
        ]
        plans.append((code, regions, plan, prefix, international, rewriting))
        if rewriting is not None:
            rewritings.append((code, rewriting))

        # What the hot path passes without another look: nothing but phones' numbers. Where there are trunk prefixes of 0,
        # few numbers begin with one; they get the second look, too.
        lengths, may_begin_with_zero = set(), False
        for territory in territories:
            for item in descriptions(territory, PHONES) if regions[0] != NON_GEOGRAPHIC else [territory.general_desc]:
                lengths |= set(item.possible_length or territory.general_desc.possible_length)
                look = Automaton()
                root = look.add([item.national_number_pattern], longest)
                may_begin_with_zero |= look.order[root][1][0] is not None
        mask = sum(1 << (n + len(str(code)) - SHORTEST) for n in lengths if SHORTEST <= n + len(str(code)) <= LONGEST)
        keeps_zero = may_begin_with_zero and not (prefix or "").startswith(("0", "[0"))
        entry = mask | (0 if keeps_zero else len(str(code))) << 9
        rest = 10 ** (3 - len(str(code)))
        for number in range(code * rest, (code + 1) * rest):
            assert calling_codes[number] == 0
            calling_codes[number] = entry

    arcs, first = automaton.arcs()
    place = lambda state: 0 if state is None else first[state]
    version = phonenumbers.__version__
    out = [
        "// swift-format-ignore-file",
        f"// Made by `make numbers` (Tests/NumberingPlans/table.py) from the metadata of libphonenumber {version}. Not for editing.",
        "",
        "extension NumberingPlan {",
        "  /// Whose facts these are.",
        f'  static let source = "libphonenumber {version}"',
        "",
        "  /// Every country code that is assigned, in ascending order; beside each the regions that share it, what is dropped in",
        "  /// front of a national number, and what is dialled for a number abroad.",
        "  static let all: [NumberingPlan] = [",
    ]
    for code, regions, plan, prefix, international, _ in plans:
        roots = [place(state) for state in plan]
        names = "no country" if regions[0] == NON_GEOGRAPHIC else " ".join(regions)
        out.append(
            f"    .init(code: {code}, numbers: {roots[0]}, trunkPrefixes: {roots[1]}, internationalPrefixes: {roots[2]}),"
            f"  // {names}; {prefix or 'none'}; {international or 'none'}")
    out += [
        "  ]",
        "",
        "  /// Where a number is more than what is left without its prefix.",
        "  static let rewritings: [UInt16: Rewriting] = [",
    ]
    for code, (front, removed, fewest, most) in rewritings:
        out.append(f'    {code}: .init(front: "{front}", removed: "{removed}", after: {fewest}...{most}),')
    out += ["  ]", "", "  /// By the first three digits of a number, see ``CallingCode``.", "  static let callingCodes: [UInt16] = ["]
    out += rows([f"0x{entry:04x}" for entry in calling_codes], 16)
    out += ["  ]", "}", "", "extension DigitAutomaton {", "  static let arcs: [UInt32] = ["]
    out += rows([f"0x{arc:x}" for arc in arcs], 12)
    out += ["  ]", "}"]
    with open(OUTPUT, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    print(f"{OUTPUT}: {len(plans)} country codes, {len(automaton.order)} states, {len(arcs)} arcs, {version}")


def rows(values, width):
    return ["    " + ", ".join(values[index : index + width]) + "," for index in range(0, len(values), width)]


if __name__ == "__main__":
    main()
