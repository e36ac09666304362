#!/usr/bin/env python3
"""Writes numbers in the ways in which people write them, with what libphonenumber says of them: `make numbers`.

A row is one number and one default country code, separated by tabs: region and kind, the number in E.164, the default
country code, and texts that mean it. `?` in front of a text: libphonenumber reads something else, or nothing, so that it
may only be refused, or be the number. With --mistakes, a text is one that somebody got wrong, and the number is what
libphonenumber reads all the same, or `-` for none.

Nothing is drawn that is not in the seed, so the same seed and metadata give the same file.
"""

import argparse
import random
import re
import sys

try:
    from re import _parser as expression_parser
except ImportError:  # Python before 3.11
    import sre_parse as expression_parser

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE, NumberParseException

KINDS = ("mobile", "fixed_line")
SPACES = "\u00a0\u3000"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"
FULL_WIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def drawn(items, random):
    """A sequence of digits that the parsed expression matches."""
    text = ""
    for operator, value in items:
        operator = str(operator)
        if operator == "LITERAL":
            text += chr(value)
        elif operator == "IN":
            name, value = random.choice(value)
            name = str(name)
            first, last = value if name == "RANGE" else (value, value) if name == "LITERAL" else (48, 57)
            text += chr(random.randint(first, last))
        elif operator == "BRANCH":
            text += drawn(random.choice(value[1]), random)
        elif operator == "SUBPATTERN":
            text += drawn(value[3], random)
        else:
            for _ in range(random.randint(value[0], value[1])):
                text += drawn(value[2], random)
    return text


def numbers(region, kind, count, random):
    """The example number, and others that are drawn."""
    description = getattr(PhoneMetadata.metadata_for_region(region), kind)
    if description is None or description.national_number_pattern in (None, "", "NA"):
        return
    expression = expression_parser.parse(description.national_number_pattern)
    code = phonenumbers.country_code_for_region(region)
    found = []
    for attempt in range(20 * count):
        national = description.example_number if attempt == 0 else drawn(expression, random)
        if not national or national in found or not 7 <= len(str(code)) + len(national) <= 15:
            continue
        number = phonenumbers.parse(f"+{code}{national}")
        if phonenumbers.region_code_for_number(number) == region and phonenumbers.is_valid_number(number):
            found.append(national)
            yield number, national
        if len(found) == count:
            return


def digits(text):
    return re.sub(r"\D", "", text)


def texts(number, national, metadata, random):
    """How people in the number's country write it."""
    code = number.country_code
    international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    local = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    yield f"+{code}{national}"
    yield international
    yield local
    yield digits(local)
    yield national
    yield f"{code}{national}"
    yield international[1:]
    yield f"00{code}{national}"
    yield "00 " + international[1:]
    yield re.sub(r"[^\d]+", random.choice("-./"), local).strip("-./")
    yield re.sub(r"[- ]", random.choice(SPACES), international)
    yield re.sub(r"[- ]", random.choice(DASHES), local)
    yield international.translate(FULL_WIDTH)
    yield local.translate(ARABIC)
    yield "\u202a" + international + "\u202c"
    yield phonenumbers.format_number(number, PhoneNumberFormat.RFC3966)
    if metadata.national_prefix == "0":
        yield f"+{code} (0) " + international.split(" ", 1)[-1]
        yield f"+{code}0{national}"
    elif metadata.national_prefix is not None:
        yield f"+{code} {metadata.national_prefix} " + international.split(" ", 1)[-1]
    if code in (55, 57):
        yield phonenumbers.format_national_number_with_carrier_code(number, {55: "15", 57: "5"}[code])


def international_prefix(metadata, random):
    return drawn(expression_parser.parse(metadata.international_prefix), random)


def read(text, region):
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def marked(text, region, expected):
    return text if read(text, region) == expected else "?" + text


def mistake(text, random):
    """The text with something wrong in it. Not (0), whose brackets mean nothing to libphonenumber."""
    position = random.randrange(len(text) + 1)
    head, tail = text[:position], text[position:]
    return random.choice([
        head + tail[1:], head + random.choice("0123456789") + tail, head + random.choice("0123456789") + tail[1:],
        head + tail[:2][::-1] + tail[2:], random.choice(["0", "00", "1", "8", "9", "+", "011", "+0"]) + text,
        text[1:], text[2:], text[3:], text[:-1], text * 2, head + random.choice([" ", "-", "+", "x", "."]) + tail,
        "".join(random.choice("0123456789") for _ in range(random.randint(4, 15))),
    ])  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", help="a file; standard output without it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=3, help="numbers of each region and kind")
    parser.add_argument("--mistakes", type=int, default=0, help="instead, so many mistakes for each number")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    rows = [f"# Made by Tests/NumberingPlans/vectors.py with libphonenumber {phonenumbers.__version__}: see there."]
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region(region)
        code = phonenumbers.country_code_for_region(region)
        # Where a code is shared, its first region stands for it: a default country code names no other.
        home = COUNTRY_CODE_TO_REGION_CODE[code][0]
        for kind in KINDS:
            for number, national in numbers(region, kind, options.count, draw):
                expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)
                written = list(dict.fromkeys(texts(number, national, metadata, draw)))
                abroad = draw.choice([other for other in regions if phonenumbers.country_code_for_region(other) != code])
                abroad_code = phonenumbers.country_code_for_region(abroad)
                abroad = COUNTRY_CODE_TO_REGION_CODE[abroad_code][0]
                prefix = international_prefix(PhoneMetadata.metadata_for_region(abroad), draw)
                home_prefix = international_prefix(PhoneMetadata.metadata_for_region(home), draw)
                if options.mistakes:
                    for _ in range(options.mistakes):
                        wrong = mistake(draw.choice(written[:9]), draw)
                        if wrong:
                            rows.append(f"{region} mistake\t{read(wrong, home) or '-'}\t{code}\t{wrong}")
                    continue
                written.append(f"{home_prefix} {code} {national}")
                rows.append("\t".join(
                    [f"{region} {kind}", expected, str(code)] + [marked(text, home, expected) for text in written]))
                international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
                from_abroad = [international, f"{prefix} {international[1:]}", f"{prefix}{code}{national}"]
                rows.append("\t".join(
                    [f"{region} {kind}", expected, str(abroad_code)]
                    + [marked(text, abroad, expected) for text in from_abroad]))
    file = open(options.output, "w", encoding="utf-8") if options.output else sys.stdout
    with file:
        file.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
