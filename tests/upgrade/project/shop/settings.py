"""Settings that Django 4.2 with 0.1.x and today's Django with this package both take."""

import json
import os

SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django_simple_queue", "shop"]
DATABASES = {"default": json.loads(os.environ["SHOP_DATABASE"])}
