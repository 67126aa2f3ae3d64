"""django-rest-knox on SQLite with AUTO_REFRESH: it slides, but binds to nothing.

``python app.py FILE`` makes the database and takes the tokens in FILE; gunicorn serves the rest.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only for the benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "knox",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"},
        }
    },
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"]},
    REST_KNOX={"AUTO_REFRESH": True, "TOKEN_TTL": timedelta(minutes=30)},
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.decorators import api_view, permission_classes  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402


@api_view(["GET"])
@permission_classes([IsAuthenticated])
def gate(request: Request) -> Response:
    """Whether the request may pass."""
    return Response(headers={"X-Auth-User": request.user.username})


urlpatterns = [path("authz/ext/", gate)]
application = get_wsgi_application()


def fill(texts: list[str]) -> None:
    """A database with the tokens *texts* of a thousand users."""
    from django.contrib.auth.models import User
    from knox.crypto import hash_token
    from knox.models import AuthToken
    from knox.settings import CONSTANTS

    call_command("migrate", verbosity=0)
    names = [f"user{number:04}" for number in range(1000)]
    users = User.objects.bulk_create([User(username=name, password="!") for name in names])
    expiry = timezone.now() + timedelta(minutes=30)
    AuthToken.objects.bulk_create(
        AuthToken(
            digest=hash_token(text),
            token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH],
            user=users[number % len(users)],
            expiry=expiry,
        )
        for number, text in enumerate(texts)
    )


if __name__ == "__main__":
    fill(Path(sys.argv[1]).read_text().split())
