"""How much some distributions and all they need take on the disk, in the environment that runs this.

    python installed_size.py NAME...       prints JSON: bytes, and bytes of each distribution

Compiled Python (`__pycache__`) is left out: whether it is there depends on the installer. This needs the
standard library only.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def closure(names: list[str]) -> dict[str, int]:
    """Bytes of each distribution that the named ones need, themselves included; extras are not followed."""
    sizes: dict[str, int] = {}
    left = list(names)
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in sizes:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform or Python: its marker kept it out
        files = (Path(str(found.locate_file(file))) for file in found.files or ())
        sizes[name] = sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())
        left += [_NAME.match(one)[0] for one in found.requires or () if "extra ==" not in one]
    return sizes


if __name__ == "__main__":
    each = closure(sys.argv[1:])
    print(json.dumps({"bytes": sum(each.values()), "each": each}))
