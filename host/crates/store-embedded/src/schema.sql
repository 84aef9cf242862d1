-- Times are milliseconds of the store's steady time, except appended_at_ms: the wall clock's.

-- The last number given to a version, a token or an entry, the last moment seen, and how often the
-- store was opened.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    steady_ms INTEGER NOT NULL,
    openings INTEGER NOT NULL
);
INSERT INTO meta VALUES (1, 0, 0, 0, 0);

CREATE TABLE kv (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    expires_at_ms INTEGER,
    file BLOB,
    bytes BLOB NOT NULL
);
CREATE INDEX kv_expiry ON kv (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

-- A row per queue, with its counts: nothing is counted by a scan.
CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);

-- What claims touch is small; bodies are apart.
CREATE TABLE entries (
    queue INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    visible_at_ms INTEGER,      -- NULL: hidden by an earlier entry of its group
    due_at_ms INTEGER NOT NULL,
    appended_at_ms INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    token INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    grp TEXT,
    id TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (queue, seq)
) WITHOUT ROWID;
CREATE INDEX entries_visible ON entries (queue, visible_at_ms) WHERE visible_at_ms IS NOT NULL;
CREATE INDEX entries_claimed ON entries (queue, visible_at_ms) WHERE claimed = 1;
CREATE INDEX entries_group ON entries (queue, grp) WHERE grp IS NOT NULL;

CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY,
    file BLOB,
    body BLOB NOT NULL
);

-- Ids that were appended with deduplication, until they may come again.
CREATE TABLE seen (
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX seen_until ON seen (until_ms);

-- How many rows refer to each content-addressed file.
CREATE TABLE files (
    hash BLOB PRIMARY KEY,
    refs INTEGER NOT NULL
) WITHOUT ROWID;
