"""Look at every image of Stage I before training: does it decode, is it whole, does it show anything, is its label
the only one?

Images are untrusted, so child processes with a limit on memory and time decode them; a crash costs one image.
"""

import hashlib
import logging
import stat
from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import chain, zip_longest
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from kornia_rs.io import decode_image_jpegturbo
from PIL import Image, UnidentifiedImageError

from frame_expressions.corpora.faulty_images import (
    IN_VALIDATION,
    MISSING,
    ONE_COLOUR,
    TOO_SMALL,
    TRUNCATED,
    TWO_EXPRESSIONS,
    UNDECODABLE,
    FaultyImage,
    Place,
    places_of,
)
from frame_expressions.corpora.image_sets import ImageSet
from frame_expressions.encoders.preprocessing import FORMATS, decode
from frame_expressions.media.child_process import decode_in_child
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import MediaError
from frame_expressions.runtime.failures import LIMITS as LIMITS_OF_THE_MACHINE
from frame_expressions.runtime.job import progress

LEAST_SIDE_PX = 20
"""An eye is about a fifth of a face wide, so 4 px here. Faces of the usual image sets have 48 px (FER) or more."""

# Pillow refuses images of more than 179 million pixels, and needs less than this for the largest ones it accepts. The
# other limits are for videos.
LIMITS = Limits(frame_timeout_s=60, frame_pixels=0, num_frames=0, video_s=0, memory_mb=2000)

_SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
_DETAIL_CHARACTERS = 200


class Look(NamedTuple):
    """What a look at one image found. fault: empty if it is fine. digest: of the file's bytes; empty if unread.

    is_misnamed: the image has another format than the file's suffix says, which does no harm.
    """

    fault: str = ""
    detail: str = ""
    digest: bytes = b""
    is_misnamed: bool = False


def find_faulty_images(image_sets: Sequence[dict], found: Sequence[ImageSet], num_processes: int) -> list[FaultyImage]:
    """The faulty images of all sets, in the order of the sets. image_sets: as configured; found: their images."""
    places = [place for item, images in zip(image_sets, found, strict=True) for place in places_of(item, images)]
    paths = [path for images in found for path in images.paths]
    looks = list(progress(look_at_images(paths, num_processes), len(paths), "checked", "images"))
    looks = _compare(places, looks)
    logging.info("%d images have another format than their suffix says", sum(look.is_misnamed for look in looks))
    return [
        FaultyImage(*place, look.fault, look.detail) for place, look in zip(places, looks, strict=True) if look.fault
    ]


def look_at_images(paths: Sequence[Path], num_processes: int) -> Iterator[Look]:
    """A look at each image, in order. The processes share the images, and run ahead of the reader by some hundred."""
    shares = [_looks(paths[start::num_processes]) for start in range(num_processes)]
    return (look for look in chain.from_iterable(zip_longest(*shares)) if look is not None)


