-- A delivery is recorded by the HTTP status of its response, which its column is now named after.

ALTER TABLE calls RENAME COLUMN delivery_answers TO delivery_statuses;
