"""Tiny invented click logs in the official layouts."""

import numpy as np

__all__ = ["AVAZU_HEADER", "avazu_lines", "criteo_lines"]

AVAZU_HEADER = (
    "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,"
    "app_domain,app_category,device_id,device_ip,device_model,device_type,"
    "device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21"
)


def criteo_lines(count, seed=0, ids=20):
    """Lines of a label, 13 counts and 26 hashes, some of them empty."""
    random = np.random.default_rng(seed)

    def empty(text):
        return "" if random.random() < 0.1 else text

    return [
        "\t".join(
            [
                str(random.integers(0, 2)),
                *(empty(str(random.integers(-2, 300))) for _ in range(13)),
                *(empty(f"{random.integers(1, ids):08x}") for _ in range(26)),
            ]
        )
        for _ in range(count)
    ]


def avazu_lines(count, seed=0):
    """Lines of the official 24 columns, without the header."""
    random = np.random.default_rng(seed)
    return [
        ",".join(
            [
                f"1{random.integers(10**18)}",
                str(random.integers(0, 2)),
                f"1410{random.integers(21, 31)}{random.integers(0, 24):02d}",
                *(str(random.integers(0, 3)) for _ in range(2)),
                *(f"{random.integers(1, 9):08x}" for _ in range(9)),
                *(str(random.integers(-1, 5)) for _ in range(10)),
            ]
        )
        for _ in range(count)
    ]
