from __future__ import annotations

from django.urls import path

from .views import view_task_status

app_name = "django_simple_queue"
urlpatterns = [path("task", view_task_status, name="task")]
