"""Orthanc as a PACS on loopback, with its DICOMweb plugin, fed and asked by dcmtk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from served import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PROGRAM = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")
TOOLS = ("storescu", "findscu", "echoscu")
# Not by PATH: pynetdicom puts programs of the same names into the environment's bin.
_DCMTK = "/usr/bin:/usr/local/bin:/opt/homebrew/bin"
# What a PACS is set up to do: pass every new picture of a scanner's on, but not what came from the node.
_ROUTE = """
function OnStoredInstance(id, tags, metadata, origin)
  if origin['RemoteAet'] ~= 'TUMORSCAN' and tags['Modality'] == 'MR' then
    SendToModality(id, 'TUMORSCAN')
  end
end
"""


def skip_without_orthanc() -> None:
    missing = [one for one in TOOLS if not shutil.which(one, path=_DCMTK)]
    if not PROGRAM or not PLUGIN.exists() or missing:
        pytest.skip("needs apt-get install orthanc orthanc-dicomweb dcmtk")


class Orthanc:
    """A running Orthanc; `route_to` makes it pass studies on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.dicom = free_port(), free_port()
        self.web = f"http://127.0.0.1:{self.http}/dicom-web"
        self._process: subprocess.Popen | None = None

    def start(self, route_to: int | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "route.lua").write_text(_ROUTE)
        modalities = {"TUMORSCAN": ["TUMORSCAN", "127.0.0.1", route_to]} if route_to else {}
        (self.folder / "orthanc.json").write_text(json.dumps({
            "Name": "test", "StorageDirectory": str(self.folder / "db"), "IndexDirectory": str(self.folder / "db"),
            "HttpPort": self.http, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "DicomPort": self.dicom, "DicomAet": "ORTHANC", "DicomModalities": modalities,
            "DicomAlwaysAllowFind": True,
            "LuaScripts": [str(self.folder / "route.lua")] if route_to else [],
            "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "DicomAssociationCloseDelay": 1, "ConcurrentJobs": 2, "HttpThreadsCount": 4,
        }))  # fmt: skip
        log = (self.folder / "log.txt").open("ab")
        self._process = subprocess.Popen([PROGRAM, str(self.folder / "orthanc.json")], stdout=log, stderr=log)
        end = time.monotonic() + 120
        while True:
            try:
                self.ask("/system")
            except OSError:
                assert self._process.poll() is None, (self.folder / "log.txt").read_text()
                assert time.monotonic() < end
                time.sleep(0.05)
            else:
                return

    def stop(self, *, gently: bool = False) -> None:
        """Its own way of stopping takes seconds, which only one needs that is started again."""
        if self._process:
            self._process.terminate() if gently else self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, path: str) -> object:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=60) as answer:
            return json.load(answer)

    def store(self, *files: Path) -> None:
        """As a scanner does."""
        tool("storescu", "-aet", "SCANNER", "-aec", "ORTHANC", "127.0.0.1", str(self.dicom), *map(str, files))

    def modalities(self, study: str) -> list[str]:
        """Modality of every series of a study, asked for by dcmtk."""
        query = ["-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={study}", "-k", "Modality"]
        said = tool("findscu", "-S", "-aec", "ORTHANC", *query, "127.0.0.1", str(self.dicom))
        return sorted(re.findall(r"\(0008,0060\) CS \[(\w+)", said))

    def instances(self) -> list[bytes]:
        """Every object, as a file."""
        found = []
        for one in self.ask("/instances"):
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http}/instances/{one}/file", timeout=60
            ) as answer:
                found.append(answer.read())
        return found


def run_tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of dcmtk."""
    program = shutil.which(name, path=_DCMTK)
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, errors="replace", timeout=120, check=False
    )


def tool(name: str, *arguments: str) -> str:
    """What a tool of dcmtk says; it must end well."""
    ended = run_tool(name, *arguments)
    assert ended.returncode == 0, f"{name}: {ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr
