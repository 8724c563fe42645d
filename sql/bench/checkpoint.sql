-- What an earlier load left to be written to the disk must not slow down the next one.
CHECKPOINT;
