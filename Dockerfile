# The environment of all jobs, for profiles/kubernetes. Snakemake sends the checkout itself along.
#   docker build -t registry.example.org/expressions .
FROM python:3.11-slim-bookworm

COPY requirements.txt requirements-no-deps.txt requirements-kubernetes.txt /tmp/
# The same steps and pins as `make install`.
RUN pip install --no-cache-dir -r /tmp/requirements.txt -r /tmp/requirements-kubernetes.txt \
 && pip install --no-cache-dir --no-deps -r /tmp/requirements-no-deps.txt \
 && rm /tmp/requirements*.txt
WORKDIR /workdir
