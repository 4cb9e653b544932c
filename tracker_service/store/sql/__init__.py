"""SQL that both databases speak: tables, select lists, lists, counts, statistics."""
