"""What the API takes and gives, as JSON Schema with examples: the parts of its OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from tumorscan.app.problems import MEDIA_TYPE
from tumorscan.detect.rows import SCHEMA
from tumorscan.detect.volume_table import SCHEMA as STUDY
from tumorscan.types import Verdict

PREDICTION: Final = "tumorscan.prediction/1"

_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_MAYBE: Final = {"type": ["number", "null"]}

FINDING_EXAMPLE: Final = {
    "schema": SCHEMA,
    "file": "head.png",
    "verdict": str(Verdict.TUMOR),
    "probability": 0.9312,
    "confidence": 93.12,
    "threshold": 0.184,
    "operating_point": "screening",
    "model": "evidence 1df321fb1be5",
    "notes": [],
    "reasons": [],
    "tumor_type": {
        "told": "meningioma",
        "probabilities": {"glioma": 0.05, "meningioma": 0.93, "pituitary": 0.02},
    },
    "milliseconds": {"read": 0.9, "prepare": 3.8, "infer": 25.6},
    "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
}
UNREAD_EXAMPLE: Final = {
    "schema": SCHEMA,
    "file": "letter.png",
    "error": "is text, not a picture: save it as PNG, JPEG, BMP, TIFF or WebP",
}

FINDING: Final[dict[str, Any]] = {
    "title": "Finding",
    "description": "The answer for one picture; the same as `tumorscan predict --json` prints.",
    "type": "object",
    "required": [key for key in FINDING_EXAMPLE if key not in ("milliseconds", "sha256")],
    "properties": {
        "schema": {"const": SCHEMA},
        "file": {"type": "string", "description": "As it was named by whoever sent it."},
        "verdict": {"enum": [str(one) for one in Verdict]},
        "probability": {
            **_MAYBE,
            "description": "Calibrated probability of a tumor, 0..1; null where the gate refused it.",
        },
        "confidence": {**_MAYBE, "description": "How probable it is that the verdict is true, per cent."},
        "threshold": {"type": "number", "description": "The operating point's."},
        "operating_point": {"type": "string"},
        "model": {"type": "string", "description": "Name and version of the bundle."},
        "notes": {**_TEXTS, "description": "What the reader and the preparation did."},
        "reasons": {**_TEXTS, "description": "Why the gate refused the picture."},
        "tumor_type": {
            "type": ["object", "null"],
            "description": "A hint for research: the type told, or `not sure`, and the probability of each "
            "that the bundle knows; null where no tumor is reported or the bundle tells no types.",
            "required": ["told", "probabilities"],
            "properties": {
                "told": {"type": "string"},
                "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
            },
        },
        "milliseconds": {"type": "object", "additionalProperties": {"type": "number"}},
        "sha256": {
            "type": "string",
            "description": "Of the file's bytes, in hexadecimal; left out where there is not one file.",
        },
    },
    "example": FINDING_EXAMPLE,
}
UNREAD: Final[dict[str, Any]] = {
    "title": "Unread",
    "description": "A file that got no answer, and why.",
    "type": "object",
    "required": ["schema", "file", "error"],
    "properties": {
        "schema": {"const": SCHEMA},
        "file": {"type": "string"},
        "error": {"type": "string", "description": "Cause and cure, one line."},
    },
    "example": UNREAD_EXAMPLE,
}
_RESULTS: Final = {
    "type": "array",
    "items": {"anyOf": [{"$ref": "#/components/schemas/Finding"}, {"$ref": "#/components/schemas/Unread"}]},
}
PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Cause and cure, one sentence."},
        "results": _RESULTS,
    },
    "example": {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "128 pictures are waiting: try again in 4 s",
    },
}
COMPONENTS: Final[dict[str, Any]] = {
    "Finding": FINDING,
    "Unread": UNREAD,
    "Problem": PROBLEM,
    "Prediction": {
        "title": "Prediction",
        "type": "object",
        "required": ["schema", "results"],
        "properties": {
            "schema": {"const": PREDICTION},
            "results": {**_RESULTS, "description": "In the order of the files."},
        },
        "example": {"schema": PREDICTION, "results": [FINDING_EXAMPLE, UNREAD_EXAMPLE]},
    },
    "Model": {
        "title": "Model",
        "description": "What the bundle says of itself, and what this server takes.",
        "type": "object",
        "required": ["model", "operating_points", "engine", "limits"],
        "properties": {
            "model": {"type": "string"},
            "engine": {"type": "string"},
            "operating_points": {"type": "array", "items": {"type": "object"}},
            "limits": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    },
    "Volume": {
        "title": "Volume",
        "description": "The answer for one volume, as `tumorscan predict --json` prints it; lengths in mm.",
        "type": "object",
        "required": [*FINDING["required"], "slices", "key_slice", "extent", "curve", "tumor_type"],
        "properties": {
            **FINDING["properties"],
            "format": {"type": "string"},
            "plane": {"type": "string"},
            "slices": {"type": "integer"},
            "spacing": {"type": ["array", "null"], "items": {"type": "number"}},
            "key_slice": {"type": ["object", "null"], "description": "The slice that says most."},
            "extent": {"type": ["object", "null"], "description": "The suspicious run of slices."},
            "curve": {"type": "array", "items": _MAYBE, "description": "What was seen of each slice."},
            "refused_slices": {"type": "array", "items": {"type": "integer"}},
            "tumor_type": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    },
    "Study": {
        "title": "Study",
        "type": "object",
        "required": ["schema", "file", "volumes", "problems"],
        "properties": {
            "schema": {"const": STUDY},
            "file": {"type": "string"},
            "volumes": {"type": "array", "items": {"$ref": "#/components/schemas/Volume"}},
            "problems": {**_TEXTS, "description": "A line for each thing that could not be read."},
        },
    },
    "Job": {
        "title": "Job",
        "type": "object",
        "required": ["schema", "id", "status", "done", "total"],
        "properties": {
            "schema": {"const": "tumorscan.job/1"},
            "id": {"type": "string", "description": "Known to whoever sent the study, and to nobody else."},
            "status": {"enum": ["queued", "running", "done", "failed"]},
            "done": {"type": "integer", "description": "Slices."},
            "total": {"type": "integer", "description": "Slices; 0 until the study is read."},
            "result": {"$ref": "#/components/schemas/Study"},
            "problem": {"type": "string", "description": "Why it failed."},
        },
        "example": {
            "schema": "tumorscan.job/1",
            "id": "bO0tCw4SgnT7hI8v1yPqB2Rr6mZk3xWf",
            "status": "running",
            "done": 64,
            "total": 155,
        },
    },
    "State": {
        "title": "State",
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "string"},
            "model": {"type": "string"},
            "problem": {
                "type": "string",
                "description": "Why a newer bundle was not taken; empty: all well.",
            },
        },
    },
}

_CAUSES: Final = {
    400: "The request is not what HTTP or its media type say.",
    401: "No token, or an unknown one.",
    403: "Another site's page asked.",
    404: "There is no such thing, or it is not yours.",
    405: "Not by this method.",
    408: "It came in too slowly.",
    413: "More than the limit, in bytes or files.",
    415: "Another media type.",
    422: "Understood, and without an answer.",
    429: "Too many requests of one client; Retry-After says when there may be another.",
    503: "Too much at once, or about to stop; Retry-After says when to try again.",
}


def ref(name: str) -> dict[str, str]:
    """A reference to one of `COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def answered(name: str, description: str) -> dict[str, Any]:
    """A good response of one of `COMPONENTS`."""
    return {"description": description, "content": {"application/json": {"schema": ref(name)}}}


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What else a route may answer: problem details of these statuses, and of those that every route may."""
    return {
        status: {"description": _CAUSES[status], "content": {MEDIA_TYPE: {"schema": ref("Problem")}}}
        for status in sorted({400, 401, 403, 408, 413, 429, *statuses})
    }


def files_body(field: str, what: str, *, many: bool) -> dict[str, Any]:
    """A multipart body of one field that holds a file, or several."""
    one = {"type": "string", "format": "binary", "description": what}
    shown = {"type": "array", "items": one, "minItems": 1} if many else one
    schema = {"type": "object", "required": [field], "properties": {field: shown}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
