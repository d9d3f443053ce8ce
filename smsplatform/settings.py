"""Settings, read from the environment (every variable is described in `.env.example`).

Secrets have no default: outside `make run` and `make test`, which make them, a missing one stops
the process with the variable's name. `X_FILE` may name a file that holds the value of `X`.
"""

from datetime import timedelta
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS")
LINK_KEY = env.str("LINK_KEY")

PUBLIC_URL = env.str("PUBLIC_URL").rstrip("/")
EDGE_URL = env.str("EDGE_URL").rstrip("/")
LINK_URL = env.str("LINK_URL").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SIGNUP = env.str("SIGNUP", default="open")

TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
TWILIO_API_BASE_URL = env.str("TWILIO_API_BASE_URL", default="https://api.twilio.com").rstrip("/")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_BASE_URL = env.str("STRIPE_API_BASE_URL", default="https://api.stripe.com").rstrip("/")

REDIS_URL = env.str("REDIS_URL")
DATABASES = {
    "default": {
        **env.db("DATABASE_URL"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "accounts.apps.LogInAddressesConfig",
    "accounts.apps.LogInStepsConfig",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "smsplatform",
    "common",
    "accounts",
    "exports",
    "contacts",
    "tracking",
    "messaging",
    "campaigns",
    "inbox",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.CurrentAccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "smsplatform.urls"
WSGI_APPLICATION = "smsplatform.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "smsplatform.context.shell",
                "accounts.context.installation",
            ],
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "overview"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Beside allauth's own: public opt-in forms, by address, by form, and by the number typed in.
ACCOUNT_RATE_LIMITS = {
    "subscribe": "10/m/ip,60/h/ip",
    "subscribe_form": "600/h/key",
    "subscribe_phone": "3/d/key",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ADAPTER = "accounts.adapter.MfaAdapter"
MFA_TOTP_ISSUER = "Textledger"
# How many proxies stand before `web` and append to X-Forwarded-For: limits on log-in go by address.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

environ.Env.EMAIL_SCHEMES["mailbox"] = "accounts.mailbox.MailboxBackend"
vars().update(env.email("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Textledger <no-reply@localhost>")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ".local" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(BASE_DIR / ".local" / "media"))
WHITENOISE_USE_FINDERS = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# Behind HTTPS in production; `make run` and the tests serve plain HTTP on loopback.
_https = PUBLIC_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = _https
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.HasScope"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "common.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.strict.JSONParser"],
    "EXCEPTION_HANDLER": "common.problems.problem_details",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Textledger API",
    "DESCRIPTION": (
        "Contacts, campaigns, blasts, messages, links and conversations of one account.\n\n"
        "Make a key under Settings, API keys, and send it with every request: "
        "`Authorization: Bearer tl_...`. To try calls on this page, press Authorize and paste it."
        "\n\nTo send a blast: make a campaign (`POST /campaigns/`) and in it a draft with its text"
        " and groups (`POST /blasts/`), see what it costs (`POST /blasts/{id}/estimate/`), launch"
        " it (`POST /blasts/{id}/launch/`) and read what became of it"
        " (`GET /blasts/{id}/report/`). To send one text: `POST /messages/`."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "ENUM_NAME_OVERRIDES": {
        "BlastState": "campaigns.choices.BlastState",
        "Direction": "messaging.choices.Direction",
        "MessageState": "messaging.choices.MessageState",
        "Reason": "messaging.choices.Reason",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.openapi.problems_describe",
        "common.openapi.summaries_describe",
    ],
}

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # a hint that dies with its worker is found again by a sweeper
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "celery:",
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "messaging.send_*": {"queue": "send"},
    "messaging.apply_*": {"queue": "events"},
    "tracking.apply_*": {"queue": "events"},
}
# Every entry is a sweeper or a clock; each is idempotent and cheap when there is nothing to do.
# `expires` keeps a worker that was away from working through a queue of stale ticks.
CELERY_BEAT_SCHEDULE = {
    name: {
        "task": name,
        "schedule": timedelta(seconds=every_s),
        "options": {"expires": max(every_s, 2)},
    }
    for name, every_s in {
        "campaigns.launch_due": 1,
        "messaging.send_sweep": 2,
        "messaging.apply_events": 2,
        "messaging.apply_clicks": 2,
        "messaging.breaker_check": 2,
        "messaging.judge_expired": 5,
        "messaging.finish_batches": 5,
        "messaging.reconcile_due": 30,
        "inbox.catch_up": 5,
        "contacts.import_sweep": 10,
        "tracking.check_destinations": 30,
        "exports.sweep": 30,
        "messaging.fetch_media": 30,
        "messaging.retention_sweep": 3600,
        "messaging.opt_out_compare_due": 600,
        "messaging.lookup_sweep": 30,
        "accounts.warn_low_balances": 60,
    }.items()
}

# How long a carrier may take before an answer counts as lost, and how late its lists may be.
CARRIER_REQUEST_TIMEOUT_S = env.float("CARRIER_REQUEST_TIMEOUT_S", default=15.0)
CARRIER_LIST_DELAY_S = env.float("CARRIER_LIST_DELAY_S", default=600.0)
SEND_LEASE_S = env.float("SEND_LEASE_S", default=60.0)
SEND_MARGIN_S = env.float("SEND_MARGIN_S", default=5.0)
SEND_WINDOW = env.int("SEND_WINDOW", default=500)
SEND_CONCURRENCY = env.int("SEND_CONCURRENCY", default=100)
BREAKER_WINDOW = env.int("BREAKER_WINDOW", default=500)
BREAKER_SHARE = env.float("BREAKER_SHARE", default=0.10)
BREAKER_LIST_SHARE = env.float("BREAKER_LIST_SHARE", default=0.30)
RECONCILE_AFTER_S = env.float("RECONCILE_AFTER_S", default=3600.0)
UNDO_S = env.float("UNDO_S", default=10.0)
# Lists of more rows are exported in the background.
EXPORT_STREAM_ROWS = env.int("EXPORT_STREAM_ROWS", default=50_000)
EXPORT_LISTS = {
    "contacts": "contacts.exporting.CONTACTS",
    "hits": "tracking.exporting.HITS",
    "messages": "messaging.exporting.MESSAGES",
    "people": "campaigns.exporting.PEOPLE",
}
# Credits for one number whose line type a carrier is asked for.
LOOKUP_CREDITS = env.int("LOOKUP_CREDITS", default=2)
TRIAL_CREDITS = env.int("TRIAL_CREDITS", default=100)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # A form that somebody has to correct, or a page that is not there, is no news.
    "loggers": {"django.request": {"level": "ERROR"}},
}
