"""Run under the published 0.1.10: makes its table and fills it as its users did. Prints {label: id}."""

import contextlib
import datetime
import io
import json
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from django_simple_queue import models, utils  # noqa: E402

Task = models.Task
ids = {}


def create(label, task="shop.tasks.note", args="{}", **values):
    ids[label] = Task.objects.create(task=task, args=args, **values).id


def put_back(label, seconds):
    """Give a row its place in the order of `modified`, in the past."""
    when = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    Task.objects.filter(id=ids[label]).update(modified=when)


def main():
    call_command("migrate", "django_simple_queue", verbosity=0)
    for label, seconds in (("third", 1.5), ("second", 1.25), ("first", 1), ("fourth", 2)):
        ids[label] = utils.create_task("shop.tasks.note", {"name": label})
        put_back(label, seconds)
    ids["last"] = utils.create_task("shop.tasks.note", {"name": "last"})
    create("args NULL", args=None)
    create("args empty", args="")
    Task.objects.get(id=ids["last"]).save()  # which moves it to the end

    create("raises", "shop.tasks.complain")
    create("malformed JSON", args='{"name": ')
    create("JSON but no object", args='["name"]')
    create("unknown argument", args='{"colour": "red"}')
    create("no such module", "shop.absent.note")
    create("no such function", "shop.tasks.absent")
    create("not callable", "shop.tasks.not_callable")
    create("no dotted name", "note")
    create("not allowed", "os.system", '{"command": "echo not allowed >> \\"$SHOP_NOTES\\""}')

    create("in progress", status=Task.PROGRESS, output="half")
    create("completed", status=Task.COMPLETED, output="kept")
    create("failed", status=Task.FAILED, output="ValueError()\n\nTraceback")
    create("cancelled", status=Task.CANCELLED)


def enqueue_more():
    """What a web process goes on doing."""
    ids["late"] = utils.create_task("shop.tasks.note", {"name": "late"})
    again = Task.objects.get(id=ids["late"])
    assert again.status == Task.QUEUED
    assert again.as_dict["status"] == "Queued"
    again.save()


def run(*keys):
    """What its worker does with each task."""
    from django_simple_queue.management.commands.task_worker import process_task

    with contextlib.redirect_stdout(io.StringIO()):
        for key in keys:
            process_task(key)


if __name__ == "__main__":
    assert not hasattr(Task, "SCHEDULED"), models.__file__  # else this is not 0.1.10
    step, *arguments = sys.argv[1:] or ["main"]
    {"main": main, "more": enqueue_more, "run": run}[step](*arguments)
    print(json.dumps({label: str(key) for label, key in ids.items()}))
