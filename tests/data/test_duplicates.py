"""Near copies are found, whatever was done to them, and nothing else is; groups are fair."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tumorscan.config import SplitSettings
from tumorscan.data import duplicates
from tumorscan.data.candidates import TRIES, find_candidates
from tumorscan.data.catalog import Catalog, build_catalog, conflicts, read_catalog, write_catalog
from tumorscan.data.duplicates import near_links
from tumorscan.data.fingerprints import BITS, HASHES, Fingerprint, fingerprint
from tumorscan.data.groups import NearLink
from tumorscan.data.phantom import draw_phantom
from tumorscan.data.split import PARTS, make_split
from tumorscan.data.views import seen
from tumorscan.errors import DataError, MissingExtra
from tumorscan.read import read_scan

pytest.importorskip("faiss")

Change = Callable[[np.ndarray], np.ndarray]


def _jpeg(grey: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def _sharpened(grey: np.ndarray) -> np.ndarray:
    return cv2.addWeighted(grey, 2.0, cv2.GaussianBlur(grey, (0, 0), 1.5), -1.0, 0)


def _gamma(grey: np.ndarray, power: float) -> np.ndarray:
    return np.rint(255 * (grey / 255.0) ** power).astype(np.uint8)


def _trimmed(grey: np.ndarray, share: float) -> np.ndarray:
    y, x = round(share * grey.shape[0]), round(share * grey.shape[1])
    return grey[y : grey.shape[0] - y, x : grey.shape[1] - x]


CHANGES: dict[str, Change] = {
    "resaved": lambda g: _jpeg(g, 20),
    "resized": lambda g: cv2.resize(
        g, (int(0.7 * g.shape[1]), int(0.5 * g.shape[0])), interpolation=cv2.INTER_AREA
    ),
    "sharpened": _sharpened,
    "blurred": lambda g: cv2.GaussianBlur(g, (0, 0), max(g.shape) / 250),
    "margins added": lambda g: cv2.copyMakeBorder(g, 40, 10, 25, 60, cv2.BORDER_CONSTANT, value=0),
    "margins cut": lambda g: _trimmed(g, 0.03),
    "brighter": lambda g: np.clip(g * 1.25 + 12.0, 0, 255).astype(np.uint8),
    "gamma": lambda g: _gamma(g, 0.75),
    "mirrored": lambda g: seen(g, 1),
    "flipped": lambda g: seen(g, 2),
    "turned and resaved": lambda g: _jpeg(seen(g, 5), 50),
}


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.ascontiguousarray(grey)[..., None], 3, axis=2)


def phantom(seed: int, size: int = 160) -> np.ndarray:
    return draw_phantom(np.random.default_rng(seed), tumor=bool(seed % 2), size=size).pixels


def links_of(pictures: Iterable[np.ndarray]) -> set[tuple[int, int]]:
    prints = {f"{i:05d}": fingerprint(rgb(picture)) for i, picture in enumerate(pictures)}
    return {(int(link.one), int(link.other)) for link in near_links(prints)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_planted_copies_of_phantoms_are_found_and_nothing_else(change: Change) -> None:
    originals = [phantom(seed) for seed in range(12)]
    found = links_of([*originals, *map(change, originals)])
    assert found == {(i, i + 12) for i in range(12)}


@pytest.mark.parametrize("view", range(8))
def test_every_view_of_every_view(view: int) -> None:
    """A copy is found whichever of the two was turned, and the link says how they lie."""
    one = phantom(3)
    prints = {"a": fingerprint(rgb(one)), "b": fingerprint(rgb(_jpeg(seen(one, view), 60)))}
    (link,) = near_links(prints)
    assert (link.one, link.other) == ("a", "b")
    assert link.correlation > 0.98


def test_flat_pictures_are_not_copies_of_each_other() -> None:
    flat = [np.full((50, 60), level, np.uint8) for level in (0, 90, 91, 255)]
    assert links_of([*flat, phantom(1)]) == set()
    assert links_of([]) == links_of(flat[:1]) == set()


def test_pairs_that_are_known_need_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = {str(i): fingerprint(rgb(_jpeg(phantom(2), 90 - 10 * i))) for i in range(5)}
    compared = []
    real = duplicates.correlation
    monkeypatch.setattr(duplicates, "correlation", lambda *a: compared.append(1) or real(*a))
    assert len(list(near_links(prints))) == 10
    assert len(compared) == 10
    assert list(near_links(prints, skip=lambda *_: True)) == []
    assert len(compared) == 10


def test_candidates_are_a_few_of_all_pairs_and_hold_the_copies(rng: np.random.Generator) -> None:
    hashes = rng.random((400, len(HASHES), BITS)) < 0.5
    hashes[200:] = hashes[:200]
    flips = rng.random(hashes[200:].shape) < 0.05
    hashes[200:] ^= flips
    found = find_candidates(hashes)
    pairs = [(int(found.one[s]), int(found.other[s])) for s, _ in found.pairs()]
    assert len(pairs) == len(set(pairs)) == 200
    assert {tuple(sorted(pair)) for pair in pairs} == {(i, i + 200) for i in range(200)}
    assert all(0 < end - start <= TRIES for start, end in found.pairs())
    assert (np.diff([found.distance[s] for s, _ in found.pairs()]) >= 0).all()


def test_without_faiss_the_pip_line_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingExtra, match=r"faiss is not installed: pip install 'tumorscan\[train\]'"):
        build_catalog([tmp_path / "gone"])


def save(path: Path, grey: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six heads; 0 has a mirrored and a resaved copy, 1 a copy under the other label."""
    root = tmp_path / "set"
    for i in range(6):
        save(root / ("yes" if i < 3 else "no") / f"{i}.png", phantom(i))
    save(root / "yes" / "0 mirrored.png", seen(phantom(0), 1))
    save(root / "yes" / "0 resaved.png", _jpeg(phantom(0), 30))
    save(root / "no" / "1 again.png", _jpeg(phantom(1), 60))
    return root


