"""What signs, papers and codes of drawn scenes say. Names, prices and dates are invented."""

from __future__ import annotations

import random

SHOPS = (
    "BAKERY", "LIBRARY", "PHARMACY", "BOOKSHOP", "FLORIST", "BARBER", "MUSEUM", "CINEMA", "HOTEL",
    "CAFE ROSA", "GREEN GROCER", "CITY BANK", "POST OFFICE", "FISH MARKET", "TEA HOUSE", "TOYS",
)  # fmt: skip
NOTICES = (
    "OPEN", "CLOSED", "EXIT", "NO PARKING", "KEEP LEFT", "PUSH", "PULL", "MIND THE GAP", "FRAGILE",
    "WET FLOOR", "NO SMOKING", "QUIET PLEASE", "DO NOT TOUCH", "STAFF ONLY", "THIS SIDE UP",
    "EMERGENCY EXIT", "SOLD OUT", "WELCOME", "TICKETS", "WAITING ROOM", "KEEP OUT", "ONE WAY",
)  # fmt: skip
NOUNS = (
    "river", "garden", "winter", "window", "letter", "harbour", "island", "mountain", "market",
    "forest", "station", "kitchen", "evening", "morning", "summer", "village", "bridge", "castle",
    "lantern", "orchard", "theatre", "journey", "picture", "teacher", "captain", "painter",
)  # fmt: skip
ADJECTIVES = (
    "quiet", "small", "bright", "early", "open", "distant", "simple", "golden", "silent", "famous",
    "broken", "modern", "gentle", "hidden", "northern", "empty", "curious", "patient",
)  # fmt: skip
VERBS = (
    "follows", "finds", "leaves", "paints", "remembers", "crosses", "visits", "watches", "opens",
    "carries", "reaches", "describes", "builds", "passes",
)  # fmt: skip
GOODS = (
    "Milk", "Bread", "Coffee", "Butter", "Apples", "Rice", "Tea", "Cheese", "Honey", "Pasta",
    "Tomatoes", "Soap", "Paper", "Candles", "Olive oil", "Sugar", "Oranges", "Yoghurt", "Eggs",
)  # fmt: skip
NAMES = ("Anna Berg", "Omar Haddad", "Li Wei", "Maria Costa", "Jonas Falk", "Priya Nair",
         "Tom Reed", "Ines Duarte", "Karl Moser", "Yuki Tanaka")  # fmt: skip
CITIES = (
    "Lisbon",
    "Oslo",
    "Vienna",
    "Quito",
    "Dakar",
    "Perth",
    "Kyoto",
    "Turin",
    "Bergen",
    "Leeds",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MEASURES = ("Sales", "Visitors", "Rainfall", "Books sold", "Members", "Deliveries", "Points")


def sentence(rng: random.Random) -> str:
    one, other = rng.sample(NOUNS, 2)
    words = f"The {rng.choice(ADJECTIVES)} {one} {rng.choice(VERBS)} the {rng.choice(ADJECTIVES)}"
    return f"{words} {other}."


def date(rng: random.Random) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(1980, 2030)}"


def sign_lines(rng: random.Random) -> list[str]:
    """Return one to three lines of a sign."""
    first = rng.choice(rng.choice((SHOPS, NOTICES)))
    more = (
        f"Room {rng.randint(100, 499)}",
        f"Mon - Fri {rng.randint(7, 10)}:00 - {rng.randint(16, 20)}:30",
        f"Platform {rng.randint(1, 24)}", f"Tel. 555 {rng.randint(1000, 9999)}",
        f"from {rng.randint(1, 40)}.{rng.choice('59')}0",
        f"{rng.choice(CITIES)} {rng.randint(2, 980)} km",
        f"Floor {rng.randint(1, 9)}", f"SALE {rng.randint(1, 8)}0%",
    )  # fmt: skip
    return [first, *rng.sample(more, rng.choice((0, 1, 1, 2)))]


def code_text(rng: random.Random) -> str:
    """Return what a QR code may say."""
    number = rng.randint(1000, 99999)
    return rng.choice(
        (
            f"https://example.org/{rng.choice(NOUNS)}/{number}",
            f"WIFI:T:WPA;S:{rng.choice(NOUNS)}-{number};P:{rng.choice(NOUNS)}{number};;",
            f"ticket {number}-{rng.randint(10, 99)}",
            f"mailto:{rng.choice(NOUNS)}@example.org",
            f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} {number}",
        )
    )


def ean(rng: random.Random) -> str:
    """Return thirteen digits; the last is the check digit of EAN-13 (weights 1 and 3)."""
    digits = [rng.randint(0, 9) for _ in range(12)]
    check = -sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    return "".join(map(str, [*digits, check]))
