"""Associations by TLS: both sides show a certificate of the same authority, or nothing is said."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from node_peers import Pacs, send, series_of, until

from tumorscan.app.node.receiver import client_context, server_context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Certificate and key for 127.0.0.1, and the authority, which is the certificate itself."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key, certificate


def test_a_study_comes_and_results_go_by_tls(make_node, certificates, analysis):
    pacs = Pacs()
    pacs.start(server_context(certificates))
    node = make_node(tls=certificates, send_to=(pacs.peer,))
    assert send(node.receiver.port, series_of(1), tls=client_context(certificates)) == [0]
    until(lambda: node.ledger.states() == {"done": 1})
    pacs.stop()
    assert len(pacs.objects) == 1


def test_without_a_certificate_nothing_is_said(make_node, certificates, analysis):
    node = make_node(tls=certificates)
    assert send(node.receiver.port, series_of(1)) == [None]
    bare = ssl.create_default_context(cafile=str(certificates[2]))
    assert send(node.receiver.port, series_of(1), tls=bare) == [None]
    assert not node.ledger.states()
    assert send(node.receiver.port, series_of(1), tls=client_context(certificates)) == [0]
