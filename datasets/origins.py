"""Where datasets and models come from, and how their owners want to be cited.

Citations are the owners' own, taken from the pages named as `home`; where an owner gives no BibTeX there is none here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Origin:
    """What is known of where something comes from.

    Attributes:
        name: As people call it.
        home: Where its owner publishes it; empty where that isn't a public page.
        terms: What its owner says of its use, in one or two sentences.
        bibtex: As the owner gives it; empty where none is given.
        reference: In words, where there is no BibTeX.
    """

    name: str
    home: str = ""
    terms: str = ""
    bibtex: str = ""
    reference: str = ""


_MEGA_AGE: Final = """
@inproceedings{huang2016unsupervised,
  author = {Yunxuan Zhang and Li Liu and Cheng Li and Chen Change Loy},
  title = {Quantifying Facial Age by Posterior of Age Comparisons},
  booktitle = {British Machine Vision Conference (BMVC)},
  year = {2017}
}
"""
_MEGA_AGE_TERMS: Final = "For non-commercial research; its owner's page has the terms."

SOURCES: Final = {
    "competition": Origin(
        "Boostcamp AI Tech mask image classification",
        terms="Handed out to those who enter the competition, for use in it.",
    ),
    "all-age-faces": Origin(
        "All-Age-Faces",
        "https://github.com/JingchunCheng/All-Age-Faces-Dataset",
        "Its owner states no licence, and asks for the paper to be cited.",
        """
@article{cheng2019exploiting,
  title={Exploiting effective facial patches for robust gender recognition},
  author={Cheng, Jingchun and Li, Yali and Wang, Jilong and Yu, Le and Wang, Shengjin},
  journal={Tsinghua Science and Technology},
  volume={24},
  number={3},
  pages={333--345},
  year={2019},
  publisher={TUP}
}
""",
    ),
    "mega-age": Origin("MegaAge", "https://github.com/zyx2012/Age_estimation_BMVC2017", _MEGA_AGE_TERMS, _MEGA_AGE),
    "mega-age-asian": Origin(
        "MegaAge-Asian", "https://github.com/zyx2012/Age_estimation_BMVC2017", _MEGA_AGE_TERMS, _MEGA_AGE
    ),
    "medical-masks": Origin(
        "Medical masks",
        "https://www.kaggle.com/tapakah68/medical-masks-part1",
        "Its terms are on its page on Kaggle, and each of its parts has a page of its own.",
        reference="Roman Kucev: 500 GB of images with people wearing masks. Kaggle.",
    ),
    "fairface": Origin(
        "FairFace",
        "https://github.com/joojs/fairface",
        "CC BY 4.0.",
        """
@inproceedings{karkkainenfairface,
  title={FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age for Bias Measurement and Mitigation},
  author={Karkkainen, Kimmo and Joo, Jungseock},
  booktitle={Proceedings of the IEEE/CVF Winter Conference on Applications of Computer Vision},
  year={2021},
  pages={1548--1558}
}
""",
    ),
}
"""By the name of the source. `fairface` has no reader of its own: it is what a folder of it is best called."""

LANDMARKS: Final = Origin(
    "dlib's predictor of 68 landmarks (shape_predictor_68_face_landmarks)",
    "https://github.com/davisking/dlib-models",
    "Trained on the iBUG 300-W dataset, whose licence excludes commercial use. Its author, who gave the model itself "
    "to the public domain, says that it therefore can't be used in a commercial product, and to ask a lawyer or "
    "Imperial College London.",
    reference="C. Sagonas, E. Antonakos, G. Tzimiropoulos, S. Zafeiriou, M. Pantic: 300 faces In-the-wild challenge: "
    "Database and results. Image and Vision Computing, 2016. V. Kazemi, J. Sullivan: One Millisecond Face Alignment "
    "with an Ensemble of Regression Trees. CVPR 2014.",
)
"""What places every mask, unless landmarks of another kind were handed to the engine."""

EMBEDDING: Final = Origin(
    "dlib's face recognition network (dlib_face_recognition_resnet_model_v1)",
    "https://github.com/davisking/dlib-models",
    "Given to the public domain by its author; trained on FaceScrub, VGG Face and pictures gathered from the internet.",
)
"""What genders are predicted from."""


def origin_of(source: str) -> Origin:
    """Returns what is known of a source; of one that isn't known, only its name."""
    return SOURCES.get(source, Origin(source))
