"""A page in a headless Chromium, which reports to the server that it was loaded from."""

import asyncio
import json
import mimetypes
import os
import urllib.parse

from .npm import cache_directory
from .program import PROGRAMS, Program

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--disable-extensions", "--disable-breakpad",
         # The laboratory's authority is in no store of the browser's.
         "--ignore-certificate-errors")


class Page(Program):
    """A page of programs/, and what it needs of an installed library at /LIBRARY/."""

    async def open(self, page, library, **options):
        self._library = library
        self._listener = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.lab.cleanups.append(self._close)
        query = urllib.parse.urlencode(options)
        await self.start(["chromium", *FLAGS, f"--user-data-dir={self.directory}/profile",
                          f"http://127.0.0.1:{port}/{page}?{query}"], HOME=self.directory,
                         TMPDIR=self.directory)

    async def end(self, deadline=20):
        """A browser has no end of its own."""
        await self.kill()
        return 0

    async def _close(self):
        self._listener.close()

    async def _answer(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            body = b""
            for line in head.split("\r\n"):
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    body = await reader.readexactly(int(value))
            if method == "POST":
                self.reports.append(json.loads(body))
                self._news.set()
            path = self._path(target.partition("?")[0])
            found = method == "GET" and os.path.isfile(path)
            content = b""
            if found:
                with open(path, "rb") as file:
                    content = file.read()
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            status = "200 OK" if found or method == "POST" else "404 Not Found"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n"
                         f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the browser thought better of it
        finally:
            writer.close()

    def _path(self, target):
        name = os.path.normpath(urllib.parse.unquote(target)).lstrip("/")
        folder, _, rest = name.partition("/")
        if rest:
            return f"{cache_directory()}/node_modules/{self._library}/dist/{rest}"
        return f"{PROGRAMS}/{folder}"
