"""`vidsr fetch`: download photos and videos to train on, with their licences."""

from pathlib import Path
from typing import Annotated

import typer

from vidsr.cli.console import Bars, Verbose, say


def fetch(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Where to search: pixabay.")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to search for, in a few words.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the files.")],
    count: Annotated[int, typer.Option("-n", min=1, max=500, help="How many files.")] = 200,
    videos: Annotated[bool, typer.Option("--videos", help="Videos instead of photos.")] = False,
    key: Annotated[
        str,
        typer.Option(envvar="PIXABAY_KEY", show_default=False, help="Your API key, free at pixabay.com/api/docs/."),
    ] = "",
    address: Annotated[str | None, typer.Option(hidden=True, help="Address of the API.")] = None,
    verbose: Verbose = False,
) -> None:
    """Download photos or videos and list their authors and licences in DIR/licences.csv."""
    if site != "pixabay":
        raise typer.BadParameter(f"expected the site pixabay, got {site}")
    if not key:
        raise typer.BadParameter("give --key or set PIXABAY_KEY; a key is free at https://pixabay.com/api/docs/")
    from vidsr.data.fetch import ADDRESS, fetch_pixabay

    with Bars(resumes=True) as bars:
        fetched = fetch_pixabay(
            query,
            output,
            key=key,
            count=count,
            videos=videos,
            address=address or ADDRESS,
            progress=lambda done, total: bars.show("fetching", done, total),
        )
    for notice in fetched.notices:
        say(notice)
    what = "videos" if videos else "photos"
    print(f"{len(fetched.files)} {what} in {output}, {fetched.new} of them new; licences in {output / 'licences.csv'}")
