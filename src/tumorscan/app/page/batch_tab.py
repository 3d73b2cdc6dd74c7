"""The tab *Batch*: many files or a zip; a table that can be sorted, and its downloads."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from tumorscan.app.desk import table_of
from tumorscan.app.page import parts
from tumorscan.app.page.batch import MOST_FILES, Jobs, Line, Progress, work_through
from tumorscan.app.page.picture import points_html
from tumorscan.app.page.texts import below, chance, html, number, say
from tumorscan.app.page.widgets import (
    PRIVATE,
    Told,
    heard,
    heard_often,
    model_line,
    size_text,
    zone_and_answer,
    zone_html,
)
from tumorscan.detect.results import FORMATS
from tumorscan.detect.rows import COLUMNS, Item, to_row
from tumorscan.errors import TumorscanError, UnreadableScan
from tumorscan.types import Finding, Verdict

if TYPE_CHECKING:
    from tumorscan.app.desk import Desk
    from tumorscan.app.page.words import Words

_MEDIA = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}
_SORTED = ("file", "verdict", "probability")


def lay_out_batch(desk: Desk, words: Words) -> Told:
    """The tab's contents, inside the Blocks that is being made; what tells of the model."""

    def left(language: str) -> str:
        return _left(desk, language)

    jobs = Jobs()
    zone, answer, _ = zone_and_answer(words, "batch", left, "batch.js")
    zone.upload(
        heard_often(lambda sent, language: batch_pages(desk, jobs, sent, language)),
        outputs=answer,
        show_progress="hidden",
        **model_line(desk) | {"concurrency_id": "batch"},
        **PRIVATE,
    )
    answer.stop(
        heard(lambda sent, _: jobs.stop(str(table_of(sent).get("job", "")))),
        queue=False,
        show_progress="hidden",
        **PRIVATE,
    )
    zone.delete(heard(lambda sent, _: desk.discard(sent)), queue=False, show_progress="hidden", **PRIVATE)
    return zone, left


def batch_pages(desk: Desk, jobs: Jobs, sent: Any, language: str = "en") -> Iterator[str]:
    """HTML of the progress every so often, and at last of the table."""
    job = str(table_of(table_of(sent).get("options")).get("job", ""))[:64]
    stop = jobs.begin(job)
    try:
        for progress in work_through(desk, sent, stop):
            if progress.running:
                yield progress_html(progress, job, language)
            else:
                yield table_html(progress, language)
    finally:
        stop.set()
        jobs.end(job)


def progress_html(progress: Progress, job: str, language: str = "en") -> str:
    """How far it is, how long it will still take, and a button that ends it."""
    done, total = len(progress.lines), progress.total
    left = progress.left
    time_left = "" if left is None else say(language, "batch_left", time=_duration(language, left))
    return f"""
<article class="ts-answer ts-progress" lang="{language}">
  <h2>{html(language, "batch_running")}</h2>
  <progress max="{max(total, 1)}" value="{done}" aria-label="{html(language, "batch_running")}"></progress>
  <p>{html(language, "batch_done", done=done, total=total)} {escape(time_left)}</p>
  <div><button type="button" class="ts-button" data-stop="{escape(job)}">
  {html(language, "batch_stop")}</button></div></article>"""


def table_html(progress: Progress, language: str = "en") -> str:
    """The answers as a table that the browser sorts, with what can be downloaded."""
    lines = progress.lines
    counts = ", ".join(
        f"{parts.wording(language, said).partition(' - ')[0]}: {count}"
        for said in Verdict
        if (count := sum(isinstance(one.answer, Finding) and one.answer.verdict is said for one in lines))
    )
    failed = sum(isinstance(one.answer, UnreadableScan) for one in lines)
    summary = (
        say(language, "batch_done", done=len(lines), total=progress.total)
        + f" {_duration(language, progress.seconds)}."
    )
    stopped = f"<p><strong>{html(language, 'batch_stopped')}</strong></p>" if progress.stopped else ""
    errors = html(language, "batch_failed", count=failed) if failed else ""
    return f"""
<article class="ts-answer ts-batch" lang="{language}"><h2>{html(language, "batch_title")}</h2>
<p>{escape(summary)} {escape(counts)}{"." if counts else ""} {errors}</p>{stopped}
<p class="ts-downloads">{_downloads(lines, language)}</p>
{_table(lines, language)}</article>"""


