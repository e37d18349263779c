-- What moves a clock: the wall, nothing but an advance, or the reads of calls. While the wall does
-- not move it, no completion becomes due by itself: its wake_at is beyond all time.

ALTER TABLE namespaces ADD COLUMN mode TEXT NOT NULL DEFAULT 'wall'
    CHECK (mode IN ('wall', 'manual', 'polls'));
