"""Ingests with the official client: one event, the same once more, a batch, and what cannot be taken. ENDPOINT KEY; prints JSON."""

import json
import sys
from datetime import datetime, timezone

from corehttp.exceptions import HttpResponseError
from openmeter import Client

endpoint, key = sys.argv[1:]
client = Client(endpoint=endpoint, token=key)
now = datetime.now(timezone.utc).isoformat()


def event(name, **fields):
    data = {"model": "gpt-large", "tokens": "1000", "output": 10}
    return {"specversion": "1.0", "id": name, "source": "python", "type": "prompt", "subject": "ada", "time": now, "data": data, **fields}


def status(body):
    try:
        client.events.ingest_event(body) if isinstance(body, dict) else client.events.ingest_events(body)
        return 204
    except HttpResponseError as error:
        return error.status_code


print(
    json.dumps(
        {
            "one": status(event("py-1")),
            "again": status(event("py-1")),
            "batch": status([event("py-1"), event("py-2"), event("py-3")]),
            "unknown": status(event("py-4", type="unheard-of")),
            "conflict": status(event("py-1", data={"model": "gpt-large", "tokens": "1"})),
        }
    )
)
