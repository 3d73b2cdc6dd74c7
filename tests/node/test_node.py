"""A node and its peers on loopback: what comes in, what goes out, what is refused, what survives."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time

import pydicom
import pytest
from node_peers import ID, SR, mr_object, send, series_of, until
from pydicom.uid import generate_uid

from tumorscan.app.node.node import Node
from tumorscan.app.node.settings import Limits
from tumorscan.errors import EnvironmentProblem, UnreadableScan


def done(node: Node, count: int = 1) -> None:
    until(lambda: node.ledger.states().get("done", 0) == count)


def audit(node: Node) -> list[dict]:
    return [json.loads(line) for line in node.store.audit.read_text().splitlines()]


def pictures(node: Node) -> list:
    return list((node.store.folder / "objects").rglob("*.dcm"))


def test_a_study_comes_in_is_analysed_once_and_its_result_goes_out(make_node, pacs, analysis):
    node = make_node()
    study = series_of(3)
    assert send(node.receiver.port, study) == [0, 0, 0]
    done(node)
    assert analysis.seen == [[1, 2, 3]]
    assert [one.StudyInstanceUID for one in pacs.objects] == [study[0].StudyInstanceUID]
    until(lambda: not pictures(node))
    assert not list((node.store.folder / "results").rglob("*.dcm"))
    assert not list((node.store.folder / "work").rglob("*"))


def test_what_is_written_down_names_no_one(make_node, pacs, capfd):
    node = make_node()
    study = series_of(2)
    send(node.receiver.port, study)
    send(node.receiver.port, [mr_object(study[0].StudyInstanceUID, generate_uid(), SOPClassUID=SR)])
    done(node)
    until(lambda: not pictures(node))
    until(lambda: any("deleted" in line for line in node.lines))
    node.stop()
    written = "\n".join([*node.lines, node.store.audit.read_text(), *capfd.readouterr()])
    names = "\n".join(str(one.relative_to(node.store.folder)) for one in node.store.folder.rglob("*"))
    for secret in (
        "SECRET",
        ID,
        *(
            str(ds[tag].value)
            for ds in study
            for tag in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        ),
    ):
        assert secret not in written
        assert secret not in names
        assert secret.encode() not in (node.store.folder / "queue.sqlite").read_bytes()
    events = [one["event"] for one in audit(node)]
    assert [events.count(kind) for kind in ("analysed", "sent", "done", "deleted")] == [1, 1, 1, 1]
    keys = {one["study"] for one in audit(node) if "study" in one}
    assert keys == {node.store.names.of(study[0].StudyInstanceUID)}
    assert stat.S_IMODE(node.store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(node.store.audit.stat().st_mode) == 0o600


def test_our_results_that_come_back_are_let_go(make_node, pacs, analysis):
    node = make_node()
    study = series_of(1)
    send(node.receiver.port, study)
    done(node)
    foreign = mr_object(
        study[0].StudyInstanceUID, generate_uid(), Manufacturer="tumorscan", ManufacturerModelName="tumorscan"
    )
    assert send(node.receiver.port, [pacs.objects[0], foreign]) == [0, 0]
    until(lambda: any("2 ours" in line for line in node.lines))
    assert len(analysis.seen) == 1
    assert node.ledger.states() == {"done": 1}


def test_what_is_sent_twice_is_analysed_once(make_node, pacs, analysis):
    node = make_node()
    study = series_of(2)
    send(node.receiver.port, study)
    done(node)
    until(lambda: not pictures(node))
    send(node.receiver.port, study)
    until(lambda: "known" in [one["event"] for one in audit(node)])
    done(node)
    assert len(analysis.seen) == 1
    assert len(pacs.objects) == 1


def test_what_comes_late_is_analysed_with_its_series_or_asked_for(make_node, analysis):
    node = make_node()
    study = series_of(3)
    send(node.receiver.port, study[:2])
    done(node)
    until(lambda: not pictures(node))
    send(node.receiver.port, study[2:])  # the first two are deleted
    until(lambda: node.ledger.states() == {"failed": 1})
    until(lambda: any("send the whole study again" in one for one in node.lines))
    send(node.receiver.port, study)
    done(node)
    assert analysis.seen == [[1, 2], [1, 2, 3]]


def test_what_comes_while_its_study_is_worked_on_is_not_lost(make_node, analysis):
    node = make_node()
    study = series_of(2)
    analysis.go.clear()
    send(node.receiver.port, study[:1])
    until(lambda: analysis.seen)
    assert send(node.receiver.port, study[1:]) == [0]
    analysis.go.set()
    done(node)
    assert analysis.seen == [[1], [1, 2]]


def test_a_peer_that_is_down_gets_its_results_when_it_is_up_again(make_node, pacs):
    node = make_node()
    pacs.stop()
    send(node.receiver.port, series_of(1))
    until(lambda: sum("is not there; again in" in line for line in node.lines) >= 3)
    waits = [one["seconds"] for one in audit(node) if one["event"] == "retry"]
    assert waits[:3] == [0.2, 0.4, 0.4]
    pacs.start()
    done(node)
    assert len(pacs.objects) == 1


def test_one_try_is_enough_for_all_that_waits_for_a_peer(make_node, pacs):
    node = make_node()
    pacs.stop()
    for _ in range(3):
        send(node.receiver.port, series_of(1))
    until(lambda: any("3 studies: 3 results not delivered" in line for line in node.lines))
    pacs.start()
    done(node, 3)


def test_what_ended_long_ago_is_forgotten(make_node, analysis):
    from dataclasses import replace

    from node_peers import FAST

    node = make_node(patience=replace(FAST, forget=0.0))
    study = series_of(1)
    send(node.receiver.port, study)
    until(lambda: any("1 old studies forgotten" in line for line in node.lines))
    assert not node.ledger.states()
    send(node.receiver.port, study)
    until(lambda: len(analysis.seen) == 2)


@pytest.mark.parametrize(("status", "arrives"), [(0xA700, False), (0xC000, False), (0xB000, True)])
def test_a_peer_that_answers_with_a_status(make_node, pacs, status, arrives):
    node = make_node()
    pacs.status = status
    send(node.receiver.port, series_of(1))
    if not arrives:
        until(lambda: any(f"answered 0x{status:04X} to Secondary Capture" in line for line in node.lines))
        pacs.status = 0
    done(node)


def test_a_delivery_that_was_given_up_is_made_when_the_study_is_sent_again(make_node, pacs, analysis):
    from dataclasses import replace

    from node_peers import FAST

    node = make_node(patience=replace(FAST, give_up=0.3))
    pacs.stop()
    study = series_of(1)
    send(node.receiver.port, study)
    until(lambda: node.ledger.states() == {"failed": 1})
    pacs.start()
    send(node.receiver.port, study)
    done(node)
    assert (len(analysis.seen), len(pacs.objects)) == (1, 1)


def test_a_stopped_node_goes_on(make_node, pacs, analysis):
    node = make_node()
    pacs.stop()
    send(node.receiver.port, series_of(1))
    until(lambda: node.outbox.waiting() == 1)
    node.stop()
    pacs.start()
    done(make_node())
    assert (len(analysis.seen), len(pacs.objects)) == (1, 1)


@pytest.mark.parametrize(
    ("caller", "called", "line"),
    [
        (
            "STRANGER",
            "TUMORSCAN",
            "STRANGER: association rejected: it is not known here (--accept STRANGER lets it in)",
        ),
        ("PACS", "OTHER", "PACS: association rejected: it called OTHER, and this is TUMORSCAN"),
    ],
)
def test_who_is_rejected(make_node, analysis, caller, called, line):
    node = make_node()
    assert send(node.receiver.port, series_of(1), caller, called) == [None]
    until(lambda: line in node.lines)
    assert not node.ledger.states()


REFUSALS = {
    "a report": ({"SOPClassUID": SR}, 0x0122, "Comprehensive SR Storage is not taken: send MR images"),
    "a CT": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, 0x0122, "CT Image Storage is not taken"),
    "no study": ({"StudyInstanceUID": ""}, 0xC000, "has no StudyInstanceUID"),
    "no series": ({"SeriesInstanceUID": ""}, 0xC000, "has no SeriesInstanceUID"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_refused_by_name_and_the_rest_goes_on(make_node, analysis, what):
    changes, status, line = REFUSALS[what]
    node = make_node()
    study, series = generate_uid(), generate_uid()
    good = mr_object(study, series)
    assert send(node.receiver.port, [mr_object(study, series, **changes), good]) == [status, 0]
    assert any(line in one for one in node.lines)
    done(node)


LIMITS = {
    "objects of a study": (Limits(study_objects=1, free_bytes=0), "its study has 1 objects here"),
    "objects in all": (Limits(waiting_objects=1, free_bytes=0), "1 objects wait here"),
    "room on the disk": (Limits(free_bytes=2**50), "the disk has"),
}


@pytest.mark.parametrize("what", LIMITS)
def test_limits_are_out_of_resources(make_node, what):
    limits, line = LIMITS[what]
    node = make_node(limits)
    assert send(node.receiver.port, series_of(2))[-1] == 0xA700
    assert any(line in one for one in node.lines)


def test_an_object_that_is_too_large_breaks_the_association_off_and_no_more(make_node):
    node = make_node(Limits(object_bytes=1024 * 1024, free_bytes=0))
    huge = mr_object(generate_uid(), generate_uid(), Rows=2048, Columns=1024, PixelData=bytes(2**22))
    assert send(node.receiver.port, [huge]) == [None]
    assert any("larger than 1048576 bytes" in line for line in node.lines)
    assert send(node.receiver.port, series_of(1)) == [0]


def test_a_full_disk_refuses_and_nothing_half_stays(make_node, monkeypatch):
    node = make_node()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tumorscan.atomic.os.fsync", full)
    assert send(node.receiver.port, series_of(1)) == [0xA700]
    assert any("no space left on device" in line for line in node.lines)
    monkeypatch.undo()
    assert not [one for one in (node.store.folder / "objects").rglob("*") if one.is_file()]
    assert send(node.receiver.port, series_of(1)) == [0]
    done(node)


def test_a_full_disk_under_the_queue_refuses_and_nothing_half_stays(make_node):
    node = make_node()
    with node.store.database.transaction() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
    study = generate_uid()
    answers = send(node.receiver.port, [mr_object(study, generate_uid()) for _ in range(60)])
    taken = answers.count(0)
    assert answers == [0] * taken + [0xA700] * (60 - taken)
    assert 0 < taken < 60
    assert any("database or disk is full" in line for line in node.lines)
    with node.store.database.transaction() as db:
        (known,) = db.execute("SELECT COUNT(*) FROM objects").fetchone()
    assert known == taken


def test_files_that_nobody_was_told_of_are_deleted_at_the_start(make_node):
    node = make_node()
    node.stop()
    orphan = node.store.object_file("a" * 32, "b" * 32)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"left by a kill")
    make_node()
    assert not orphan.exists()


def test_a_study_that_takes_for_ever_ends_the_node(make_node, analysis):
    from dataclasses import replace

    from node_peers import FAST

    node = make_node(patience=replace(FAST, study=0.3, stop=0.1))
    analysis.go.clear()
    send(node.receiver.port, series_of(1))
    until(lambda: node.wait(0.05))
    assert node.broken
    node.stop()
    assert "a study takes too long" in "".join(node.lines)
    assert node.lines[-1] == "stopped; the study at work is analysed anew at the next start"


def test_a_peer_that_knows_only_what_it_must_gets_its_results(make_node, analysis):
    from node_peers import SC, Pacs

    plain = Pacs()
    plain.start(contexts=[(SC, ["1.2.840.10008.1.2"])])
    node = make_node(send_to=(plain.peer,))
    send(node.receiver.port, series_of(1))
    done(node)
    plain.stop()
    assert [one.file_meta.TransferSyntaxUID for one in plain.objects] == ["1.2.840.10008.1.2"]


def test_two_peers_both_get_the_results_and_one_that_is_down_keeps_none_from_the_other(make_node, pacs):
    from node_peers import Pacs

    other = Pacs()
    node = make_node(send_to=(other.peer, pacs.peer))
    send(node.receiver.port, series_of(1))
    until(lambda: len(pacs.objects) == 1)
    assert node.ledger.states() == {"sending": 1}
    other.start()
    done(node)
    other.stop()
    assert (len(other.objects), len(pacs.objects)) == (1, 1)


def test_compressed_pictures_are_kept_as_they_come(make_node, analysis):
    from pydicom.uid import JPEGLSLossless, RLELossless
    from pynetdicom import AE

    node = make_node()
    analysis.go.clear()
    for syntax in (JPEGLSLossless, RLELossless):
        (picture,) = series_of(1)
        picture.compress(syntax, generate_instance_uid=False)
        entity = AE(ae_title="PACS")
        entity.add_requested_context(picture.SOPClassUID, syntax)
        association = entity.associate("127.0.0.1", node.receiver.port, ae_title="TUMORSCAN")
        assert association.send_c_store(picture).Status == 0
        association.release()
    kept = {pydicom.dcmread(file).file_meta.TransferSyntaxUID for file in pictures(node)}
    assert kept == {JPEGLSLossless, RLELossless}


def test_the_queue_at_a_glance(make_node, pacs, analysis, capsys):
    from tumorscan.app.cli import main

    node = make_node()
    pacs.stop()
    send(node.receiver.port, series_of(1))
    until(lambda: any("is not there" in line for line in node.lines))
    analysis.problem = UnreadableScan("study", "holds no slice")
    send(node.receiver.port, series_of(1))
    until(lambda: node.ledger.states().get("failed"))
    arguments = ["node", "--status", "--store", str(node.store.folder)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "1 failed, 1 sending" in said
    assert f"{pacs.peer}: 1 results wait, tried" in said
    assert "study: holds no slice" in said
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["studies"] == {"failed": 1, "sending": 1}
    assert main(["node", "--status", "--store", str(node.store.folder / "no")]) == 6
    assert "no node has been here" in capsys.readouterr().err


def _break_off_after(node, one) -> None:
    """Send an object, and close the connection without a word."""
    from pynetdicom import AE

    entity = AE(ae_title="PACS")
    entity.add_requested_context(one.SOPClassUID)
    association = entity.associate("127.0.0.1", node.receiver.port, ae_title="TUMORSCAN")
    assert association.send_c_store(one).Status == 0
    association.dul.socket.close()
    until(lambda: any("association broke off; objects: 1 taken" in line for line in node.lines))


def test_an_association_that_breaks_off_keeps_what_came_and_waits_longer(make_node, analysis):
    node = make_node()
    study = series_of(2)
    _break_off_after(node, study[0])
    assert send(node.receiver.port, study[1:]) == [0]
    done(node)
    assert analysis.seen == [[1, 2]]


def test_an_object_that_is_taken_while_its_association_breaks_off_waits_longer(
    make_node, analysis, monkeypatch
):
    from node_peers import FAST
    from pynetdicom import AE

    from tumorscan.app.node.intake import Intake

    node = make_node()
    take, at = Intake.take, threading.Event()

    def late(*arguments, **options):
        at.set()
        until(lambda: any("association broke off" in line for line in node.lines))
        return take(*arguments, **options)

    study = series_of(2)
    entity = AE(ae_title="PACS")
    entity.add_requested_context(study[0].SOPClassUID)
    association = entity.associate("127.0.0.1", node.receiver.port, ae_title="TUMORSCAN")
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "take", late)
        sending = threading.Thread(target=association.send_c_store, args=(study[0],), daemon=True)
        sending.start()
        assert at.wait(60)
        association.dul.socket.close()
        until(lambda: node.ledger.states() == {"received": 1})
    time.sleep(5 * FAST.quiet)  # the worker looks for complete studies meanwhile
    assert send(node.receiver.port, study[1:]) == [0]
    done(node)
    assert analysis.seen == [[1, 2]]


def test_a_study_is_held_from_its_first_object_on(make_node, analysis, monkeypatch):
    from node_peers import FAST

    from tumorscan.app.node.intake import Intake

    take = Intake.take

    def late(*arguments, **options):
        became = take(*arguments, **options)
        time.sleep(3 * FAST.quiet)  # the worker looks for complete studies meanwhile
        return became

    monkeypatch.setattr(Intake, "take", late)
    node = make_node()
    assert send(node.receiver.port, series_of(2)) == [0, 0]
    done(node)
    assert analysis.seen == [[1, 2]]


def test_an_association_that_is_released_did_not_break_off(make_node, monkeypatch):
    from pynetdicom.acse import ACSE

    send_release = ACSE.send_release

    def late(self, *, is_response: bool = False) -> None:
        send_release(self, is_response=is_response)
        if is_response:
            time.sleep(0.5)  # the peer closes its connection meanwhile

    monkeypatch.setattr(ACSE, "send_release", late)
    node = make_node()
    assert send(node.receiver.port, series_of(1)) == [0]
    done(node)
    assert any("PACS: objects: 1 taken" in line for line in node.lines)
    assert not any("broke off" in line for line in node.lines)


def test_what_an_association_brought_is_held_until_it_is_postponed(make_node, analysis, monkeypatch):
    from node_peers import FAST

    node = make_node()
    postpone = node.ledger.postpone

    def late(*arguments) -> None:
        time.sleep(5 * FAST.quiet)  # the worker looks for complete studies meanwhile
        postpone(*arguments)

    monkeypatch.setattr(node.ledger, "postpone", late)
    study = series_of(2)
    _break_off_after(node, study[0])
    assert send(node.receiver.port, study[1:]) == [0]
    done(node)
    assert analysis.seen == [[1, 2]]


def test_a_slow_sender_is_waited_for(make_node, analysis):
    from pynetdicom import AE

    node = make_node()
    study = series_of(2)
    entity = AE(ae_title="PACS")
    entity.add_requested_context(study[0].SOPClassUID)
    association = entity.associate("127.0.0.1", node.receiver.port, ae_title="TUMORSCAN")
    association.send_c_store(study[0])
    time.sleep(0.6)  # three quiet times
    association.send_c_store(study[1])
    association.release()
    done(node)
    assert analysis.seen == [[1, 2]]


def test_noise_on_the_port_stops_nothing(make_node):
    node = make_node()
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\xff\xff\xff\xff" + bytes(100), b"\x04" * 64):
        with socket.create_connection(("127.0.0.1", node.receiver.port)) as peer:
            peer.sendall(noise)
    assert send(node.receiver.port, series_of(1)) == [0]
    done(node)


PROBLEMS = {
    "unreadable": (UnreadableScan("study", "holds no slice"), "failed: study: holds no slice"),
    "a fault of ours": (
        ValueError("SECRET"),
        "failed: an error inside tumorscan (ValueError at node_peers.py:",
    ),
}


@pytest.mark.parametrize("what", PROBLEMS)
def test_a_study_that_cannot_be_analysed_fails_alone_and_may_be_sent_again(make_node, analysis, what):
    analysis.problem, line = PROBLEMS[what]
    node = make_node()
    study = series_of(1)
    send(node.receiver.port, study)
    until(lambda: node.ledger.states() == {"failed": 1})
    until(lambda: any(line in one for one in node.lines))
    assert "SECRET" not in "".join(node.lines)
    assert len(pictures(node)) == 1, "kept for a while"
    analysis.problem = None
    send(node.receiver.port, series_of(1))
    done(node)
    send(node.receiver.port, study)
    done(node, 2)


def test_a_machine_in_the_way_is_waited_for(make_node, analysis):
    analysis.problem = EnvironmentProblem("disk full")
    node = make_node()
    send(node.receiver.port, series_of(1))
    until(lambda: any("cannot be analysed now: disk full; again in 2 s" in line for line in node.lines))
    analysis.problem = None
    done(node)


def test_two_nodes_cannot_share_a_store_or_a_port(make_node, tmp_path):
    node = make_node()
    with pytest.raises(EnvironmentProblem, match="another node is using it"):
        make_node()
    with pytest.raises(EnvironmentProblem, match=r"cannot be opened .* choose another with --port"):
        make_node(store=tmp_path / "other", port=node.receiver.port)
