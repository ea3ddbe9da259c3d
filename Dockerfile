# One image for every workload: its entry point is `questbell`, and the argument says which one it is.
#
# Nothing here needs BuildKit, so that a plain `docker build .` works everywhere. What is installed stands in uv.lock,
# version and hash; the builder's own two tools are pinned below.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
ARG HATCHLING_VERSION=1.27.0
# For a mirror of the package index; pip reads it from the environment, and the hashes are checked in any case.
ARG PIP_INDEX_URL
WORKDIR /build
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends binutils >/dev/null
RUN python -m venv tools && tools/bin/pip install --quiet --no-cache-dir "uv==$UV_VERSION" "hatchling==$HATCHLING_VERSION"
RUN python -m venv --without-pip /opt/questbell

# The dependencies come before the code: a change of ours leaves this layer as it is.
COPY pyproject.toml uv.lock ./
RUN tools/bin/uv export --quiet --frozen --no-dev --no-emit-project --output-file requirements.txt \
 && tools/bin/pip --python /opt/questbell/bin/python install --quiet --no-cache-dir --no-compile --no-deps \
    --only-binary :all: --require-hashes --requirement requirements.txt \
 # Of what the wheels hold, a third is symbols for a debugger, and codecs for voice on another system.
 && find /opt/questbell/lib -name '*.so*' -type f -exec strip --strip-unneeded {} + \
 && rm -r /opt/questbell/lib/python3*/site-packages/discord/bin \
 # The Kubernetes client loads its models and typed APIs when they are used. Questbell uses neither, and they take 115 MB.
 && find /opt/questbell/lib/python3*/site-packages/kubernetes \( -path '*/client/models/*' -o -path '*/client/api/*' \) \
    -type f ! -name __init__.py -delete

COPY LICENSE README.md ./
COPY bot bot
COPY cli cli
COPY controllers controllers
COPY migrations migrations
COPY sandbox sandbox
COPY shared shared
RUN tools/bin/python -m hatchling build --target wheel --directory dist \
 && tools/bin/pip --python /opt/questbell/bin/python install --quiet --no-cache-dir --no-compile --no-deps --no-index dist/*.whl \
 # Compiled here, since the root file system is read-only where it runs; by hash, so that the result has no times in it.
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/questbell/lib

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/questbell /opt/questbell
ENV PATH=/opt/questbell/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number, since Kubernetes cannot see that a name is not root's. Kopf needs the name of the user that runs it, and no number
# has one here.
ENV USER=questbell
USER 65532:65532
ENTRYPOINT ["questbell"]
CMD ["--help"]
