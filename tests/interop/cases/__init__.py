"""All groups of interop cases."""

from . import (accounts, bidirectional, client_programs, clients, crash, discovery, events,
               federation, history, judgement, menus, outage, profanity, several_domains, silence)

GROUPS = [
    federation.Certificates,
    federation.Dialback,
    federation.DirectTls,
    discovery.Discovery,
    judgement.Judgement,
    several_domains.SeveralDomains,
    several_domains.SeveralDomainsByDialback,
    outage.Outage,
    bidirectional.Bidirectional,
    silence.Silence,
    crash.Crash,
    clients.Clients,
    accounts.Accounts,
    events.Events,
    history.History,
    menus.Menus,
    client_programs.ClientPrograms,
    profanity.Terminals,
]
