# The service's image: worker, topics job and demo producer are commands of one image.
#
#   docker build --tag syncline:local .                             torch for the CPU
#   docker build --tag syncline:local-gpu --build-arg TORCH=cuda .   torch with its CUDA libraries
#   docker build --tag syncline:local --build-arg EXTRAS=transcribe .   with extras of pyproject.toml (A,B)

FROM python:3.13-slim-bookworm AS dependencies
# cpu: torch without CUDA. cuda, or empty: the locked file with its hash, which on Linux brings CUDA.
ARG TORCH=cpu
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /build
COPY deploy/setup.sh deploy/setup.sh
COPY requirements/service.txt requirements/service.txt
RUN TORCH="${TORCH:-cuda}" PROJECT=no UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 \
    sh deploy/setup.sh /opt/syncline requirements/service.txt
# What single workers need beside: transcribe for `--convert transcript`, onnx or huggingface for models of that kind.
ARG EXTRAS=
COPY deploy/extras.sh deploy/extras.sh
COPY requirements/dev.txt requirements/dev.txt
COPY pyproject.toml pyproject.toml
RUN UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 sh deploy/extras.sh /opt/syncline "$EXTRAS"

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin syncline
COPY --from=dependencies /opt/syncline /opt/syncline
WORKDIR /app
COPY LICENSE NOTICE* ./
COPY syncline syncline
COPY streams streams
COPY verify verify
COPY demo demo
COPY processors processors
COPY models models
COPY examples examples
# The root is read-only when it runs: bytecode is made here, and what must be written goes to /tmp.
RUN python -m compileall -q syncline streams processors models verify demo
ENV PATH=/opt/syncline/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER 10001:10001
ENTRYPOINT ["python", "-m", "syncline"]
CMD ["--help"]
