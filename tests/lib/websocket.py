"""A WebSocket server that says every message again.  ADDRESS... PORT"""
import asyncio
import sys

import websockets


async def echo(ws, _path=None):
    async for message in ws:
        await ws.send(message)


async def main():
    async with websockets.serve(echo, sys.argv[1:-1], int(sys.argv[-1])):
        await asyncio.Future()

asyncio.run(main())
