"""A laboratory of real XMPP servers on loopback addresses.

`Lab` owns a scratch directory, a DNS server (NSD), a certificate authority and
the servers under test; everything it starts is stopped again by `Lab.stop()`,
and dies with this process if that is never reached.
"""

from .lab import Lab
from .namespace import enter_command, namespace_problem
from .waiting import LabError, LabTimeout, until, within

__all__ = ["Lab", "LabError", "LabTimeout", "enter_command", "namespace_problem", "until",
           "within"]
