-- How long the deployment has been running, in seconds, whatever the wall clock shows. `used_at` is
-- measured by it. It begins at the last use that was measured by the wall.

CREATE TABLE uptime (seconds REAL NOT NULL) STRICT;
INSERT INTO uptime (seconds) SELECT coalesce(max(used_at), 0) FROM namespaces;
