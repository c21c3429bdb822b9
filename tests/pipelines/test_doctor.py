"""`palette doctor`: each failure is made to happen, in folders and servers of the test's own."""

from __future__ import annotations

import base64
import hashlib
import http.server
import importlib.metadata
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.requirements import Requirement
from typer.testing import CliRunner

from pipelines.commands.doctor import doctor, verdict
from pipelines.doctor import Check, is_healthy, machine, orchestration, packages, vision
from pipelines.doctor.check import guarded
from pipelines.doctor.examination import run_examiners
from pipelines.doctor.installation import Installation
from pipelines.doctor.probes import Probe, run_probe

REQUIREMENTS = (
    "numpy<3,>=2.1",
    "dlib-bin>=20.0.1",
    "torch>=2.6; extra == 'train'",
    "prefect<3.9; extra == 'pipelines'",
)


def installation(**versions: str) -> Installation:
    """Distributions named by keyword, `_` for `-`, beside palette's own."""
    present = {name.replace("_", "-"): version for name, version in versions.items()}
    return Installation({"palette-faces": "0.1.0", **present}, tuple(map(Requirement, REQUIREMENTS)), ">=3.11")


def install(site: Path, name: str, version: str, *lines: str, record: str = "") -> None:
    """Put the metadata of a distribution into a site folder, as pip leaves it."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    head = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines)
    (folder / "METADATA").write_text("\n".join(head) + "\n", encoding="utf-8")
    (folder / "RECORD").write_text(record, encoding="utf-8")


def module(site: Path, name: str, code: str) -> None:
    """Put a package that runs `code` when imported into a site folder."""
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(code, encoding="utf-8")


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def only(checks: list[Check]) -> Check:
    (check,) = checks
    return check


def test_installation_is_read_from_a_site_folder(tmp_path: Path) -> None:
    lines = ("Requires-Python: >=3.11", "Requires-Dist: numpy>=2.1", "Requires-Dist: ray>=2; extra == 'ray'")
    install(tmp_path, "palette-faces", "9.9", *lines)
    install(tmp_path, "Some.Package", "1.0")
    found = Installation.read([str(tmp_path)])
    assert found.versions == {"palette-faces": "9.9", "some-package": "1.0"}
    assert found.requires_python == ">=3.11"
    assert [item.name for item in found.wanted(None)] == ["numpy"]
    assert [item.name for item in found.wanted("ray")] == ["ray"]
    assert found.wanted("train") == []


def test_requirements_of_other_systems_are_not_wanted() -> None:
    found = Installation({}, (Requirement("pywin32; sys_platform == 'none-such'"),))
    assert found.wanted(None) == []


def test_python_must_be_in_range_and_hold_palette() -> None:
    assert only(packages.check_python(installation())).status == "ok"
    too_old = Installation({"palette-faces": "0.1.0"}, (), ">=4")
    assert only(packages.check_python(too_old)).status == "fail"
    assert "make set-up" in only(packages.check_python(Installation({}))).todo


def test_a_missing_base_package_fails_and_a_missing_extra_warns() -> None:
    checks = by_name(packages.check_packages(installation(numpy="2.2.0", prefect="3.8.1")))
    assert checks["packages"].status == "fail"
    assert "missing: dlib-bin" in checks["packages"].found
    assert "pip install --no-deps 'dlib-bin>=20.0.1'" in checks["packages"].todo
    assert checks["extra train"].status == "warn"
    assert "pip install 'torch>=2.6'" in checks["extra train"].todo
    assert checks["extra pipelines"].status == "ok"


def test_a_version_out_of_range_is_named_with_the_range() -> None:
    checks = by_name(packages.check_packages(installation(numpy="1.26.4", dlib_bin="20.0.1.post1", prefect="3.9.0")))
    assert checks["packages"].status == "fail"
    assert "numpy 1.26.4 where <3,>=2.1" in checks["packages"].found
    assert checks["extra pipelines"].status == "warn"


def test_the_rooms_are_palettes_own() -> None:
    assert only(packages.check_names(installation())).status == "ok"


def test_hugging_face_datasets_beside_palettes_warns() -> None:
    check = only(packages.check_names(installation(datasets="3.1.0")))
    assert check.status == "warn"
    assert check.todo == "pip uninstall datasets"


@pytest.mark.parametrize(("versions", "todo"), [({"datasets": "3.1.0"}, "pip uninstall datasets"), ({}, "PYTHONPATH")])
def test_another_datasets_on_the_path_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], todo: str
) -> None:
    module(tmp_path, "datasets", "raise SystemExit('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "datasets", raising=False)
    check = only(packages.check_names(installation(**versions)))
    assert check.status == "fail"
    assert str(tmp_path.resolve()) in check.found
    assert todo in check.todo


def test_opencv_that_is_installed_here_works() -> None:
    assert only(vision.check_opencv(Installation.read())).status == "ok"


def test_two_opencvs_fail_with_the_line_that_repairs_them() -> None:
    both = installation(opencv_python="4.10.0.84", opencv_python_headless="4.14.0.94")
    check = only(vision.check_opencv(both))
    assert check.status == "fail"
    assert check.todo.startswith("pip uninstall -y opencv-python opencv-python-headless && pip install")


def test_no_opencv_fails() -> None:
    assert only(vision.check_opencv(installation())).status == "fail"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ImportError('libGL.so.1: cannot open shared object file')", "needs no libGL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("__version__ = '4.14.0'", "has no attribute"),
    ],
    ids=["libGL", "killed", "emptied"],
)
def test_an_opencv_that_does_not_import_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    module(tmp_path, "cv2", code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = only(vision.check_opencv(installation(opencv_python_headless="4.14.0")))
    assert check.status == "fail"
    assert told in check.found


def answers(monkeypatch: pytest.MonkeyPatch, room: Any, **answer: Any) -> None:
    monkeypatch.setattr(room, "run_probe", lambda _code: Probe(answer=answer))


def test_opencv_5_and_one_that_garbles_pictures_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    here = installation(opencv_python_headless="4.14.0")
    answers(monkeypatch, vision, version="5.0.0", png=True, jpeg=True, threads=1)
    assert "below 5" in only(vision.check_opencv(here)).found
    answers(monkeypatch, vision, version="4.14.0", png=True, jpeg=False, threads=1)
    check = only(vision.check_opencv(here))
    assert check.status == "fail"
    assert "does not give back the jpeg" in check.found


def test_dlib_that_is_installed_here_works() -> None:
    assert only(vision.check_dlib(Installation.read())).status in {"ok", "warn"}


def test_two_dlibs_or_none_fail() -> None:
    check = only(vision.check_dlib(installation(dlib="19.24", dlib_bin="20.0.1")))
    assert check.status == "fail"
    assert "pip uninstall -y dlib dlib-bin" in check.todo
    assert only(vision.check_dlib(installation())).status == "fail"


def test_a_processor_without_avx_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, "dlib", "import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = only(vision.check_dlib(installation(dlib_bin="20.0.1")))
    assert check.status == "fail"
    assert "SIGILL" in check.found
    assert "compiles one" in check.todo


def test_a_dlib_without_vector_instructions_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, vision, version="20.0.1", faces=0, avx=False, neon=False, cuda=False)
    check = only(vision.check_dlib(installation(dlib="20.0.1")))
    assert check.status == "warn"
    assert "compiled here" in check.found


def test_model_files_that_are_installed_here_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # Another test may have imported it, to compare with.
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    checks = vision.check_models()
    assert len(checks) == len(vision.MODEL_FILES)
    assert {check.status for check in checks} == {"ok"}
    assert "face_recognition_models" not in sys.modules


@pytest.fixture
def model_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with a package of small model files; the package itself cannot be imported."""
    module(tmp_path, "face_recognition_models", "raise ImportError('No module named pkg_resources')")
    folder = tmp_path / "face_recognition_models" / "models"
    folder.mkdir()
    record = []
    for name in vision.MODEL_FILES:
        (folder / name).write_bytes(name.encode())
        digest = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).rstrip(b"=").decode()
        record.append(f"face_recognition_models/models/{name},sha256={digest},{len(name)}")
    install(tmp_path, "face-recognition-models", "0.3.0", record="\n".join(record))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    return folder


