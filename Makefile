# The front door. `make book` and `make test` are all that a reader needs; each makes .venv when it is missing.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
SITE_INSTALLED = $(VENV)/.installed-site
BENCH_INSTALLED = $(VENV)/.installed-bench
PEERS_PIP = .venv-peers/bin/python -m pip install --disable-pip-version-check
PIP = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.PHONY: help book test test-plain chapter new-chapter lab site-check bench bench-peers hooks clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

book: $(INSTALLED) ## run all chapters and build the pages (PROFILE=quick: in a few minutes)
	$(BIN)/python book/build.py --profile $(or $(PROFILE),full)

test: $(INSTALLED) ## everything that proves the package, the chapters and the build
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest tests -n 2 --dist worksteal

test-plain: $(INSTALLED) ## the tests of the package once more, in the arithmetic of another processor
	ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest tests \
	  -n 2 --dist worksteal --ignore tests/book --ignore tests/sweeps --ignore tests/site

chapter: $(INSTALLED) ## one chapter: CHAPTER=feature_learning/one_step SET='d=26 target="He2(z1)"'
	@$(BIN)/python book/build.py --profile $(or $(PROFILE),quick) --only "$(CHAPTER)" $(if $(SET),--set "$$SET")

new-chapter: $(INSTALLED) ## lay a chapter from the pattern: NAME=transfer/in_context
	@$(BIN)/python book/new_chapter.py "$(NAME)"

lab: $(INSTALLED) ## the chapters in JupyterLab
	$(BIN)/jupyter lab --notebook-dir chapters

site-check: $(SITE_INSTALLED) ## the built pages in a real browser (needs chromium)
	$(BIN)/python -m pytest -q tests/site
	$(BIN)/python tests/site/check_site.py _build/html

bench: $(BENCH_INSTALLED) ## our numerics beside their peers, in minutes (ONLY=grids, DEVICE=cuda, PEERS=python, RECORD=1: into the page)
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/run.py --device $(or $(DEVICE),cpu) $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers "$(PEERS)") $(if $(RECORD),--record)

bench-peers: ## neural-tangents with the old jax it needs, in .venv-peers, for make bench (Python 3.11)
	@rm -rf .venv-peers && $(PYTHON) -m venv .venv-peers
	@$(PEERS_PIP) --requirement benchmarks/peers.txt && $(PEERS_PIP) --no-deps neural-tangents==0.6.5

hooks: $(INSTALLED) ## the linter that make test runs, before each commit
	@$(PIP) --editable '.[book,test,hooks]' && $(BIN)/pre-commit install

clean: ## remove what was built; .venv stays
	rm -rf _build

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": name another one, as in make book PYTHON=python3.12")'
	@echo "Installing the exact set of constraints.txt into $(VENV): once, two to five minutes, about 1.5 GB with a CPU build of PyTorch. On Linux the index serves the GPU build, several GB more: README.md says how PIP_EXTRA_INDEX_URL avoids it ..."
	@rm -f $@ && $(PYTHON) -m venv $(VENV) && $(PIP) --editable '.[book,test]' && touch $@

$(SITE_INSTALLED): $(INSTALLED)
	@$(PIP) --editable '.[book,test,site]' && touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	@$(PIP) --editable '.[book,test,bench]' && touch $@
