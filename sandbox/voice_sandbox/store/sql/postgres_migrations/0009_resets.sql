-- When a namespace was emptied last: an exchange up to that `seq`, which another process may write
-- down a little later, is not part of its journal any more.

CREATE TABLE resets (
    namespace  bytea NOT NULL PRIMARY KEY,
    seq        text COLLATE "C" NOT NULL
);

CREATE INDEX resets_by_seq ON resets (seq);
