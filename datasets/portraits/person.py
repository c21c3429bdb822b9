"""Who is drawn: a sample person, and the traits that make all of that person's portraits look like one face."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

HAIR_OF_WOMEN = ("long", "long_fringe", "bob", "tied", "cropped")
HAIR_OF_MEN = ("fringe", "swept", "side", "crew")


@dataclass(frozen=True)
class Person:
    """A sample person, known by construction.

    Attributes:
        person_id: any text; two people with different ids look different.
        gender: ``"male"`` or ``"female"``.
        age: years, 2 to 90.
        seed: chooses the face together with ``person_id``.
    """

    person_id: str
    gender: str
    age: float
    seed: int = 0

    def rng(self, *more: int) -> np.random.Generator:
        """Return the generator that belongs to this person (and to ``more``, for example a photo's number)."""
        return np.random.default_rng([self.seed, zlib.crc32(self.person_id.encode()), *more])


@dataclass(frozen=True)
class Traits:
    """What a person's face is made of. Lengths are in pupil distances, factors are around 1, signs are 0 to 1."""

    width: float  # of the whole head, a factor
    jaw: float  # width at the jaw angle, a factor
    chin: float  # width of the chin, a factor
    lower: float  # length from the eyes to the chin, a factor
    upper: float  # length from the eyes to the crown, a factor
    ridge: float  # brow ridge, a factor
    cheekbone: float
    fat: float  # -1 (gaunt) to 1 (full)
    nose_width: float
    nose_length: float
    nose_height: float
    nose_round: float
    eye_x: float  # of the pupil from the midline, pupil distances
    eye_size: float
    eye_open: float
    eye_tilt: float
    lid: float  # crease of the upper lid, 0 (single) to 1
    mouth_width: float
    lip_upper: float
    lip_lower: float
    mouth_y: float  # shift of the mouth, pupil distances
    brow_y: float
    brow_arch: float
    brow_thick: float
    brow_dark: float
    ear: float
    skin: tuple[float, float, float]  # linear RGB albedo
    lip_red: float
    iris: tuple[float, float, float]  # linear RGB
    hair: str
    hair_rgb: tuple[float, float, float]  # linear RGB
    grey: float  # share of grey hair
    recede: float
    volume: float
    part: float  # where the hair parts, -1 to 1
    beard: float
    lashes: float
    wrinkle: float
    sag: float
    spots: float
    young: float  # 1 for a small child, 0 from about 18
    neck: float
    shoulders: float


def sample_traits(person: Person) -> Traits:
    """Sample a face for ``person``.

    Gender and age act as tendencies (means that differ, with spread), as they do in life; the numbers are our own.

    Args:
        person: who is drawn.

    Returns:
        The same traits for equal persons.
    """
    rng = person.rng()
    traits = Traits(**_shape(rng, person), **_face(rng, person), **_colour(rng, person))  # type: ignore[arg-type]
    return _childlike(traits) if traits.young > 0 else traits


def _near(rng: np.random.Generator, mean: float, spread: float) -> float:
    """Draw around ``mean``, never further than two spreads."""
    return float(mean + spread * np.clip(rng.normal(), -2, 2))


def _ramp(age: float, start: float, end: float) -> float:
    return float(np.clip((age - start) / (end - start), 0, 1))


def _shape(rng: np.random.Generator, person: Person) -> dict[str, object]:
    man = float(person.gender == "male")
    old = _ramp(person.age, 45, 85)
    return {
        "width": _near(rng, 0.99 + 0.02 * man, 0.025),
        "jaw": _near(rng, 0.94 + 0.10 * man, 0.035),
        "chin": _near(rng, 0.90 + 0.18 * man, 0.06),
        "lower": _near(rng, 0.975 + 0.055 * man, 0.022),
        "upper": _near(rng, 1.0, 0.02),
        "ridge": _near(rng, 0.35 + 0.85 * man, 0.2),
        "cheekbone": _near(rng, 1.0, 0.3),
        "fat": _near(rng, 0.05 - 0.15 * old, 0.4),
        "nose_width": _near(rng, 0.95 + 0.10 * man + 0.06 * old, 0.06),
        "nose_length": _near(rng, 0.98 + 0.03 * man + 0.04 * old, 0.03),
        "nose_height": _near(rng, 0.92 + 0.16 * man, 0.1),
        "nose_round": _near(rng, 1.0 + 0.1 * man, 0.12),
        "ear": _near(rng, 0.97 + 0.06 * man + 0.1 * old, 0.05),
        "neck": _near(rng, 0.94 + 0.16 * man, 0.03),
        "shoulders": _near(rng, 0.95 + 0.13 * man, 0.04),
        "wrinkle": float(np.clip(_ramp(person.age, 28, 80) * _near(rng, 1.0, 0.12), 0, 1)),
        "sag": float(np.clip(_ramp(person.age, 42, 82) * _near(rng, 1.0, 0.12), 0, 1)),
        "young": 1 - _ramp(person.age, 3, 18),
    }


def _face(rng: np.random.Generator, person: Person) -> dict[str, object]:
    man = float(person.gender == "male")
    old = _ramp(person.age, 45, 85)
    return {
        "eye_x": 0.5,
        "eye_size": _near(rng, 1.04 - 0.06 * man, 0.04),
        "eye_open": _near(rng, 1.06 - 0.10 * man - 0.16 * old, 0.09),
        "eye_tilt": _near(rng, 0.028 - 0.03 * old, 0.012),
        "lid": float(np.clip(rng.beta(1.6, 1.0), 0, 1)),
        "mouth_width": _near(rng, 0.98 + 0.05 * man, 0.04),
        "lip_upper": _near(rng, 1.10 - 0.22 * man - 0.28 * old, 0.12),
        "lip_lower": _near(rng, 1.08 - 0.16 * man - 0.24 * old, 0.1),
        "mouth_y": _near(rng, 0.0, 0.018),
        "brow_y": _near(rng, -0.012 + 0.03 * man, 0.015),
        "brow_arch": _near(rng, 1.1 - 0.35 * man, 0.2),
        "brow_thick": _near(rng, 0.80 + 0.42 * man, 0.12),
        "brow_dark": _near(rng, 0.80 + 0.12 * man - 0.25 * old, 0.07),
        "lip_red": _near(rng, 0.85 - 0.35 * man - 0.2 * old, 0.15),
        "beard": float(np.clip(man * _ramp(person.age, 16, 24) * rng.uniform(0.15, 1.0), 0, 1)),
        "lashes": _near(rng, 1.0 - 0.5 * man - 0.25 * old, 0.12),
    }


def _colour(rng: np.random.Generator, person: Person) -> dict[str, object]:
    tone = float(np.clip(rng.normal(0.0, 1.0), -1.6, 2.2))  # positive is darker
    warmth = float(rng.normal(0, 1))
    base = np.array([0.61, 0.375, 0.250]) * 0.88**tone * np.array([1.0, 1 - 0.02 * warmth, 1 - 0.05 * warmth])
    brown = rng.uniform(0, 1) ** 2
    dyed = float(rng.uniform() < 0.35 and 16 < person.age < 60)
    hair = np.array([0.016, 0.013, 0.012]) + dyed * rng.uniform(0.2, 1) * np.array([0.075, 0.035, 0.016])
    return {
        "skin": tuple(float(v) for v in base),
        "iris": tuple(float(v) for v in np.array([0.045, 0.022, 0.012]) * (0.7 + 1.6 * brown)),
        "hair": _hair_style(rng, person),
        "hair_rgb": tuple(float(v) for v in hair),
        "grey": _grey(rng, person),
        "recede": float(person.gender == "male") * _ramp(person.age, 30, 75) * float(rng.beta(1.4, 1.6)),
        "volume": _near(rng, 1.0, 0.13),
        "part": float(rng.choice([-1, 1]) * rng.uniform(0.1, 0.6)),
        "spots": _ramp(person.age, 40, 85) * float(rng.uniform(0.3, 1)) + 0.06,
    }


def _grey(rng: np.random.Generator, person: Person) -> float:
    start = rng.normal(50, 6)
    share = _ramp(person.age, start, start + 24)
    hides = person.gender == "female" and rng.uniform() < 0.3  # dyes it
    return share * (0.25 if hides else 1.0)


def _hair_style(rng: np.random.Generator, person: Person) -> str:
    old = _ramp(person.age, 50, 70)
    if person.gender == "female":
        weights = np.array([0.34, 0.22, 0.20, 0.2, 0.02]) * (1 - old) + old * np.array([0.06, 0.03, 0.2, 0.21, 0.5])
        return str(rng.choice(HAIR_OF_WOMEN, p=weights / weights.sum()))
    weights = np.array([0.42, 0.2, 0.26, 0.12]) * (1 - old) + old * np.array([0.06, 0.34, 0.38, 0.22])
    return str(rng.choice(HAIR_OF_MEN, p=weights / weights.sum()))


def _childlike(traits: Traits) -> Traits:
    """Give a child's proportions: a big brow, a short soft lower face, wide eyes, no ridge."""
    y = traits.young
    return replace(
        traits,
        lower=traits.lower * (1 - 0.13 * y),
        upper=traits.upper * (1 + 0.05 * y),
        width=traits.width * (1 + 0.03 * y),
        jaw=traits.jaw * (1 - 0.03 * y),
        chin=traits.chin * (1 - 0.05 * y),
        fat=traits.fat + 0.55 * y,
        ridge=traits.ridge * (1 - y),
        nose_height=traits.nose_height * (1 - 0.35 * y),
        nose_length=traits.nose_length * (1 - 0.08 * y),
        eye_size=traits.eye_size * (1 + 0.1 * y),
        eye_open=traits.eye_open * (1 + 0.12 * y),
        mouth_width=traits.mouth_width * (1 - 0.1 * y),
        neck=traits.neck * (1 - 0.22 * y),
        shoulders=traits.shoulders * (1 - 0.28 * y),
        brow_thick=traits.brow_thick * (1 - 0.3 * y),
    )
