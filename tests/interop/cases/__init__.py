"""All groups of interop cases."""

from . import clients, crash, discovery, federation, judgement, outage

GROUPS = [
    federation.Certificates,
    federation.Dialback,
    federation.DirectTls,
    discovery.Discovery,
    judgement.Judgement,
    outage.Outage,
    crash.Crash,
    clients.Clients,
]
