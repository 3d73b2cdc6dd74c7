# tumorscan app in a container. See docs/how-to/serve.md. This file was not built where it was written:
# there is no container runtime there.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
COPY requirements ./requirements
# What pip resolves is held to the versions of the lock (a constraints file may not carry hashes).
RUN sed -e 's/ *\\$//' -e '/^ *--hash/d' requirements/dev.txt > constraints.txt \
 && python -m venv /opt/tumorscan \
 && /opt/tumorscan/bin/pip install --no-cache-dir --constraint constraints.txt '.[app,dicom]'

FROM python:3.11-slim
COPY --from=build /opt/tumorscan /opt/tumorscan
RUN useradd --system --no-create-home --uid 10001 tumorscan
USER tumorscan
ENV PATH=/opt/tumorscan/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
# Beyond the container it asks for a token: mount the file, or set TUMORSCAN_TOKEN and leave --token-file out.
CMD ["tumorscan", "app", "--host", "0.0.0.0", "--port", "7860", "--token-file", "/run/secrets/tumorscan_tokens"]
