# The course with everything its commands need, for a container:
#
#   docker build -t attention-measured .
#   docker run --rm -p 8888:8888 attention-measured          # JupyterLab with the notebooks
#   docker run --rm -v "$PWD/handed_in:/in:ro" --network none attention-measured \
#     sh -c '.venv/bin/python -m course_lib.exercises grade /in/*.ipynb'
#
# The data are fetched while the image is built, so that it works without a network afterwards.
FROM python:3.12-slim-bookworm

# Debian keeps only the newest version of a package, so none can be pinned. The folder is made here,
# because not every builder makes a WORKDIR for the user.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium git make nodejs npm \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home reader \
 && install --directory --owner=reader /home/reader/attention-measured
USER reader
WORKDIR /home/reader/attention-measured

COPY --chown=reader requirements.txt constraints.txt pyproject.toml README.md Makefile ./
COPY --chown=reader course_lib course_lib
RUN make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu \
 && .venv/bin/python -m course_lib.data fetch
COPY --chown=reader . .

EXPOSE 8888
CMD [".venv/bin/jupyter", "lab", "--notebook-dir=notebooks", "--ip=0.0.0.0", "--no-browser"]
