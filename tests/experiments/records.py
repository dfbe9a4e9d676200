"""Made-up records, as units of work give them."""


def make_record(
    method="dense", share=1.0, seed=0, mse=0.8, index=0, parameters=640
):
    metrics = {"mse": mse, "rmse": mse**0.5, "mae": 0.7}
    values = 4 * parameters
    return {
        "method": method,
        "share": share,
        "seed": seed,
        "metrics": {"validation": dict(metrics), "test": dict(metrics)},
        "parameters": parameters,
        "bytes": {
            "values": values,
            "index": index,
            "dense_layers": 40,
            "total": values + index + 40,
        },
        "seconds": {"retrain": 1.5},
        "steps": {"retrain": 10},
        "trial": {"learning_rate": 1e-3},
    }


def make_records(config, mse=None):
    """One record for each method, share and seed of a config."""
    mse = mse or (lambda method, share, seed: 0.8 + 0.01 * seed)
    return [
        make_record(
            method,
            share,
            seed,
            mse(method, share, seed),
            parameters=int(640 * share),
        )
        for method in config.methods
        for share in ((1.0,) if method == "dense" else config.shares)
        for seed in config.seeds
    ]
