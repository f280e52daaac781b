-- The two shapes of data that every feature's records take.
--
-- Names of stores are short constants of the features; each is held once and used as a small number.
CREATE TABLE stores (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- (store, owner, key) -> value: accounts, rosters, settings.
CREATE TABLE maps (
    store INTEGER NOT NULL,
    owner TEXT    NOT NULL,
    key   TEXT    NOT NULL,
    value BLOB    NOT NULL,
    PRIMARY KEY (store, owner, key)
) STRICT, WITHOUT ROWID;

-- Who holds this key? The owner follows by itself, being part of the primary key.
CREATE INDEX maps_by_key ON maps (store, key);

-- Rows in the order of their ids: offline messages, outbound queues. Times are Unix milliseconds.
CREATE TABLE logs (
    store   INTEGER NOT NULL,
    owner   TEXT    NOT NULL,
    id      INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    PRIMARY KEY (store, owner, id)
) STRICT, WITHOUT ROWID;

-- Only what expires at all.
CREATE INDEX logs_by_expiry ON logs (store, expires) WHERE expires > 0;

-- No row id above this one was ever committed; kept ahead of the rows so that it is seldom written.
CREATE TABLE id_ceiling (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    value INTEGER NOT NULL
) STRICT;

INSERT INTO id_ceiling (only, value) VALUES (1, 0);