def test_models_are_found_without_importing_their_package(model_site: Path) -> None:
    assert {check.status for check in vision.check_models()} == {"ok"}


def test_a_missing_and_a_damaged_model_file_fail(model_site: Path) -> None:
    missing, damaged, *_ = (model_site / name for name in vision.MODEL_FILES)
    missing.unlink()
    damaged.write_bytes(b"half a download")
    told = [(check.status, check.found) for check in vision.check_models()]
    assert [status for status, _ in told] == ["fail", "fail", "ok"]
    assert "is missing from" in told[0][1]
    assert "damaged" in told[1][1]


def test_models_without_a_recorded_hash_are_only_a_fact(model_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[Any]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(vision.metadata, "files", absent)
    assert {check.status for check in vision.check_models()} == {"info"}


def test_no_model_package_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision, "MODEL_PACKAGE", "no_such_package_of_models")
    assert only(vision.check_models()).status == "fail"


@pytest.mark.parametrize(("free_gb", "status"), [(100.0, "ok"), (2.0, "warn"), (0.05, "fail")])
def test_free_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, status: str) -> None:
    usage = machine.shutil.disk_usage(tmp_path)._replace(free=int(free_gb * 1e9))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _folder: usage)
    assert by_name(machine.check_machine(tmp_path))["disk"].status == status