def _table(lines: Sequence[Line], language: str) -> str:
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button" data-sort="{place}">'
        f"{html(language, f'batch_{name}')}<span aria-hidden='true'></span></button></th>"
        for place, name in enumerate(_SORTED, 1)
    )
    picture, more = html(language, "batch_picture"), html(language, "batch_more")
    label = html(language, "batch_title")
    body = "".join(_row(line, language) for line in lines)
    return f"""
<div class="ts-scroll" tabindex="0" role="region" aria-label="{label}"><table class="ts-grid ts-rows">
<thead><tr><th scope="col">{picture}</th>{heads}<th scope="col">{more}</th></tr></thead>
<tbody>{body}</tbody></table></div>"""


def _row(line: Line, language: str) -> str:
    answer = line.answer
    small = f'<img src="{line.thumbnail}" alt="" loading="lazy">' if line.thumbnail else ""
    name = escape(line.name)
    start = f'<tr><td>{small}</td><th scope="row" data-value="{name}">{name}</th>'
    if isinstance(answer, UnreadableScan):
        said = f"{parts.icon(parts.ALARM)}<span>{html(language, 'batch_error')}</span>"
        return (
            f'{start}<td data-value="9"><span class="ts-said-row">{said}</span></td><td data-value="-1"></td>'
            f"<td>{below(language, answer.cause)}</td></tr>"
        )
    said = (
        f"{parts.verdict_icon(answer.verdict)}<span>{escape(parts.wording(language, answer.verdict))}</span>"
    )
    p = answer.probability
    share = "" if p is None else chance(language, p)
    notes = "; ".join(below(language, one) for one in (*answer.reasons, *answer.notes))
    return (
        f'{start}<td data-value="{list(Verdict).index(answer.verdict)}">'
        f'<span class="ts-said-row ts-{parts.tone(answer.verdict)}">{said}</span></td>'
        f'<td data-value="{-1 if p is None else repr(p)}">{share}</td><td>{notes}</td></tr>'
    )


def result_file(lines: Sequence[Line], suffix: str) -> bytes:
    """The answers as a file of a kind that `tumorscan predict --out` writes.

    Raises:
        MissingExtra: Parquet without pyarrow.
    """
    stream = io.BytesIO()
    rows = (to_row(line.answer, Item(line.name, line.name), ()) for line in lines)
    FORMATS[suffix](stream, COLUMNS, rows)
    return stream.getvalue()


def _downloads(lines: Sequence[Line], language: str) -> str:
    links = []
    for suffix, media in _MEDIA.items():
        try:
            uri = parts.file_uri(result_file(lines, suffix), media)
        except TumorscanError as error:
            links.append(f"<span class='ts-quiet'>{below(language, str(error))}</span>")
            continue
        links.append(parts.download(f"tumorscan{suffix}", uri, say(language, f"batch_get_{suffix[1:]}")))
    return "".join(links)


def _duration(language: str, seconds: float) -> str:
    if seconds < 90:
        return f"{number(language, seconds, 0 if seconds >= 10 else 1)} s"
    return f"{number(language, seconds / 60, 0)} min"


def _left(desk: Desk, language: str) -> str:
    limit = desk.inbox.max_upload
    each = size_text(desk.inbox.limits.max_bytes)
    hint = say(language, "batch_hint", each=each, size=size_text(limit), count=MOST_FILES)
    return zone_html(
        language,
        "ts-batch",
        title="batch_drop",
        hint=hint,
        max_bytes=limit,
        max_files=MOST_FILES,
        more=points_html(desk, language, "ts-batch-point", option="point"),
    )
