"""All groups of interop cases."""

from . import federation

GROUPS = [
    federation.Certificates,
    federation.Dialback,
    federation.DirectTls,
]
