# One image for web, worker, beat and every manage.py command; docker-compose.yml says which does what.

FROM node:24-bookworm-slim AS assets
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --no-audit --no-fund --loglevel=error
COPY assets assets
RUN npm run build

FROM python:3.11-slim-bookworm AS packages
COPY requirements.lock .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-input --disable-pip-version-check --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
# Nothing is written beside the code at run time, so Python's compiled files are made below.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    DATA=/data
RUN groupadd --gid 10001 baton \
    && useradd --uid 10001 --gid baton --no-create-home --home-dir /tmp --shell /usr/sbin/nologin baton \
    && install --directory --owner baton --group baton --mode 700 /data
WORKDIR /app
COPY --from=packages /venv /venv
COPY LICENSE manage.py gunicorn.conf.py ./
COPY funnel funnel
COPY marketing marketing
COPY sales sales
COPY templates templates
COPY --from=assets /build/build/assets build/assets
# The key is for this one command only; a real one is never part of an image.
RUN DATA=/tmp/build SECRET_KEY=build python manage.py collectstatic --noinput \
    && python -m compileall -q funnel marketing sales \
    && rm -rf /tmp/build
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "funnel.wsgi", "--bind", "0.0.0.0:8000", "--no-control-socket", "--worker-class", "gthread", \
     "--preload", "--workers", "2", "--threads", "8", "--graceful-timeout", "10", "--timeout", "60"]
