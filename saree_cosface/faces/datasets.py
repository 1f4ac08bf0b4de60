"""What each face data set is and who gives it out, and folders with one sub-folder a person.

No data set is downloaded: each has terms that its user has to accept. ``data_cards/faces.md`` says what they are.
"""

import errno
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.images import BadImage
from saree_cosface.data.photos import find_photos


class FaceDataError(ValueError):
    """A list, folder or file of a face data set is not as its format demands; the message says where and how."""


@dataclass(frozen=True)
class FaceSet:
    """A data set, for messages.

    Attributes:
        title: its full name.
        page: where its owners give it out, or gave.
        note: what else to know before asking there.
    """

    title: str
    page: str
    note: str = ""


LFW = FaceSet("Labeled Faces in the Wild (LFW)", "http://vis-www.cs.umass.edu/lfw/")
YTF = FaceSet("YouTube Faces (YTF)", "https://www.cs.tau.ac.il/~wolf/ytfaces/")
CFP = FaceSet("Celebrities in Frontal-Profile in the Wild (CFP)", "http://www.cfpw.io/")
AGEDB = FaceSet(
    "AgeDB", "https://ibug.doc.ic.ac.uk/resources/agedb/", "Its owners hand it to researchers who write to them."
)
CALFW = FaceSet("Cross-Age LFW (CALFW)", "http://whdeng.cn/CALFW/")
CPLFW = FaceSet("Cross-Pose LFW (CPLFW)", "http://whdeng.cn/CPLFW/")
CASIA_WEBFACE = FaceSet(
    "CASIA-WebFace",
    "http://www.cbsr.ia.ac.cn/",
    "The Institute of Automation, Chinese Academy of Sciences, gave it out to researchers who signed a form.",
)
TRAINING = FaceSet(
    "a training set such as CASIA-WebFace", CASIA_WEBFACE.page, "Any folder of people will do: PERSON/PHOTO."
)
FACESCRUB = FaceSet("FaceScrub", "http://vintage.winklerbros.net/facescrub.html")
FGNET = FaceSet("FG-NET", "https://yanweifu.github.io/FG_NET_data/")
MEGAFACE = FaceSet(
    "MegaFace",
    "http://megaface.cs.washington.edu/",
    "The University of Washington decommissioned it in 2020 and gives it out no longer.",
)
INSIGHTFACE_BINS = FaceSet(
    "the verification sets packed as .bin by InsightFace", "https://github.com/deepinsight/insightface"
)


@dataclass(frozen=True)
class Identities:
    """Photos to train on.

    Attributes:
        files: (N,) photos, sorted by person and name.
        labels: (N,) which person each shows, an index into ``names``.
        names: (C,) folder name of each person, sorted.
        bad: what looks like a photo by its name but cannot be one, with the reason; not among the files.
    """

    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    bad: tuple[BadImage, ...] = ()

    def __len__(self) -> int:
        return len(self.files)


def require(path: Path | str, data: FaceSet, what: str) -> Path:
    """``path``, if there is something at it.

    Args:
        path: file or folder of a data set.
        data: whose part it is.
        what: the part, as in "the list of pairs of View 2 (pairs.txt)".

    Raises:
        FileNotFoundError: nothing is there; the message says which file is missing, what it is, and where its owners
            give it out.
    """
    path = Path(path)
    if path.exists():
        return path
    note = f" {data.note}" if data.note else ""
    told = f"no such file or folder; it should be {what} of {data.title}, whose page is {data.page}.{note}"
    raise FileNotFoundError(errno.ENOENT, told, str(path))


def read_identities(folder: Path | str, min_photos: int = 1, *, data: FaceSet = CASIA_WEBFACE) -> Identities:
    """Photos below a folder with one sub-folder a person, as in CASIA-WebFace and Challenge 2 of MegaFace.

    A person's photos may lie deeper still. Which photos can be decoded is found out when they are read.

    Args:
        folder: holds ``person/photo``.
        min_photos: people with fewer photos are left out.
        data: the data set, named when the folder is missing.

    Raises:
        FaceDataError: a photo lies in no person's folder, or nobody is left.
        FileNotFoundError: there is no such folder.
        NotADirectoryError: it is a file.
        ValueError: ``min_photos`` < 1.
    """
    if min_photos < 1:
        raise ValueError(f"min_photos is {min_photos}; a person has at least 1 photo")
    folder = require(folder, data, "a folder with one sub-folder of photos a person")
    photos, bad = find_photos(folder)
    people = [photo.relative_to(folder).parts[0] for photo in photos]
    for photo, person in zip(photos, people, strict=True):
        if photo == folder / person:
            raise FaceDataError(f"{photo}: lies in no person's folder; photos are expected at {folder}/PERSON/PHOTO")
    sizes = Counter(people)
    names = tuple(sorted(person for person, size in sizes.items() if size >= min_photos))
    if not names:
        raise FaceDataError(
            f"{folder}: nobody has {min_photos} photos or more ({len(photos)} photos of {len(sizes)} people found)"
        )
    label = {name: index for index, name in enumerate(names)}
    kept = [(photo, label[person]) for photo, person in zip(photos, people, strict=True) if person in label]
    kept.sort(key=lambda entry: (entry[1], entry[0]))
    files, labels = zip(*kept, strict=True)
    return Identities(files, np.array(labels, dtype=np.int64), names, tuple(bad))
