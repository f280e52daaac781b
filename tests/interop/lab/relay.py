"""A network between clients and a server that can be cut: the clients are told the relay's
address in the place of the server's."""

import asyncio
import contextlib


class Relay:
    """Passes bytes both ways between its own address and the server's, port for port."""

    def __init__(self, lab, server, ports):
        self.address = lab.address()
        self.server = server
        self.ports = ports
        self._whole = asyncio.Event()
        self._whole.set()
        self._writers = set()
        self._tasks = set()
        self._listeners = []
        lab.cleanups.append(self.stop)

    async def start(self):
        for port in self.ports:
            async def accept(reader, writer, port=port):
                self._tasks.add(asyncio.current_task())
                try:
                    await self._relay(reader, writer, port)
                finally:
                    self._tasks.discard(asyncio.current_task())
            self._listeners.append(await asyncio.start_server(accept, self.address, port))

    @contextlib.asynccontextmanager
    async def broken(self):
        """Resets every connection. While it lasts, new ones are taken and nothing goes on."""
        self._whole.clear()
        for writer in list(self._writers):
            writer.transport.abort()
        try:
            yield
        finally:
            self._whole.set()

    async def _relay(self, reader, writer, port):
        with self._known(writer):
            await self._whole.wait()
            try:
                far_reader, far_writer = await asyncio.open_connection(self.server.address, port)
            except OSError:
                return
            with self._known(far_writer):
                await asyncio.gather(self._copy(reader, far_writer),
                                     self._copy(far_reader, writer))

    @contextlib.contextmanager
    def _known(self, writer):
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()

    @staticmethod
    async def _copy(reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            # Either side was reset; the other learns it.
            writer.transport.abort()

    async def stop(self):
        for listener in self._listeners:
            listener.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