def _by_stem(catalog: Catalog) -> dict[str, str]:
    return {record.file.stem: record.group for record in catalog.records}


def test_catalog_joins_near_copies_of_one_label(folder: Path) -> None:
    group = _by_stem(build_catalog([folder]))
    assert group["0"] == group["0 mirrored"] == group["0 resaved"]
    assert len(set(group.values())) == 7
    assert group["1"] != group["1 again"]
    assert len(set(_by_stem(build_catalog([folder], near=False)).values())) == 9


def test_near_copies_with_two_labels_are_a_conflict(folder: Path, tmp_path: Path) -> None:
    catalog = build_catalog([folder])
    (conflict,) = conflicts(catalog)
    assert {record.file.stem for record in conflict.records} == {"1", "1 again"}
    assert conflict.link is not None
    assert not conflict.same_pixels
    with pytest.raises(
        DataError, match=r"near copies \(as it is, correlation 0\.9\d+\) have two labels: .*1.*decide"
    ):
        make_split(catalog, SplitSettings())
    write_catalog(catalog, tmp_path / "c.csv")
    text = (tmp_path / "c.conflicts.csv").read_text()
    assert text.count("near copy") == 2
    assert "set/no/1 again.png" in text
    assert read_catalog(tmp_path / "c.csv") == catalog


def test_a_corrected_label_settles_the_conflict(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    write_catalog(build_catalog([folder]), path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(x.replace("no_tumor", "tumor") if "1 again" in x else x for x in lines) + "\n")
    catalog = read_catalog(path)
    assert conflicts(catalog) == ()
    group = _by_stem(catalog)
    assert group["1"] == group["1 again"]
    write_catalog(catalog, path)
    assert not (tmp_path / "c.conflicts.csv").exists()


def test_a_picture_taken_out_settles_the_conflict(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    write_catalog(build_catalog([folder]), path)
    path.write_text("\n".join(x for x in path.read_text().splitlines() if "1 again" not in x) + "\n")
    assert read_catalog(path).refused == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",near copy,", ",near copy,x,", r"c\.conflicts\.csv: line 2: 10 values under 9 columns"),
        ("correlation", "likeness", r"c\.conflicts\.csv: line 1: no column correlation"),
        (",0.9", ",zero.9", r"c\.conflicts\.csv: line 2: correlation is 'zero\.9\d+', it must be a number"),
    ],
)
def test_refuses_a_damaged_conflicts_file(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    write_catalog(build_catalog([folder]), tmp_path / "c.csv")
    aside = tmp_path / "c.conflicts.csv"
    aside.write_text(aside.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        read_catalog(tmp_path / "c.csv")


def test_slices_of_one_patient_may_be_alike_and_bear_both_labels(tmp_path: Path) -> None:
    save(tmp_path / "a.png", phantom(1))
    save(tmp_path / "b.png", _jpeg(phantom(1), 60))
    (tmp_path / "set.csv").write_text("file,label,patient\na.png,yes,7\nb.png,no,7\n")
    catalog = build_catalog([tmp_path / "set.csv"])
    assert catalog.refused == conflicts(catalog) == ()
    assert len(set(_by_stem(catalog).values())) == 1


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.permutations(range(9)))
def test_groups_do_not_depend_on_the_order_of_files(folder: Path, order: list[int]) -> None:
    files = sorted(folder.rglob("*.png"))
    lines = [f"{files[i]},{files[i].parent.name}" for i in order]
    table = folder.parent / "set.csv"
    table.write_text("\n".join(["file,label", *lines]) + "\n")
    shuffled, straight = build_catalog([table]), build_catalog([folder])
    assert _by_stem(shuffled) == _by_stem(straight)
    assert shuffled.refused == straight.refused


_LINKS = st.lists(
    st.tuples(st.integers(0, 29), st.integers(0, 29)).filter(lambda p: p[0] != p[1]), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(_LINKS, st.lists(st.booleans(), min_size=30, max_size=30), st.randoms())
def test_groups_are_an_equivalence_and_no_chain_joins_two_labels(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]], labels: list[bool], random: object
) -> None:
    """Whatever the search links: same label and linked is same group, and groups hold one label."""
    with pytest.MonkeyPatch.context() as patch:
        catalog = _catalog_of(pairs, labels, patch)
        random.shuffle(pairs)  # type: ignore[attr-defined]
        again = _catalog_of(pairs, labels, patch)
    group = {int(record.file.stem): record.group for record in catalog.records}
    assert group == {int(record.file.stem): record.group for record in again.records}
    classes = _closure([p for p in pairs if labels[p[0]] == labels[p[1]]])
    for i in range(30):
        for j in range(30):
            assert (group[i] == group[j]) == (classes[i] == classes[j])
    refused = {tuple(sorted((group[i], group[j]))) for i, j in pairs if labels[i] != labels[j]}
    assert len(conflicts(catalog)) == len(refused)


