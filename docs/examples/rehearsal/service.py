"""A service that places a call whenever somebody posts to it."""

import os
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
from wait import call_and_wait


class Reminders(BaseHTTPRequestHandler):
    def do_POST(self):
        threading.Thread(target=remind, args=(str(uuid.uuid4()),)).start()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()


def remind(key):
    with httpx2.Client(
        base_url=os.environ["VOICE_API_URL"],
        headers={"Authorization": f"Bearer {os.environ['VOICE_API_KEY']}"},
    ) as service:
        try:
            call = call_and_wait(service, "{{ quickstart.phone }}", "{{ quickstart.agent }}", key)
        except (httpx2.HTTPStatusError, TimeoutError) as error:
            print(f"not reminded: {error}")
        else:
            print(f"reminded: {call['status']}")


port = int(os.environ.get("PORT", "3000"))
ThreadingHTTPServer(("127.0.0.1", port), Reminders).serve_forever()
