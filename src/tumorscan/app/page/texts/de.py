"""German."""

from __future__ import annotations

from typing import Final

DE: Final[dict[str, str]] = {
    "research": "Software für Forschung und Lehre: kein Medizinprodukt, niemals eine Diagnose.",
    "subtitle": "Erkennung von Hirntumoren auf MRT-Bildern",
    "model": "Modell",
    "tab_picture": "Ein Bild",
    "tab_series": "Serie",
    "tab_batch": "Stapel",
    "tab_card": "Wie gut ist es",
    "tab_compare": "Vergleich",
    "drop_picture": "MRT-Bild hier ablegen",
    "drop_click": "oder klicken, um eine Datei zu wählen",
    "paste": "Aus der Zwischenablage einfügen",
    "hint_picture": "PNG, JPEG, BMP, TIFF oder WebP, 8 oder 16 Bit, oder eine DICOM-Datei; bis zu {size}.",
    "hint_stays": "Es bleibt auf dem Rechner, der diese Seite liefert, und wird gelöscht, sobald es gelesen ist.",
    "sending": "Wird gesendet: {what}",
    "others_left": "Eines zur Zeit: die anderen wurden ausgelassen",
    "clipboard_empty": "In der Zwischenablage ist kein Bild.",
    "clipboard_closed": (
        "Der Browser lässt die Seite nicht in die Zwischenablage sehen: bitte Strg+V oder Cmd+V drücken."
    ),
    "too_large": "hat {bytes} Byte, mehr als die Grenze von {limit}: bitte verkleinern",
    "not_sent": "konnte nicht gesendet werden ({failure}): bitte die Datei prüfen und neu senden",
    "examples": "Oder ein Beispiel ansehen",
    "examples_drawn": "Von einem Programm gezeichnet, kein Bild eines Menschen.",
    "example_lesion": "Gezeichnete Schicht mit Läsion",
    "example_plain": "Gezeichnete Schicht ohne Läsion",
    "answer": "Antwort",
    "empty_picture": "Noch kein Bild. Hier werden das Bild, der Befund und sein Zustandekommen stehen.",
    "refusal": "Diese Datei bekam keine Antwort",
    "refusal_next": "Es wurde nichts vorhergesagt. Die Seite ist bereit für die nächste.",
    "as_read": "{name}, wie gelesen, {size} Pixel",
    "remove": "Entfernen",
    "gate_ok": "Eingangsprüfung: als Schicht eines Kopfes erkannt, wie das Modell sie kennt.",
    "gate_refused": "Eingangsprüfung: vor jedem Befund abgelehnt.",
    "gate_none": "Eingangsprüfung: dieses Modell hat keine, also bekommt jedes Bild eine Antwort.",
    "verdict_TUMOR": "TUMOR ERKANNT",
    "verdict_NO_TUMOR": "KEIN TUMOR GEFUNDEN",
    "verdict_CANNOT_SAY": "KEINE AUSSAGE - bitte ansehen",
    "verdict_NOT_BRAIN_MRI": "KEIN MRT DES GEHIRNS",
    "probability": "Kalibrierte Wahrscheinlichkeit eines Tumors",
    "scale_label": "Wahrscheinlichkeit eines Tumors {p}, Schwelle {t}",
    "threshold": "Schwelle",
    "reported_from": "ein Tumor wird ab einer Wahrscheinlichkeit von {t} gemeldet",
    "meaning_share": (
        "Von 100 Bildern mit einer Wahrscheinlichkeit von {p} zeigen etwa {count} einen Tumor, soweit neue "
        "Bilder denen gleichen, an denen das Modell kalibriert wurde."
    ),
    "meaning_none": (
        "Kein Tumor gefunden heißt nicht, dass das Gehirn gesund ist: das Modell sucht nach nichts anderem."
    ),
    "meaning_low": (
        "Er wird gemeldet, obwohl ein Tumor weniger wahrscheinlich ist als keiner, weil die Schwelle niedrig "
        "liegt, damit wenige Tumoren übersehen werden."
    ),
    "meaning_tumor": "Was es ist, und ob es einer ist, kann nur eine Ärztin oder ein Arzt sagen.",
    "meaning_unsure": (
        "Das liegt zwischen {low} und {high}, zu nahe an der Grenze für einen Befund, der so selten falsch ist "
        "wie verlangt: jemand, der solche Bilder kennt, sollte es ansehen."
    ),
    "meaning_refused": (
        "Das ist keine Schicht eines Kopfes, wie das Modell sie kennt; nach einem Tumor wurde es nicht "
        "gefragt. Falls doch: das Bild so verwenden, wie es vom Scanner kam: ganz, grau, in voller Größe."
    ),
    "point": "Arbeitspunkt",
    "point_line": "{name}: findet {sens} der Tumoren, entlastet {spec} der Bilder ohne Tumor",
    "points": "Arbeitspunkt",
    "points_why": "Eine niedrigere Schwelle übersieht weniger Tumoren und gibt mehr Fehlalarme.",
    "point_screening": "Suche",
    "point_balanced": "Ausgewogen",
    "point_specific": "Spezifisch",
    "cost": "findet {sens} der Tumoren; Fehlalarm bei {alarm} der Bilder ohne Tumor",
    "cost_unmeasured": "nicht gemessen",
    "set_for": "{name}, eingestellt auf {aim}",
    "aim_sens": "eine Sensitivität von {value}",
    "aim_spec": "eine Spezifität von {value}",
    "aim_sum": "die größte Summe aus Sensitivität und Spezifität",
    "sensitivity": "Sensitivität",
    "specificity": "Spezifität",
    "measured_on": "Gemessen an",
    "rate": "{value} ({level}-Intervall {low} bis {high}, {method})",
    "rate_short": "{value} ({low} bis {high})",
    "not_measured": "nicht gemessen",
    "promise": "Was das verspricht",
    "promise_none": "Eine Sicherheit wurde nicht verlangt.",
    "promise_kept": (
        "Mit {level} Sicherheit {aim} oder mehr, soweit neue Bilder diesen gleichen; wo es zu wenige Gruppen "
        "gab, nur gemessen."
    ),
    "promise_open": (
        "Nicht garantiert: {aim} lässt sich mit so wenigen Gruppen nicht bei {level} Sicherheit zeigen. Es ist "
        "das, was gemessen wurde."
    ),
    "promise_band": (
        "Von Bildern wie denen der Anpassung werden höchstens {tumor} der Tumoren kein Tumor genannt und "
        "höchstens {none} der anderen Tumor; dazwischen wird nichts gesagt."
    ),
    "band_row": "ab einer Wahrscheinlichkeit von {low} bis {high}.",
    "evidence": "Hinweise über dem Bild",
    "evidence_off": "Aus",
    "evidence_colour": "Farben",
    "evidence_outline": "Umriss",
    "opacity": "Deckkraft",
    "evidence_cells": (
        "Für wie wahrscheinlich das Modell an jeder Stelle einen Tumor hält; der Umriss liegt bei der Hälfte "
        "von {full}."
    ),
    "evidence_pull": (
        "Was für den Befund sprach (Grad-CAM); der Umriss liegt bei der Hälfte des stärksten Hinweises."
    ),
    "evidence_full_one": "Gewissheit",
    "evidence_warn": "Eine Hilfe zum genauen Hinsehen, keine Grenze einer Läsion.",
    "evidence_missing": (
        "Dieses Modell kann nicht zeigen, was für seinen Befund sprach (es wurde nie exportiert)."
    ),
    "evidence_nothing": "Nichts im Bild sprach dafür.",
    "evidence_alt": "Hinweise als Farben: je heller, desto stärker",
    "prep": "Vor und nach der Aufbereitung",
    "prep_cut": "Anteil des aufbereiteten Bildes, der gezeigt wird",
    "prep_before": "wie gelesen",
    "prep_after": "wie das Modell es sah",
    "prep_before_alt": "Das Bild, wie gelesen, zum Quadrat ergänzt",
    "prep_after_alt": "Das Bild, wie das Modell es sah, {side} x {side} Pixel",
    "steps": "Was mit dem Bild geschah",
    "steps_why": "Jeder Schritt der Reihe nach; der letzte, {side} x {side} Pixel, ging an das Modell.",
    "step_alt": "Das Bild nach Schritt {i}, {name}",
    "step_framed": "Zugeschnitten",
    "step_denoised": "Entrauscht (Non-local Means)",
    "step_contrast": "Kontrast (CLAHE)",
    "step_grey": "In Grau verwandelt",
    "details": "Wie der Befund zustande kam",
    "done": "Mit der Datei geschah",
    "done_nothing": "nur dekodiert, sonst nichts",
    "time": "Zeit",
    "time_read": "lesen",
    "time_prepare": "aufbereiten",
    "time_infer": "rechnen",
    "time_explain": "erklären",
    "about": "Über das Modell und seine Schwelle",
    "about_text": (
        "Die Wahrscheinlichkeit ist kalibriert: der eigene Wert des Netzes wird auf eine Skala gebracht, auf "
        "der er als Häufigkeit gelesen werden kann. Sie gilt für Bilder wie die der Anpassung und sagt weniger "
        "über Bilder aus anderen Scannern und Kliniken. Das Modell unterscheidet Tumor von kein Tumor; andere "
        "Krankheiten sieht es nicht."
    ),
}
