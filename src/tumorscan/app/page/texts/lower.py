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
    # methods and data of figures
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
            return found.expand(template)
    return None