def test_little_memory_and_file_names_in_ascii_warn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_memory_gb", lambda: 2.0)
    monkeypatch.setattr(machine.sys, "getfilesystemencoding", lambda: "ascii")
    checks = by_name(machine.check_machine(tmp_path))
    assert checks["machine"].status == "warn"
    assert checks["file names"].status == "warn"


TORCH = {"version": "2.15", "torchvision": "0.29", "threads": 2, "built_for": "13.2", "mps": False}


@pytest.mark.parametrize(("devices", "status"), [([], "info"), (["Some GPU"], "ok")])
def test_a_gpu_or_none_is_a_fact(monkeypatch: pytest.MonkeyPatch, devices: list[str], status: str) -> None:
    answers(monkeypatch, machine, **TORCH, devices=devices)
    checks = by_name(machine.check_torch(installation(torch="2.15")))
    assert checks["torch"].status == "ok"
    assert checks["GPU"].status == status
    assert is_healthy(checks.values())


def test_torch_that_is_missing_is_a_fact_and_one_that_breaks_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(machine.check_torch(installation())).status == "info"
    trouble = Probe(trouble="RuntimeError: operator torchvision::nms does not exist")
    monkeypatch.setattr(machine, "run_probe", lambda _code: trouble)
    check = only(machine.check_torch(installation(torch="2.15")))
    assert check.status == "warn"
    assert "as a pair" in check.todo


@pytest.fixture
def health_server() -> Iterator[tuple[str, dict[str, int]]]:
    """A server whose /api/health answers with the status in the returned mapping."""
    reply = {"status": 200}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(reply["status"] if self.path == "/api/health" else 404)
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", reply
    server.shutdown()
    server.server_close()


def test_a_server_is_reached_through_its_health(health_server: tuple[str, dict[str, int]]) -> None:
    root, reply = health_server
    assert orchestration.reach(f"{root}/api") == ""
    assert "should end in /api" in orchestration.reach(root)
    reply["status"] = 401
    assert orchestration.reach(f"{root}/api") == ""
    assert orchestration.reach("ftp://127.0.0.1/api") == "not an http address"


PREFECT = {"profile": "local", "api_url": "", "ephemeral": True, "analytics": False, "plugins": True}


def prefect_checks(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Check]:
    answers(monkeypatch, orchestration, **{**PREFECT, **changes})
    return by_name(orchestration.check_prefect(installation(prefect="3.8.8")))


def test_prefect_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = prefect_checks(monkeypatch)
    assert {check.status for check in checks.values()} == {"ok"}
    assert "profile local" in checks["prefect server"].found


def test_prefect_without_a_server_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = prefect_checks(monkeypatch, api_url="http://127.0.0.1:9/api")["prefect server"]
    assert silent.status == "warn"
    assert "does not answer" in silent.found
    assert prefect_checks(monkeypatch, ephemeral=False)["prefect server"].status == "warn"


def test_prefect_telemetry_and_plugins_switched_off_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    checks = prefect_checks(monkeypatch, analytics=True, plugins=False)
    assert checks["prefect telemetry"].status == "warn"
    assert "PREFECT_PLUGINS_ENABLED=true" in checks["bare deployment name"].todo


def test_an_unregistered_plugin_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration, "PLUGIN_NAME", "no-such-plugin")
    assert "not registered" in prefect_checks(monkeypatch)["bare deployment name"].found


def test_prefect_that_does_not_import_warns_and_a_missing_one_is_left_to_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, "prefect", "raise TypeError('Body() got an unexpected keyword argument')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = only(orchestration.check_prefect(installation(prefect="3.8.8")))
    assert check.status == "warn"
    assert "unexpected keyword" in check.found
    assert orchestration.check_prefect(installation()) == []


def test_prefect_settings_are_read_as_a_flow_would_see_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_PLUGINS_ENABLED", "true")
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "true")
    answer = run_probe(orchestration.PREFECT_PROBE).answer
    assert (answer["api_url"], answer["plugins"], answer["analytics"]) == ("http://127.0.0.1:9/api", True, True)


def test_probes_tell_a_late_answer_and_a_silent_end() -> None:
    assert "no answer after" in run_probe("import time; time.sleep(60)", seconds=0.5).trouble
    assert run_probe("raise SystemExit(3)").trouble == "exit status 3 and no message"
    assert run_probe("import no_such_module").trouble == "ModuleNotFoundError: No module named 'no_such_module'"
    assert run_probe("print('noise'); answer = {'a': 1}").answer == {"a": 1}


def test_a_fault_in_one_check_hides_no_other() -> None:
    def broken() -> list[Check]:
        raise KeyError("surprise")

    seen: list[tuple[int, int]] = []
    wanted = [("first", broken), ("second", lambda: [Check("second", "ok", "fine")])]
    checks = run_examiners(wanted, lambda done, total: seen.append((done, total)))
    assert [(check.name, check.status) for check in checks] == [("first", "warn"), ("second", "ok")]
    assert "KeyError" in checks[0].found
    assert seen == [(1, 2), (2, 2)]
    assert guarded("x", broken)[0].status == "warn"


def run_doctor(monkeypatch: pytest.MonkeyPatch, checks: list[Check], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("pipelines.doctor.examine", lambda _progress=None: checks)
    app = typer.Typer()
    app.command()(doctor)
    ended = CliRunner().invoke(app, list(arguments))
    return ended.exit_code, ended.stdout


GOOD, ODD, BAD = (
    Check("a", "ok", "fine"),
    Check("b", "warn", "[odd]", "do [this]"),
    Check("c", "fail", "broken", "mend"),
)


@pytest.mark.parametrize(("checks", "code"), [([GOOD], 0), ([GOOD, ODD], 0), ([GOOD, ODD, BAD], 1)])
def test_only_what_is_needed_sets_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, checks: list[Check], code: int
) -> None:
    assert run_doctor(monkeypatch, checks)[0] == code
    ended, text = run_doctor(monkeypatch, checks, "--json")
    assert ended == code
    assert json.loads(text)["healthy"] is (code == 0)
    assert [check["name"] for check in json.loads(text)["checks"]] == [check.name for check in checks]


def test_a_log_gets_lines_that_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = run_doctor(monkeypatch, [GOOD, Check("c", "fail", "broken", "pip install " + "x" * 300)])
    assert text.splitlines()[:3] == ["ok    a: fine", "fail  c: broken", "      do: pip install " + "x" * 300]
    assert "1 of 2 checks failed, 0 warnings:" in text
    assert verdict([GOOD, ODD]) == "everything palette needs works; 1 warning"


def test_a_terminal_gets_a_table_with_brackets_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    _, text = run_doctor(monkeypatch, [GOOD, ODD, BAD])
    assert "what to do" in text
    assert "[odd]" in text
    assert "do [this]" in text
