"""The node beside a real PACS: Orthanc, fed and asked by dcmtk, over C-STORE and over DICOMweb."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from node_peers import FAST, series_of, until
from orthanc import Orthanc, run_tool, skip_without_orthanc, tool
from served import free_port

from tumorscan.app.node.peer import Peer

# A PACS passes pictures on one by one; on a slow machine they come far apart.
CALM = replace(FAST, quiet=2)


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    skip_without_orthanc()
    one = Orthanc(tmp_path / "orthanc")
    yield one
    one.stop()


def write(folder: Path, objects: list) -> list[Path]:
    files = [folder / f"{number}.dcm" for number in range(len(objects))]
    for file, ds in zip(files, objects, strict=True):
        ds.save_as(file, enforce_file_format=True)
    return files


def results(orthanc: Orthanc) -> list:
    read = [pydicom.dcmread(BytesIO(data)) for data in orthanc.instances()]
    return [ds for ds in read if ds.Manufacturer == "tumorscan"]


def test_a_study_goes_through_the_pacs_to_the_node_and_back_into_the_same_study(
    orthanc, make_node, analysis, tmp_path
):
    port = free_port()
    orthanc.start(route_to=port)
    node = make_node(port=port, send_to=(Peer("ORTHANC", "127.0.0.1", orthanc.dicom),), patience=CALM)
    study = series_of(4)
    tool("echoscu", "-aet", "ORTHANC", "-aec", "TUMORSCAN", "127.0.0.1", str(port))
    orthanc.store(*write(tmp_path, study))
    uid = study[0].StudyInstanceUID
    until(lambda: orthanc.modalities(uid) == ["MR", "OT"], 90, 0.3)
    (result,) = results(orthanc)
    assert (result.StudyInstanceUID, result.PatientID) == (uid, study[0].PatientID)
    assert len(orthanc.ask("/studies")) == 1
    assert analysis.seen[-1] == [1, 2, 3, 4]
    until(lambda: node.ledger.states() == {"done": 1})


def test_a_pacs_that_goes_down_while_its_study_is_worked_on(orthanc, make_node, analysis, tmp_path):
    port = free_port()
    orthanc.start(route_to=port)
    node = make_node(port=port, send_to=(Peer("ORTHANC", "127.0.0.1", orthanc.dicom),), patience=CALM)
    analysis.go.clear()
    orthanc.store(*write(tmp_path, series_of(2)))
    until(lambda: analysis.seen == [[1, 2]], 90)
    orthanc.stop(gently=True)
    analysis.go.set()
    until(lambda: any("is not there; again in" in line for line in node.lines))
    orthanc.start(route_to=port)
    until(lambda: len(results(orthanc)) == 1, 90, 0.3)
    until(lambda: node.ledger.states() == {"done": 1})


def test_a_pacs_without_routing_is_asked_by_dicomweb_and_gets_the_results_there(
    orthanc, make_node, analysis, tmp_path
):
    orthanc.start()
    study = series_of(3)
    orthanc.store(*write(tmp_path, study))  # before it is asked for, so that it is fetched as a whole
    node = make_node(send_to=(), dicomweb=(orthanc.web,), web_days=0)
    until(lambda: orthanc.modalities(study[0].StudyInstanceUID) == ["MR", "OT"], 90, 0.3)
    until(lambda: node.ledger.states() == {"done": 1})
    # A series that grows is fetched again, and only that.
    later = [*study, *series_of(1, study[0].StudyInstanceUID)]
    later[-1].SeriesInstanceUID, later[-1].InstanceNumber = study[0].SeriesInstanceUID, 4
    orthanc.store(*write(tmp_path, later)[3:])
    until(lambda: analysis.seen == [[1, 2, 3], [1, 2, 3, 4]], 90, 0.3)
    until(lambda: len(results(orthanc)) == 2, 90, 0.3)
    written = "".join(node.lines) + node.store.audit.read_text()
    assert study[0].StudyInstanceUID not in written
    assert study[0].SeriesInstanceUID not in written


def test_a_dicomweb_server_that_is_down_is_asked_again(orthanc, make_node, tmp_path):
    node = make_node(send_to=(), dicomweb=(orthanc.web,), web_days=0)
    until(lambda: any("is not there; again in" in line for line in node.lines))
    orthanc.start()
    study = series_of(1)
    orthanc.store(*write(tmp_path, study))
    until(lambda: results(orthanc), 90, 0.3)
    assert any("answers again" in line for line in node.lines)


def test_only_what_the_filter_lets_through_is_fetched(orthanc, make_node, analysis, tmp_path):
    orthanc.start()
    old, wanted = series_of(1), series_of(2)
    for ds in wanted:
        ds.StudyID, ds.StudyDescription, ds.StudyDate = "7", "HEAD", "20260102"
    orthanc.store(*write(tmp_path, old + wanted))
    node = make_node(
        send_to=(), dicomweb=(orthanc.web,), web_filter={"StudyDate": "20260102", "ModalitiesInStudy": "MR"}
    )
    until(lambda: node.ledger.states() == {"done": 1}, 90, 0.3)
    assert analysis.seen == [[1, 2]]


def test_dcmtk_gets_its_refusals_by_name(make_node, pacs, tmp_path):
    skip_without_orthanc()
    node = make_node()
    (file,) = write(tmp_path, series_of(1))
    where = ("127.0.0.1", str(node.receiver.port))
    ended = run_tool("storescu", "-aet", "NOBODY", "-aec", "TUMORSCAN", *where, str(file))
    assert ended.returncode != 0
    assert "Calling AE Title Not Recognized" in ended.stdout + ended.stderr
