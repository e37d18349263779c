-- What calls to a number do in one namespace, by the name of a scenario or by an outcome as JSON;
-- `default` is every number that has no scenario. A call keeps the outcome that it was created with.

ALTER TABLE namespaces ADD COLUMN has_numbers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN outcome TEXT;

CREATE TABLE numbers (
    generation  INTEGER NOT NULL,
    phone       TEXT NOT NULL,
    scenario    TEXT NOT NULL,
    outcome     TEXT,
    PRIMARY KEY (generation, phone)
) STRICT, WITHOUT ROWID;

-- How often creations for a number were rejected, for a number that works after some rejections.
CREATE TABLE rejections (
    generation  INTEGER NOT NULL,
    phone       TEXT NOT NULL,
    rejections  INTEGER NOT NULL,
    PRIMARY KEY (generation, phone)
) STRICT, WITHOUT ROWID;
