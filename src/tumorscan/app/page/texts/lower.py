"""What the rooms below say in English, in German: refusals, reasons, notes, methods.

A table of patterns, for those texts are made where no reader's language is known. What is not in it is shown in
English, and marked so for screen readers.
"""

from __future__ import annotations

import re
from typing import Final

_TABLE: Final = (
    # refusals of the reader
    (r"is empty \(0 bytes\): copy it again from its source", r"ist leer (0 Byte): bitte neu kopieren"),
    (
        r"is (\d+) bytes, more than the limit of (\d+): make it smaller.*",
        r"hat \1 Byte, mehr als die Grenze von \2: bitte verkleinern",
    ),
    (
        r"is (\d+) x (\d+) pixels, and a side under (\d+) shows no brain: .*",
        r"hat nur \1 x \2 Pixel, und unter \3 auf einer Seite ist kein Gehirn zu sehen",
    ),
    (
        r"is (\d+) x (\d+) pixels, more than the limit of (\d+): .*",
        r"hat \1 x \2 Pixel, mehr als die Grenze von \3: bitte verkleinern",
    ),
    (r"is text, not a picture: .*", r"ist Text, kein Bild: bitte als PNG exportieren"),
    (
        r"is a web page \(HTML\), not a picture: .*",
        r"ist eine Webseite (HTML), kein Bild: das Bild selbst sichern",
    ),
    (
        r"is of no kind known here \((.*)\): .*",
        r"ist von keiner bekannten Art (\1): bitte als PNG exportieren",
    ),
    (
        r"is a damaged or cut (\w+) file \((.*)\): copy it again from its source",
        r"ist eine beschädigte oder abgeschnittene \1-Datei: bitte neu kopieren",
    ),
    (
        r"is no upload of this page: .*",
        r"wurde nicht über diese Seite hochgeladen: bitte das Bild selbst hochladen",
    ),
    (r"is no longer there: upload it again", r"ist nicht mehr da: bitte neu hochladen"),
    (r"got no answer: (.*)", r"bekam keine Antwort: \1"),
    # reasons of the gate
    (
        r"too small: (\d+ x \d+) pixels, and a side under (\d+) shows no lesion",
        r"zu klein: \1 Pixel; unter \2 auf einer Seite ist keine Läsion zu sehen",
    ),
    (r"blank: all of it has one shade", r"leer: alles hat denselben Grauwert"),
    (r"colour: (\d+) % of it is coloured, MR is grey", r"Farbe: \1 % sind farbig, MRT ist grau"),
    (r"page: (\d+) % of it is white, like paper", r"Seite: \1 % sind weiß wie Papier"),
    (
        r"noise: neighbouring pixels correlate by (-?[\d.]+) only",
        r"Rauschen: benachbarte Pixel korrelieren nur mit \1",
    ),
    (
        r"unfamiliar: unlike the heads of the training \(score ([\d.na-]+), the limit is ([\d.]+)\)",
        r"fremd: anders als die Köpfe des Trainings (Wert \1, die Grenze ist \2)",
    ),
    # notes of the reader
    (r"palette expanded", r"Palette aufgelöst"),
    (r"alpha is zero everywhere: ignored", r"Alpha ist überall null: nicht beachtet"),
    (r"alpha dropped \(opaque everywhere\)", r"Alpha entfernt (überall deckend)"),
    (
        r"laid on black \((.*) of the pixels are transparent\)",
        r"auf Schwarz gelegt (\1 der Pixel sind durchsichtig)",
    ),
    (r"transparent colour ignored", r"durchsichtige Farbe nicht beachtet"),
    (r"inverted \(white is zero\)", r"umgekehrt (Weiß ist null)"),
    (r"16 bit within 0\.\.255: kept", r"16 Bit innerhalb von 0..255: unverändert"),
    (r"16 bit per channel: the upper 8 are read", r"16 Bit je Kanal: die oberen 8 gelesen"),
    (r"(\w.*), (\S+) everywhere: read as black", r"\1, überall \2: als Schwarz gelesen"),
    (r"16 bit windowed from (\S+)\.\.(\S+) to 0\.\.255", r"16 Bit, Fenster von \1..\2 auf 0..255"),
    (r"(.*) windowed from (\S+)\.\.(\S+) to 0\.\.255", r"\1, Fenster von \2..\3 auf 0..255"),
    (r"turned upright by EXIF orientation (\d)", r"nach EXIF-Ausrichtung \1 aufgerichtet"),
    (r"EXIF is damaged: not turned", r"EXIF ist beschädigt: nicht gedreht"),
    (r"first of (\d+) frames read", r"das erste von \1 Bildern gelesen"),
    (r"(\w+) converted to RGB", r"\1 in RGB gewandelt"),
    # studies: refusals, notes, reasons
    (
        r"is a damaged or cut zip \((.*)\): copy it again",
        r"ist ein beschädigtes oder abgeschnittenes Zip: bitte neu kopieren",
    ),
    (
        r"holds (\d+) files, more than the limit of (\d+): .*",
        r"enthält \1 Dateien, mehr als die Grenze von \2: bitte aufteilen",
    ),
    (
        r"unpacks to (\d+) (bytes|times its size), more than the limit of (\d+).*",
        r"wird ausgepackt zu groß (\1, die Grenze ist \3): bitte selbst auspacken",
    ),
    (r"is encrypted: .*", r"ist verschlüsselt: bitte erst mit dem Kennwort auspacken"),
    (
        r"its name leads out of the archive, .*",
        r"sein Name führt aus dem Archiv heraus, was kein ehrliches Archiv tut: ausgelassen",
    ),
    (
        r"is beyond the (\d+) files of one batch: .*",
        r"liegt jenseits der \1 Dateien eines Stapels: bitte als weiteren Stapel",
    ),
    (r"holds no DICOM or NIfTI file: .*", r"enthält keine DICOM- oder NIfTI-Datei"),
    (r"holds no volume that can be read: (.*)", r"enthält kein lesbares Volumen: \1"),
    (
        r"(.*): neither DICOM nor NIfTI \((\d+) files\): left out",
        r"\1: weder DICOM noch NIfTI (\2 Dateien): ausgelassen",
    ),
    (r"(.*): was not received", r"\1: kam nicht an"),
    (
        r"windowed from (\S+) to (\S+), percentiles of the whole volume",
        r"Fenster von \1 bis \2, Perzentile des ganzen Volumens",
    ),
    (
        r"(.*): from (\S+) to (\S+), percentiles of the whole series",
        r"kein brauchbares Fenster in der Datei: von \2 bis \3, Perzentile der ganzen Serie",
    ),
    (
        r"the slices have windows of their own: the median, (\S+)\.\.(\S+), is taken",
        r"die Schichten haben eigene Fenster: genommen wird der Median, \1..\2",
    ),
    (
        r"the header does not say how the head lies: taken as it is stored",
        r"die Datei sagt nicht, wie der Kopf liegt: so genommen, wie gespeichert",
    ),
    (
        r"the header does not say where the slices lie: in the order of their (.*)",
        r"die Datei sagt nicht, wo die Schichten liegen: in der Reihenfolge der Dateien",
    ),
    (
        r"the header says that this is (.*), not a head; what the picture shows decides",
        r"laut Datei ist dies \1, kein Kopf; es entscheidet, was das Bild zeigt",
    ),
    (
        r"the header (.*), not MR; what the picture shows decides",
        r"laut Datei ist dies keine MRT; es entscheidet, was das Bild zeigt",
    ),
    (
        r"the series holds (\d+) pictures of one place \(echoes, times\): read as volumes apart",
        r"die Serie enthält \1 Bilder je Ort (Echos, Zeiten): als getrennte Volumen gelesen",
    ),
    (
        r"the series holds (\d+) sizes or directions of slices, read as volumes apart",
        r"die Serie enthält Schichten in \1 Größen oder Richtungen: als getrennte Volumen gelesen",
    ),
    (
        r"(\d+) of (\d+) slices cannot be read: left out",
        r"\1 von \2 Schichten sind nicht lesbar: ausgelassen",
    ),
    (
        r"(\d+) files are copies of others by their UID: read once",
        r"\1 Dateien sind Kopien anderer (UID): einmal gelesen",
    ),
    (
        r"(\d+) values are no finite numbers: .*",
        r"\1 Werte sind keine endlichen Zahlen: als die niedrigsten der anderen gelesen",
    ),
    (r"(\d+) of (\d+) slices refused and left out", r"\1 von \2 Schichten abgelehnt und ausgelassen"),
    (
        r"distance of the slices unknown: taken as (\S+) mm",
        r"Abstand der Schichten unbekannt: \1 mm angenommen",
    ),
    (
        r"no head: (\d+) of (\d+) slices are refused \((.*)\)",
        r"kein Kopf: \1 von \2 Schichten sind abgelehnt (\3)",
    ),
    (
        r"came as NIfTI: DICOM objects need the study that they belong to",
        r"kam als NIfTI: DICOM-Objekte brauchen die Studie, zu der sie gehören",
    ),
    (
        r"has no key slice that results could point at \(.*\)",
        r"hat keine Schlüsselschicht, auf die Ergebnisse zeigen könnten",
    ),
    (
        r"(\d+) pictures are waiting: try again in (\d+) s",
        r"es warten schon \1 Bilder: bitte in \2 s noch einmal",
    ),
    (
        r"the service is stopping: try again in (\d+) s",
        r"der Dienst wird gerade beendet: bitte in \1 s noch einmal",
    ),
    (
        r"slice (\d+) of (\d+), the one that says most: the tab Series shows all",
        r"Schicht \1 von \2, die am meisten sagt: der Reiter Serie zeigt alle",
    ),
    # methods and data of figures
    (r"(.+): (\d+) slices of (\d+) patients", r"\1: \2 Schichten von \3 Patienten"),
    (r"the (\d+) patients of fold (\d+)", r"den \1 Patienten von Teil \2"),
    (r"exact binomial at (\d+) effective pictures", r"exakt binomial bei \1 wirksamen Bildern"),
    (r"exact binomial", r"exakt binomial"),
    (r"bootstrap over patients", r"Bootstrap über Patienten"),
    (r"bootstrap over groups", r"Bootstrap über Gruppen"),
    (
        r"(\d+) tumor \+ (\d+) no tumor in (\d+) groups",
        r"\1 mit Tumor + \2 ohne in \3 Gruppen",
    ),
    (
        r"the calibration split \((\d+) tumor \+ (\d+) no tumor in (\d+) groups\)",
        r"dem Kalibrierteil (\1 mit Tumor + \2 ohne in \3 Gruppen)",
    ),
)
_PATTERNS: Final = tuple((re.compile(english), german) for english, german in _TABLE)


def german(text: str) -> str | None:
    """The German of a text of the rooms below; None where there is none."""
    for pattern, template in _PATTERNS:
        if found := pattern.fullmatch(text):
            # What is quoted may be such a text itself: "got no answer: 128 pictures are waiting".
            said = template
            for place, part in enumerate(found.groups(""), 1):
                said = said.replace(f"\\{place}", german(part) or part)
            return said
    return None
