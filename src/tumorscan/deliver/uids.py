"""Names for objects that follow from what is in them, so that the same work twice makes the same objects."""

from __future__ import annotations

import json
import uuid

from tumorscan.deliver.told import Told

# Names below it are tumorscan's; itself it is the name-based UUID of the text.
_SPACE = uuid.uuid5(uuid.NAMESPACE_OID, "tumorscan.deliver")


class Names:
    """UIDs of all that is made of one answer."""

    def __init__(self, told: Told) -> None:
        finding = told.found.finding
        said = (
            str(finding.verdict),
            None if finding.probability is None else round(finding.probability, 6),
            finding.operating_point,
            told.found.key_slice,
            told.found.extent,
        )
        sources = [(one.uid, one.frame) for one in told.volume.slices]
        self._base = json.dumps([told.model.fingerprint, said, told.volume.series, sources])

    def uid(self, *what: str) -> str:
        """The UID of a thing, below the standard's root for UUIDs (PS3.5 B.2).

        It follows from the bundle's fingerprint (files, calibration, operating point, preparation, version of
        tumorscan), the UIDs of all slices of the source, what was said, and the name of the thing.
        """
        return f"2.25.{uuid.uuid5(_SPACE, json.dumps([self._base, *what])).int}"


def device_uid(told: Told) -> str:
    """The UID of the software with its bundle, as the observer of what it says; the same in every study."""
    return f"2.25.{uuid.uuid5(_SPACE, told.model.fingerprint).int}"
