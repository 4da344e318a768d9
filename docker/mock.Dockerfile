# The mock server and nothing else: docker build -f docker/mock.Dockerfile -t visionbatch-mock .
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS build
COPY . /source
ENV PIP_CONSTRAINT=/source/constraints.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What installs is not needed any more once all is there.
RUN python3 -m venv /opt/visionbatch \
  && /opt/visionbatch/bin/python -m pip install '/source[mock]' \
  && /opt/visionbatch/bin/python -m pip uninstall --yes pip

FROM ${BASE_IMAGE}
RUN useradd --uid 50000 --home-dir /var/lib/visionbatch-mock --create-home mock
COPY --from=build /opt/visionbatch /opt/visionbatch
ENV PATH=/opt/visionbatch/bin:$PATH PYTHONUNBUFFERED=1
USER 50000
# For `serve ... --state /var/lib/visionbatch-mock`, which brings everything back after a restart.
WORKDIR /var/lib/visionbatch-mock
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/ready', timeout=2)"]
ENTRYPOINT ["visionbatch-mock"]
CMD ["serve", "--host", "0.0.0.0", "--expose", "--port", "8080"]
