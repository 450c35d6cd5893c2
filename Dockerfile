# The service's image: worker, topics job and demo producer are commands of one image.
#
#   docker build --tag syncline:local .                     torch for the CPU
#   docker build --tag syncline:local-gpu --build-arg TORCH= .   torch with its CUDA libraries

FROM python:3.13-slim-bookworm AS dependencies
# cpu: torch without CUDA. Empty: the locked file with its hash, which on Linux brings CUDA.
ARG TORCH=cpu
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /build
COPY deploy/setup.sh deploy/setup.sh
COPY requirements/service.txt requirements/service.txt
RUN TORCH="$TORCH" PROJECT=no UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 \
    sh deploy/setup.sh /opt/syncline requirements/service.txt

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin syncline
COPY --from=dependencies /opt/syncline /opt/syncline
WORKDIR /app
COPY LICENSE NOTICE* ./
COPY syncline syncline
COPY streams streams
COPY processors processors
COPY models models
COPY examples examples
# The root is read-only when it runs: bytecode is made here, and what must be written goes to /tmp.
RUN python -m compileall -q syncline streams processors models
ENV PATH=/opt/syncline/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER 10001:10001
ENTRYPOINT ["python", "-m", "syncline"]
CMD ["--help"]
