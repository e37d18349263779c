-- The request that created a call, so that whoever counts rings sees which requests they came from.

ALTER TABLE calls ADD COLUMN requested_by TEXT;
