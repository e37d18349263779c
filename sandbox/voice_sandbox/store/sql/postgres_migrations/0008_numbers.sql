-- What calls to a number do in one namespace, by the name of a scenario or by an outcome as JSON;
-- `default` is every number that has no scenario. A call keeps the outcome that it was created with.

ALTER TABLE namespaces ADD COLUMN has_numbers boolean NOT NULL DEFAULT false;
ALTER TABLE calls ADD COLUMN outcome text;

CREATE TABLE numbers (
    generation  bigint NOT NULL REFERENCES namespaces,
    phone       text COLLATE "C" NOT NULL,
    scenario    text NOT NULL,
    outcome     text,
    PRIMARY KEY (generation, phone)
);

-- How often creations for a number were rejected, for a number that works after some rejections.
CREATE TABLE rejections (
    generation  bigint NOT NULL REFERENCES namespaces,
    phone       text COLLATE "C" NOT NULL,
    rejections  integer NOT NULL,
    PRIMARY KEY (generation, phone)
);
