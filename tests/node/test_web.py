"""The node beside a DICOMweb server that is slow or breaks off; one that is real is in test_pacs.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from node_peers import FAST, series_of, until
from pydicom.dataset import Dataset


class Server:
    """Stands in for a client of a DICOMweb server that has one study.

    Attributes:
        pause: between two objects, in seconds.
        breaks: how many fetches break off after the first object.
        stored: objects that it got.
    """

    def __init__(self, *series: list[Dataset], pause: float = 0.0, breaks: int = 0) -> None:
        self.series = {one[0].SeriesInstanceUID: one for one in series}
        self.study = series[0][0].StudyInstanceUID
        self.pause = pause
        self.breaks = breaks
        self.stored: list[Dataset] = []

    def search_for_studies(self, **_) -> list[dict]:
        return [{"0020000D": {"Value": [self.study]}}]

    def search_for_series(self, *_, **__) -> list[dict]:
        return [
            {"0020000E": {"Value": [uid]}, "00201209": {"Value": [len(objects)]}}
            for uid, objects in self.series.items()
        ]

    def iter_series(self, _: str, series: str, **__) -> Iterator[Dataset]:
        for number, ds in enumerate(self.series[series]):
            if number and self.breaks:
                self.breaks -= 1
                raise OSError
            yield ds
            time.sleep(self.pause)

    def store_instances(self, datasets: list[Dataset]) -> dict:
        self.stored.extend(datasets)
        return {}


@pytest.fixture
def ask(make_node, monkeypatch):
    """Start a node that asks this server and no other."""

    def start(server: Server, **changes):
        monkeypatch.setattr("tumorscan.app.node.web.client_of", lambda _: server)
        return make_node(send_to=(), dicomweb=("http://server.test/dicom-web",), web_days=0, **changes)

    return start


def test_a_study_is_not_analysed_in_parts_however_slowly_it_is_fetched(ask, analysis):
    first = series_of(2)
    second = series_of(1, first[0].StudyInstanceUID)
    second[0].InstanceNumber = 3
    # Three quiet times: the worker looks for complete studies between the objects and between the series.
    server = Server(first, second, pause=3 * FAST.quiet)
    node = ask(server)
    until(lambda: node.ledger.states() == {"done": 1})
    assert analysis.seen == [[1, 2, 3]]
    assert len(server.stored) == 1


def test_a_study_whose_fetch_breaks_off_waits_for_the_rest(ask, analysis):
    server = Server(series_of(2), breaks=1)
    # Asked again after three quiet times.
    node = ask(server, patience=replace(FAST, longest_retry=3 * FAST.quiet))
    until(lambda: node.ledger.states() == {"done": 1})
    assert analysis.seen == [[1, 2]]
    assert any("did not answer as it should (OSError); again in" in line for line in node.lines)
