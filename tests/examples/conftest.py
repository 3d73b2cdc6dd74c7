"""The scripts of examples/ as modules, and a small ball of a head that needs no template."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def examples() -> Path:
    return EXAMPLES


@pytest.fixture(scope="session")
def scripts() -> Any:
    """make.py, and by it its neighbours; their names are taken out of sys.modules and sys.path again."""
    pytest.importorskip("scipy")
    names = ("make", "template_head", "simulated_lesions", "drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        for name in names:
            patch.delitem(sys.modules, name, raising=False)
        import make

        loaded = {name: sys.modules.pop(name) for name in names}
        assert all(isinstance(module, ModuleType) for module in loaded.values())
        assert make is loaded["make"]
        return type("Scripts", (), loaded)


@pytest.fixture(scope="session")
def ball(scripts: Any) -> Any:
    """A head whose brain is an ellipsoid of white matter; drawn by the same code as the template's."""
    shape = (197, 233, 189 + scripts.template_head.NECK)
    axes = zip(shape, scripts.template_head.ORIGIN, (66, 84, 62), strict=True)
    x, y, z = ((np.arange(side, dtype=np.float32) - zero) / half for side, zero, half in axes)
    reach = (x**2)[:, None, None] + (y**2)[None, :, None] + (z**2)[None, None, :]
    inside = (reach < 1).astype(np.float32)
    return scripts.template_head.dress(220 * inside, inside)
