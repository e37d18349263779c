"""The sandbox as a process: options, sockets, uvicorn, workers, metrics and logs.

Owns everything that depends on the operating system. The application itself runs under any ASGI
server and knows nothing of this one. Imports ``app`` and what lies below it. ``testing`` and
``cli`` may import it; of the portal, the module that lists its options.
"""
