"""The URL of a store -> fsspec's file system; what is said of either without their secrets."""

from __future__ import annotations

import platform
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from edgeml.errors import ConfigError, MissingToolError, StorageError
from edgeml.search.workers.compute import shown

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs"})


def said(error: Exception, url: str) -> str:
    """The first line of what an error says, and the next after a colon, without the secrets of a URL."""
    first, *more = str(error).splitlines() or [""]
    text = (f"{first} {more[0].strip()}" if more and first.endswith(":") else first).replace(
        url, str(shown(url))
    )
    parts = urlsplit(url)
    for secret in filter(None, (parts.password, unquote(parts.password or ""), parts.query)):
        text = text.replace(secret, "***")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def opened(url: str, shown_url: str) -> tuple[Any, str]:
    """URL of a folder -> fsspec's file system and the folder's path in it.

    Args:
        url: with its secrets.
        shown_url: without, for what is said.

    Raises:
        ConfigError: it is no URL of a folder that fsspec knows.
        MissingToolError: fsspec or what it needs for this scheme is not installed.
        StorageError: it cannot be reached.
    """
    try:
        import fsspec
    except ImportError as error:
        raise MissingToolError(
            "--scheduler and --store need distributed and fsspec: pip install 'edgeml[cluster]', on the "
            "workers too."
        ) from error
    scheme = re.split(r":", url, maxsplit=1)[0]
    if scheme in BUCKETS:
        place = urlsplit(url).netloc
        if not place or "@" in place:
            found = "credentials in the URL" if place else "no bucket"
            raise ConfigError(
                f"--store {shown_url if place else scheme + '://'}: found {found}, expected "
                f"{scheme}://BUCKET/FOLDER; give credentials by environment or profile, on every worker too."
            )
    try:
        files, root = fsspec.url_to_fs(url)
    except ImportError as error:
        package = PACKAGES.get(scheme, "the package that fsspec names")
        raise MissingToolError(
            f"--store {shown_url}: {scheme}:// needs {package}, which is not installed on this computer; "
            f"pip install {PACKAGES.get(scheme, 'it')}."
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"--store {shown_url}: fsspec cannot use it ({said(error, url)}); "
            "expected a URL such as file:///shared/edgeml or s3://bucket/edgeml."
        ) from error
    except Exception as error:  # some connect at once
        raise StorageError(
            f"--store {shown_url}: it cannot be reached from {platform.node()} ({said(error, url)}); see "
            "that it runs and may be used from there."
        ) from error
    return files, str(root).rstrip("/")
