# Shared by the shell tools: how they speak, and how they end.

# A step that begins, so that it stands out from what it prints.
step() { printf '\n== %s\n' "$*"; }

say() { printf '%s\n' "$*"; }

# fail REASON...: the last word of a tool that cannot go on.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}
