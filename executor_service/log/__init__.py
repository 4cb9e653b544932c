"""The executor's log: claim, recovery, group commit, snapshots, low-water mark."""
