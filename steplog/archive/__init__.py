"""Archives: recorded events in a file, to keep longer than the topic and to fill an empty cluster.

An archive holds what readers take (no claims, nothing stale), byte for byte, in the order of each
partition. Its first part says what it is, its last part what must be in between; a file without
that last part is damaged, however well the rest reads.
"""
