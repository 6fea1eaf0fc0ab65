"""A chart as PNG and a page as PDF. The PNG's font is bundled: without system fonts all text would silently vanish."""

import logging
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
PAPER = "#faf9f6"
ZOOM = 2  # pixels of the picture for one of the chart, for screens of today


class NotInstalled(Exception):
    """A format needs an extra that is not there."""


def to_png(svg: str) -> bytes:
    """The chart on paper, twice its size."""
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            background=PAPER,
            zoom=ZOOM,
            skip_system_fonts=True,
            font_files=[str(path) for path in sorted(FONTS.glob("*.otf"))],
            font_family="Inter",
            sans_serif_family="Inter",
        )
    )


def to_pdf(page: str) -> bytes:
    """The page on A4. Raises NotInstalled without the extra "pdf" or the libraries it needs."""
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it tells every step, and every rule it does not know
    try:
        from weasyprint import HTML
    except (ImportError, OSError) as error:
        what = str(error).splitlines()[0]
        raise NotInstalled(
            f'PDF needs the extra "pdf" and Pango ({what}). Install them: pip install "scrumbut[pdf]", '
            "apt-get install libpango-1.0-0 libpangoft2-1.0-0."
        ) from error
    return bytes(HTML(string=page, url_fetcher=_no_request).write_pdf())


def _no_request(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f'a report loads nothing, not even "{url[:80]}"')
