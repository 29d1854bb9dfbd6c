"""The files that the local phone was sent, kept in memory and bounded: the oldest make room."""

from collections import OrderedDict
from typing import Final

import attrs

KEPT_BYTES_MAX: Final = 64 * 1024 * 1024  # beside 4 MiB a request: a day of trying things out at a desk


@attrs.frozen(kw_only=True)
class StoredFile:
    """`mime_type` is what the sender called it."""

    content: bytes = attrs.field(repr=False)
    mime_type: str


@attrs.define(eq=False)
class Files:
    """Files by their ids."""

    _files: OrderedDict[str, StoredFile] = attrs.field(factory=OrderedDict, init=False, repr=False)
    _bytes: int = attrs.field(default=0, init=False)

    def add(self, id: str, file: StoredFile) -> None:
        """Keep it, and forget the oldest ones that there is no room for beside it."""
        self._files[id] = file
        self._bytes += len(file.content)
        while self._bytes > KEPT_BYTES_MAX and len(self._files) > 1:
            _, oldest = self._files.popitem(last=False)
            self._bytes -= len(oldest.content)

    def get(self, id: str) -> StoredFile | None:
        """The file; None when there never was one, or it had to make room."""
        return self._files.get(id)
