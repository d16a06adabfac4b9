# imuge on the CPU, weights inside, as a user without rights:
#   docker build -t imuge .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" imuge immunize photo.png
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY imuge_cli imuge_cli
COPY weights weights
COPY docs/imuge.1 docs/imuge.1
# From PyTorch's own index: PyPI's build for Linux brings CUDA libraries of several gigabytes.
RUN pip wheel --no-cache-dir --wheel-dir /wheels --constraint constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu . 'torch==2.13.0+cpu'

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-compile --find-links /wheels imuge \
    && useradd --create-home imuge
USER imuge
WORKDIR /data
# Any --user may run it: nothing is written but what a command is asked for.
ENV PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
ENTRYPOINT ["imuge"]
CMD ["--help"]
