-- The third shape: archives, the messages of one owner in the order of their ids.
--
-- Numbers of owners and conversations are never used again (AUTOINCREMENT): a row that was left behind
-- by mistake must not turn up in the archive of somebody else.
CREATE TABLE archive_owners (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    jid      TEXT    UNIQUE,       -- NULL: cleared, its messages wait to be swept
    messages INTEGER NOT NULL,
    bytes    INTEGER NOT NULL      -- of bodies
) STRICT;

-- One owner's messages with one bare JID. Goes with its last message.
CREATE TABLE archive_conversations (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,
    jid   TEXT    NOT NULL,
    UNIQUE (owner, jid)
) STRICT;

-- In the order of ids, which rise for everybody alike: new messages share the last pages of the tree.
CREATE TABLE archive (
    id           INTEGER PRIMARY KEY,
    owner        INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    incoming     INTEGER NOT NULL,
    resource     TEXT    NOT NULL,
    body         BLOB    NOT NULL
) STRICT;

-- The id follows by itself in both, being the key of the table.
CREATE INDEX archive_by_owner ON archive (owner);
CREATE INDEX archive_by_conversation ON archive (conversation);