def look_at(path: Path) -> Look:
    """Decode an image as training does, and strictly. Raises only what is not the file's fault."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "neither a file nor a folder"
            return Look(UNDECODABLE, f"is {kind}")
        content = path.read_bytes()
    except FileNotFoundError:
        return Look(MISSING, "does not exist")
    except OSError as error:
        _raise_if_of_the_machine(error)
        return Look(UNDECODABLE, f"cannot be read ({error.strerror})")
    digest = hashlib.blake2b(content, digest_size=16).digest()
    try:
        rgb = decode(content)
        with Image.open(BytesIO(content), formats=FORMATS) as opened:  # reads the header only
            image_format, mode = opened.format, opened.mode
    except MemoryError:
        raise
    except Exception as error:  # any: a hostile file can make a decoder raise anything
        _raise_if_of_the_machine(error)
        return Look(UNDECODABLE, _reason(content, error), digest)
    fault, detail = "", ""
    height, width = rgb.shape[:2]
    if min(height, width) < LEAST_SIDE_PX:
        fault, detail = TOO_SMALL, f"has {width} x {height} pixels, fewer than {LEAST_SIDE_PX} a side"
    elif (rgb[::16, ::16] == rgb[0, 0]).all() and (rgb == rgb[0, 0]).all():  # the first is fast, and decides most
        fault, detail = ONE_COLOUR, f"is {width} x {height} pixels of one colour"
    elif image_format in ("JPEG", "MPO") and mode in ("L", "RGB") and _ends_early(content):
        fault, detail = TRUNCATED, "has no data for its last part, which decodes to a plain area"
    return Look(fault, detail, digest, _is_misnamed(path, image_format))


def _looks(paths: Sequence[Path]) -> Iterator[Look]:
    """A look at each image, by a child process; another one continues after an image that ends the child."""
    done = 0
    while done < len(paths):
        first = paths[done]
        try:
            for look in decode_in_child(partial(map, look_at, paths[done:]), first, LIMITS):
                yield look
                done += 1
        except MediaError as error:
            detail = error.what.removeprefix(f"{first} ")
            if error.depends_on:  # a limit, which users cannot set here
                detail = f"takes more than {LIMITS.frame_timeout_s:g} s or {LIMITS.memory_mb} MB to decode"
            yield Look(UNDECODABLE, detail)
            done += 1


def _ends_early(jpeg: bytes) -> bool:
    """Whether the data of a JPEG end before its last row, although the file has an end marker.

    Pillow decodes such a file to a plain area without an error. Two decoders that raise must agree: each of them alone
    also refuses some intact files with unusual headers.
    """
    try:
        decode_image_jpegturbo(jpeg, "mono")
        return False
    except Exception:  # it raises several types
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.thread_count = 1
        decoder.options = {"err_detect": "explode"}
        try:
            decoder.decode(av.Packet(jpeg))
        except av.error.InvalidDataError:
            return True
        except av.error.FFmpegError:  # a kind of JPEG that FFmpeg does not decode
            return False
    return False


def _compare(places: Sequence[Place], looks: Sequence[Look]) -> list[Look]:
    """The looks, with the faults that only several images together show: the same bytes, listed several times."""
    copies: dict[bytes, list[int]] = {}
    for number, look in enumerate(looks):
        if not look.fault:
            copies.setdefault(look.digest, []).append(number)
    compared = list(looks)
    num_harmless = 0
    for numbers in copies.values():
        for number in numbers if len(numbers) > 1 else []:
            others = [places[other] for other in numbers if other != number]
            fault, detail = _fault_of_copy(places[number], others)
            compared[number] = looks[number]._replace(fault=fault, detail=detail)
            num_harmless += not fault
    logging.info("%d images have a copy with the same expression in the same split", num_harmless)
    return compared


def _fault_of_copy(place: Place, others: Sequence[Place]) -> tuple[str, str]:
    """What is wrong with an image whose bytes are also listed as `others`, and the detail; empty if nothing is."""
    other = next((other for other in others if other.expression != place.expression), None)
    if other:
        return TWO_EXPRESSIONS, f"has the same bytes as {other.path} of {other.image_set}, listed as {other.expression}"
    other = next((other for other in others if other.split == "validation"), None)
    if other and place.split == "train":
        return IN_VALIDATION, f"has the same bytes as the validation image {other.path} of {other.image_set}"
    return "", ""


def _reason(content: bytes, error: Exception) -> str:
    """Why an image does not decode, as one line without an address in memory."""
    if not content:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"cannot be decoded as {', '.join(FORMATS)}"
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be decoded ({text[:_DETAIL_CHARACTERS]})"


def _is_misnamed(path: Path, image_format: str) -> bool:
    named = _SUFFIXES.get(path.suffix.lower())
    return named is not None and named != {"MPO": "JPEG"}.get(image_format, image_format)


def _raise_if_of_the_machine(error: Exception) -> None:
    """Raise an error that says nothing about the image, such as too many open files."""
    if isinstance(error, OSError) and error.errno in LIMITS_OF_THE_MACHINE:
        raise error
