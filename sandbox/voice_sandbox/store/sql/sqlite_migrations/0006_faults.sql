-- Armed faults of a key. `met` counts the requests that a fault has met: it lets the first `skip` of
-- them pass and strikes the next `times`, or all where that is NULL. A namespace says whether any
-- fault may still strike, so that a request that meets none needs no second reading.

ALTER TABLE namespaces ADD COLUMN has_faults INTEGER NOT NULL DEFAULT 0;

CREATE TABLE faults (
    generation    INTEGER NOT NULL,
    fault_id      TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    operation_id  TEXT NOT NULL,
    phone         TEXT,
    skip          INTEGER NOT NULL CHECK (skip >= 0),
    times         INTEGER CHECK (times > 0),
    fault         TEXT NOT NULL,
    met           INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, fault_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX namespaces_with_faults ON namespaces (generation) WHERE has_faults;
