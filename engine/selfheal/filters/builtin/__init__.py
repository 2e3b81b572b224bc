"""The filters that are built in: one file each, named as in a rulebook."""
