"""Records: the manifest, a reader per source, licences, folds, merging."""
