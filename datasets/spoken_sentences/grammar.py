"""Draws sentences that people say to a home and a phone, and holds pairs of words out."""

import hashlib

import numpy as np


def _words(text: str) -> list[str]:
    return text.split()


ROOMS = _words(
    "kitchen bathroom bedroom office garage garden hall cellar attic nursery balcony lounge"
)
DEVICES = _words("light lamp heating radio television fan alarm music camera heater")
SWITCHES = ["turn on", "turn off", "switch on", "switch off"]
BARRIERS = _words("door window curtain gate blind")
MOVES = _words("open close lock unlock check")
PEOPLE = _words(
    "maria peter anna john sarah david emma thomas julia robert mother father brother sister"
)
CONTACTS = ["call", "text", "invite", "write to", "send a message to", "show me pictures of"]
FOODS = _words("milk bread butter eggs cheese apples rice coffee sugar honey")
KINDS = _words("jazz rock piano opera country folk")
CITIES = _words(
    "amsterdam berlin cairo dublin geneva helsinki london madrid oslo paris rome vienna"
)
SKIES = ["the weather", "the temperature", "the wind", "the time"]
DAYS = _words("monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight")
MONTHS = _words("january march april june july august october december")
ORDINALS = _words("first second third fourth fifth sixth seventh ninth tenth twelfth")
CHORES = [
    "water the plants", "feed the cat", "pay the rent", "wash the car", "buy new shoes",
    "book a table", "clean the fridge",
]  # fmt: skip
UNITS = _words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
TENS = _words("twenty thirty forty fifty")
HOURS = UNITS[:12]


def number(random: np.random.Generator, lowest: int, highest: int) -> str:
    """A number from `lowest` to `highest`, both from 1 to 59, in words."""
    drawn = int(random.integers(lowest, highest + 1))
    if drawn < 20:
        return UNITS[drawn - 1]
    ten, unit = divmod(drawn, 10)
    return TENS[ten - 2] + (f" {UNITS[unit - 1]}" if unit else "")


def clock(random: np.random.Generator) -> str:
    """A time of the day in words, such as `twenty past seven`."""
    hour = str(random.choice(HOURS))
    return str(
        random.choice(
            [
                f"half past {hour}",
                f"quarter to {hour}",
                f"{random.choice(['five', 'ten', 'twenty'])} past {hour}",
                f"{random.choice(['five', 'ten', 'twenty'])} to {hour}",
                f"{hour} {number(random, 10, 59)}",
                f"{hour} in the {random.choice(['morning', 'evening'])}",
            ]
        )
    )


def sentence(random: np.random.Generator) -> tuple[str, tuple[str, str]]:
    """A sentence, and the pair of words (or phrases) in it that decides its part."""

    def pick(words: list[str]) -> str:
        return str(random.choice(words))

    kind = int(random.integers(11))
    if kind == 0:
        switch, device, room = pick(SWITCHES), pick(DEVICES), pick(ROOMS)
        end = pick(["", "", " now", f" at {clock(random)}"])
        return f"{switch} the {device} in the {room}{end}", (device, room)
    if kind == 1:
        move, barrier, room = pick(MOVES), pick(BARRIERS), pick(ROOMS)
        end = pick(["", f" at {clock(random)}", f" on {pick(DAYS[:7])}", " please"])
        return f"{move} the {barrier} of the {room}{end}", (move, room)
    if kind == 2:
        room, degrees = pick(ROOMS), number(random, 5, 29)
        what = pick(["heating", "heater", "temperature"])
        return f"set the {what} in the {room} to {degrees} degrees", (room, degrees)
    if kind == 3:
        contact, person = pick(CONTACTS), pick(PEOPLE)
        end = pick(["", f" at {clock(random)}", f" on {pick(DAYS[:7])}", f" {pick(DAYS[7:])}"])
        return f"{contact} {person}{end}", (contact, person)
    if kind == 4:
        first, second = pick(FOODS), pick(FOODS)
        start = pick(["add", "put"])
        kilos = pick(["", f"{number(random, 2, 12)} "])
        join = "to" if start == "add" else "on"
        return f"{start} {kilos}{first} and {second} {join} the shopping list", (first, second)
    if kind == 5:
        music, room = pick(KINDS), pick(ROOMS)
        end = pick(["", f" for {number(random, 5, 59)} minutes", f" at {clock(random)}"])
        return f"play some {music} in the {room}{end}", (music, room)
    if kind == 6:
        sky, city = pick(SKIES), pick(CITIES)
        end = pick(["", f" {pick(DAYS[7:])}", f" on {pick(DAYS[:7])}"])
        start = pick(["what is", "tell me"])
        return f"{start} {sky} in {city}{end}", (sky, city)
    if kind == 7:
        chore, day = pick(CHORES), pick(DAYS)
        when = day if day in DAYS[7:] else f"on {day}"
        return f"remind me to {chore} {when} at {clock(random)}", (chore, day)
    if kind == 8:
        ordinal, month = pick(ORDINALS), pick(MONTHS)
        start = pick(["what is planned for", "i am away on", "show my plans for"])
        return f"{start} the {ordinal} of {month}", (ordinal, month)
    if kind == 9:
        one, other = pick(CITIES), pick(CITIES)
        return f"spell {one[0]} for {one} and {other[0]} for {other}", (one, other)
    minutes, unit = number(random, 2, 59), pick(["minutes", "seconds", "hours"])
    what = pick(["set a timer for", "wake me in", "stop the music in", "wait for"])
    return f"{what} {minutes} {unit}", (minutes, unit)


def part_of(pair: tuple[str, str]) -> str:
    """The part to which a pair of words belongs; one in ten each for validation and test."""
    digest = hashlib.sha256("\n".join(pair).encode()).digest()[0]
    return {0: "test", 1: "validation"}.get(digest % 10, "train")


def sentences(part: str, count: int, random: np.random.Generator) -> list[str]:
    """`count` different sentences, all with a pair of this part."""
    found: dict[str, None] = {}
    while len(found) < count:
        drawn, pair = sentence(random)
        if part_of(pair) == part:
            found.setdefault(drawn)
    return list(found)
