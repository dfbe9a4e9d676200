"""One YAML file an experiment; `keras_emb.experiments` reads them."""
