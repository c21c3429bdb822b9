"""Checks of what looks at pictures: OpenCV, dlib and the model files."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from importlib import metadata
from pathlib import Path

from pipelines.doctor.check import Check, Status
from pipelines.doctor.installation import Installation
from pipelines.doctor.probes import Probe, run_probe

OPENCV_NAMES = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
# Each OpenCV distribution fills the same folder, so that after removing one the others are broken too.
ONE_OPENCV = "pip uninstall -y {names} && pip install 'opencv-python-headless>=4.10,<5'"
ONE_DLIB = "pip uninstall -y dlib dlib-bin && pip install 'dlib-bin>=20.0.1'"

OPENCV_PROBE = """
import cv2
import numpy as np
grey = (np.indices((48, 64)).sum(axis=0) % 256).astype(np.uint8)
picture = np.dstack([grey, grey[::-1], 255 - grey])
written, png = cv2.imencode(".png", picture)
exact = bool(written) and bool(np.array_equal(cv2.imdecode(png, cv2.IMREAD_COLOR), picture))
written, jpeg = cv2.imencode(".jpg", picture)
close = bool(written) and float(np.abs(cv2.imdecode(jpeg, cv2.IMREAD_COLOR).astype(int) - picture).mean()) < 16
answer = {"version": cv2.__version__, "png": exact, "jpeg": bool(close), "threads": cv2.getNumThreads()}
"""
DLIB_PROBE = """
import dlib
import numpy as np
faces = dlib.get_frontal_face_detector()(np.full((96, 96), 127, dtype=np.uint8), 0)
answer = {
    "version": dlib.__version__,
    "faces": len(faces),
    "avx": bool(getattr(dlib, "USE_AVX_INSTRUCTIONS", False)),
    "neon": bool(getattr(dlib, "USE_NEON_INSTRUCTIONS", False)),
    "cuda": bool(getattr(dlib, "DLIB_USE_CUDA", False)),
}
"""
MODEL_PACKAGE = "face_recognition_models"
MODEL_FILES = {
    "shape_predictor_68_face_landmarks.dat": "68 landmarks",
    "mmod_human_face_detector.dat": "face detector",
    "dlib_face_recognition_resnet_model_v1.dat": "face embedding",
}


def check_opencv(installation: Installation) -> list[Check]:
    """See that one OpenCV 4 is installed, and that it writes and reads a picture."""
    present = [name for name in OPENCV_NAMES if installation.version(name)]
    shown = ", ".join(f"{name} {installation.version(name)}" for name in present)
    repair = ONE_OPENCV.format(names=" ".join(present or ["opencv-python-headless"]))
    if not present:
        return [Check("opencv", "fail", "not installed", "pip install 'opencv-python-headless>=4.10,<5'")]
    if len(present) > 1:
        return [Check("opencv", "fail", f"{shown}: they overwrite each other's files; only one may be there", repair)]
    probe = run_probe(OPENCV_PROBE)
    if probe.trouble:
        hint = "; opencv-python-headless needs no libGL" if "libGL" in probe.trouble else ""
        return [Check("opencv", "fail", f"{shown} does not work: {probe.trouble}{hint}", repair)]
    return [_judge_opencv(shown, probe, repair)]


def _judge_opencv(shown: str, probe: Probe, repair: str) -> Check:
    version, threads = str(probe.answer["version"]), probe.answer["threads"]
    if not version.startswith("4."):
        return Check("opencv", "fail", f"version {version}; palette needs 4.10 or later, below 5", repair)
    broken = [kind for kind in ("png", "jpeg") if not probe.answer[kind]]
    if broken:
        return Check("opencv", "fail", f"{shown} does not give back the {' and '.join(broken)} it wrote", repair)
    return Check("opencv", "ok", f"{shown}, one install, PNG and JPEG written and read back, {threads} threads")


def check_dlib(installation: Installation) -> list[Check]:
    """See that one dlib is installed and that its detector runs on this processor."""
    compiled, wheel = installation.version("dlib"), installation.version("dlib-bin")
    if compiled and wheel:
        found = f"dlib {compiled} and dlib-bin {wheel} are both installed and overwrite each other's module"
        return [Check("dlib", "fail", found, ONE_DLIB)]
    if not compiled and not wheel:
        return [Check("dlib", "fail", "not installed", "pip install 'dlib-bin>=20.0.1'")]
    probe = run_probe(DLIB_PROBE)
    if probe.trouble:
        why = " (this processor lacks instructions it was built for, AVX most likely)" if _illegal(probe) else ""
        todo = "pip uninstall -y dlib-bin && pip install dlib compiles one for it" if why else ONE_DLIB
        return [Check("dlib", "fail", f"does not work: {probe.trouble}{why}", todo)]
    name = f"dlib-bin {wheel}" if wheel else f"dlib {compiled}, compiled here"
    return [_judge_dlib(name, probe)]


def _illegal(probe: Probe) -> bool:
    return probe.trouble.endswith("SIGILL")


def _judge_dlib(name: str, probe: Probe) -> Check:
    fast = [label for label, key in (("AVX", "avx"), ("NEON", "neon"), ("CUDA", "cuda")) if probe.answer[key]]
    found = f"{name}, its detector runs, {', '.join(fast) or 'no vector instructions'}"
    if fast:
        return Check("dlib", "ok", found)
    return Check("dlib", "warn", f"{found}: finding faces will be several times slower", ONE_DLIB)


def check_models() -> list[Check]:
    """Find the model files without importing their package, which needs a module that setuptools 82 dropped."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    todo = "pip install --no-deps --force-reinstall 'face-recognition-models>=0.3,<1'"
    if spec is None or not spec.submodule_search_locations:
        return [Check("model files", "fail", "the package face-recognition-models is not installed", todo)]
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    recorded = _recorded_hashes()
    return [_check_model(folder / name, what, recorded.get(name, ""), todo) for name, what in MODEL_FILES.items()]


def _check_model(path: Path, what: str, recorded: str, todo: str) -> Check:
    name = f"model {what}"
    if not path.is_file():
        return Check(name, "fail", f"{path.name} is missing from {path.parent}", todo)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").digest()
    found = f"{path.name}, {path.stat().st_size / 1e6:.1f} MB, sha256 {digest.hex()[:12]}"
    if recorded and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != recorded:
        return Check(name, "fail", f"{found}: not the file that was installed; it is damaged or changed", todo)
    status: Status = "ok" if recorded else "info"
    return Check(name, status, found if recorded else f"{found}; the install kept no hash to compare with", "")


def _recorded_hashes() -> dict[str, str]:
    """File name -> base64 sha256, as pip wrote them down when it installed the package."""
    try:
        files = metadata.files(MODEL_PACKAGE.replace("_", "-")) or []
    except metadata.PackageNotFoundError:
        return {}
    return {file.name: file.hash.value for file in files if file.hash and file.hash.mode == "sha256"}