def _closure(pairs: list[tuple[int, int]]) -> list[int]:
    """By repeated relabelling: slow, plain and not union-find."""
    mark = list(range(30))
    for _ in range(30):
        for i, j in pairs:
            mark[i] = mark[j] = min(mark[i], mark[j])
    return mark


def _catalog_of(pairs: list[tuple[int, int]], labels: list[bool], patch: pytest.MonkeyPatch) -> Catalog:
    from tumorscan.data import catalog as module
    from tumorscan.data.records import Record, Skipped
    from tumorscan.data.sources import Listed

    digests = [f"{i:02x}" * 32 for i in range(30)]

    def listed(path: Path, where: object) -> tuple[list[Listed], list[Skipped]]:
        return [Listed(Path(f"/p/{i}"), "tumor" if labels[i] else "no_tumor", "s") for i in range(30)], []

    def record(item: Listed, **_: object) -> tuple[Record, Fingerprint | None]:
        i = int(item.file.stem)
        return Record(item.file, item.label, digests[i], "", "s", "", 9, 9, "L", "PNG", 9), None

    def links(prints: object, *, skip: Callable[[str, str], bool], progress: bool) -> Iterable[NearLink]:
        for pair in pairs:
            one, other = sorted(digests[i] for i in pair)
            if not skip(one, other):
                yield NearLink(one, other, 0.99, "as it is")

    patch.setattr(module, "list_source", listed)
    patch.setattr(module, "_record", record)
    patch.setattr(module, "near_links", links)
    return build_catalog([Path("anything")])


@settings(max_examples=20, deadline=None)
@given(_LINKS, st.integers(0, 99))
def test_splits_never_divide_a_group_of_near_copies(pairs: list[tuple[int, int]], seed: int) -> None:
    labels = [i % 2 == 0 for i in range(30)]
    with pytest.MonkeyPatch.context() as patch:
        catalog = _catalog_of([p for p in pairs if labels[p[0]] == labels[p[1]]], labels, patch)
    groups = {
        label: {r.group for r in catalog.records if r.label == label} for label in ("tumor", "no_tumor")
    }
    if min(map(len, groups.values())) < len(PARTS):
        with pytest.raises(DataError, match="groups of pictures"):
            make_split(catalog, SplitSettings(seed=seed))
        return
    split = make_split(catalog, SplitSettings(seed=seed))
    homes: dict[str, set[str]] = {}
    for part in PARTS:
        for record in split.parts[part]:
            homes.setdefault(record.group, set()).add(part)
    assert all(len(parts) == 1 for parts in homes.values())


@pytest.mark.data
@pytest.mark.slow
def test_kaggle253_has_199_groups(data_dir: Path) -> None:
    catalog = build_catalog([data_dir / "kaggle253"])
    groups = {
        label: {r.group for r in catalog.records if r.label == label} for label in ("tumor", "no_tumor")
    }
    assert len({record.pixels_sha256 for record in catalog.records}) == 228
    assert 190 <= len(groups["tumor"] | groups["no_tumor"]) <= 205
    assert not groups["tumor"] & groups["no_tumor"]
    assert conflicts(catalog) == ()


@pytest.mark.data
@pytest.mark.slow
def test_planted_copies_on_figshare(data_dir: Path) -> None:
    """Whole patients, so that neighbouring slices are there to be taken for copies."""
    files = sorted((data_dir / "figshare" / "glioma").glob("*.jpg"))[:240]
    greys = [read_scan(file).pixels[..., 0] for file in files]
    copies = [(i, change(greys[i])) for n, change in enumerate(CHANGES.values()) for i in range(n, 240, 6)]
    found = links_of([*greys, *(copy for _, copy in copies)])
    origin = [*range(240), *(i for i, _ in copies)]
    planted = {(i, 240 + n) for n, (i, _) in enumerate(copies)}
    wrong = [pair for pair in found if origin[pair[0]] != origin[pair[1]]]
    assert len(planted & found) >= 0.98 * len(planted)
    assert len(wrong) < 1e-4 * len(origin) * (len(origin) - 1) / 2
