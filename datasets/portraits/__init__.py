"""Portraits of people who don't exist, drawn by code: head, hair, clothes and masks, lit and photographed."""

from datasets.portraits.camera import Pose, sample_pose
from datasets.portraits.draw import Portrait, draw_person, draw_portrait
from datasets.portraits.light import Light, sample_light
from datasets.portraits.masks import WornMask
from datasets.portraits.person import Person, Traits, sample_traits

__all__ = [
    "Light",
    "Person",
    "Portrait",
    "Pose",
    "Traits",
    "WornMask",
    "draw_person",
    "draw_portrait",
    "sample_light",
    "sample_pose",
    "sample_traits",
]
