"""Enrolment: from a picture to a person's vector, or the reason why that picture won't do."""

from archive.people.enrolment import Candidate, Enrolment, Examined, Refusal, SeenFace
from archive.people.errors import PictureError
from archive.people.models import FaceModels
from archive.people.pictures import crop, opened
from stream.identity import Cohort, Gallery, Person
from stream.identity.gallery import Vector
from stream.vision.image import Picture
from stream.vision.session import SessionOptions

__all__ = [
    "Candidate",
    "Cohort",
    "Enrolment",
    "Examined",
    "FaceModels",
    "Gallery",
    "Person",
    "Picture",
    "PictureError",
    "Refusal",
    "SeenFace",
    "SessionOptions",
    "Vector",
    "crop",
    "opened",
]
