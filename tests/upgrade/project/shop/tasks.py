"""What the shop's tasks do: leave a line in a file that tests read."""

import os


def note(name="nobody"):
    with open(os.environ["SHOP_NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"{name}\n")
    return f"noted {name}"


def complain():
    raise LookupError("the shop is closed")


not_callable = 3
