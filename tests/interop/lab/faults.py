"""Broken peers: addresses that refuse, hang up, stay silent or swallow connections."""

import asyncio
import socket

COMPLETED_CONNECTION_SECONDS = 0.5


class HangingUp:
    """Accepts connections and closes each at once, counting them."""

    def __init__(self, address):
        self.address = address
        self.connections = 0

    async def accept(self, _reader, writer):
        self.connections += 1
        writer.close()


async def hanging_up_listener(lab, port):
    result = HangingUp(lab.address())
    server = await asyncio.start_server(result.accept, result.address, port)

    async def stop():
        server.close()
    lab.cleanups.append(stop)
    return result


async def silent_listener(lab, port):
    """Accepts connections and never says a word; returns its address."""
    address = lab.address()
    held = []

    async def hold(_reader, writer):
        held.append(writer)
    server = await asyncio.start_server(hold, address, port)

    async def stop():
        server.close()
        for writer in held:
            writer.transport.abort()
    lab.cleanups.append(stop)
    return address


async def reciting_listener(lab, port, text):
    """Says the same to whoever connects, whatever it is told; returns its address."""
    address = lab.address()

    async def recite(_reader, writer):
        writer.write(text.encode())
    server = await asyncio.start_server(recite, address, port)

    async def stop():
        server.close()
    lab.cleanups.append(stop)
    return address


async def swallowing_listener(lab, port):
    """Its queue is full, so that further SYNs are dropped: connecting hangs. Its address."""
    address = lab.address()
    listener = socket.create_server((address, port), backlog=0)
    clients = []
    loop = asyncio.get_running_loop()
    # Linux completes backlog + 1 connections; the first that hangs shows the queue full.
    while True:
        client = socket.socket()
        client.setblocking(False)
        clients.append(client)
        try:
            await asyncio.wait_for(loop.sock_connect(client, (address, port)),
                                   COMPLETED_CONNECTION_SECONDS)
        except asyncio.TimeoutError:
            break

    async def stop():
        for each in [*clients, listener]:
            each.close()
    lab.cleanups.append(stop)
    return address


def refusing_address(lab):
    """An address nothing listens on."""
    return lab.address()
