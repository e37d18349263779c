-- When a namespace was emptied last: an exchange up to that `seq`, which another process may write
-- down a little later, is not part of its journal any more.

CREATE TABLE resets (
    namespace  BLOB NOT NULL PRIMARY KEY CHECK (length(namespace) = 16),
    seq        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX resets_by_seq ON resets (seq);
