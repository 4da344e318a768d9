# Airflow with the provider and its Dags: docker build -f docker/airflow.Dockerfile -t visionbatch-airflow .
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS build
COPY . /source
ENV PIP_CONSTRAINT=/source/constraints.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/airflow \
  && /opt/airflow/bin/python -m pip install '/source[airflow,fast,gcs,obs,parquet,report,s3]' \
    apache-airflow-providers-celery 'celery[redis]' 'psycopg[binary]' \
  && /opt/airflow/bin/python -m pip uninstall --yes pip

FROM ${BASE_IMAGE}
RUN useradd --uid 50000 --home-dir /var/lib/airflow --create-home airflow
COPY --from=build /opt/airflow /opt/airflow
COPY dags /opt/dags
ENV PATH=/opt/airflow/bin:$PATH \
  PYTHONUNBUFFERED=1 \
  AIRFLOW_HOME=/var/lib/airflow \
  AIRFLOW__CORE__DAGS_FOLDER=/opt/dags \
  AIRFLOW__CORE__LOAD_EXAMPLES=false
USER 50000
WORKDIR /var/lib/airflow
EXPOSE 8080
# True of every component; compose.yaml has a check for each of its own.
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s CMD ["airflow", "db", "check"]
ENTRYPOINT ["airflow"]
CMD ["version"]
