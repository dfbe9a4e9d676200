"""Tiny invented lists in the layout of the NGCF release."""

__all__ = ["write_fake_files"]


def write_fake_files(parent, train, test, folder="yelp2018"):
    """Writes both files, a user's items a line, and returns their folder."""
    target = parent / folder
    target.mkdir(parents=True, exist_ok=True)
    for name, lists in (("train.txt", train), ("test.txt", test)):
        lines = [[user, *items] for user, items in lists.items()]
        text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
        (target / name).write_text(text)
    return target
