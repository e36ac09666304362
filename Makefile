# GNU make. `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=

# Where the release build leaves things. With the Swift library inside, the binary runs on servers that have no Swift;
# libhiredis and libsqlite3 stay shared libraries, of the server's own packages. C++'s library, which Swift's stands on, is
# found in a folder that has nothing but the archive: as a shared library it takes 0.8 ms of each start.
BINARY := .build/release/smsq
MANUAL := .build/smsq.1
STATIC_CXX := .build/static-c++
RELEASE := swift build --configuration release --static-swift-stdlib -Xswiftc -L$(STATIC_CXX)
INSTALL ?= install

# Those that need no server, first: they fail fastest, and they keep the processor from the others, which wait for servers.
PURE_TESTS := ^(WireTests|SMSTests|GatewaysTests|WebTests|ReportsTests|smsqTests)\.
# Alone: connections that a busy host leaves idle are made anew, and these are counted.
HTTP_TESTS := ^GatewaysTests\.HTTPGatewayTests/
# Alone: one after the other they would outlast all others, and be slowed down by them.
FAULT_TESTS := ^FaultTests\.
# Alone: a sentinel takes a server for dead that is only busy.
TOPOLOGY_TESTS := ^TopologyTests\.
# What `make bench` measures: empty is the whole of it, quick a smoke run, huge adds a queue of ten million.
BENCH ?=
# Rows of docs/performance.md, as drain,push; and apart, together or free: which cores Redis and the others may use.
BENCH_ROWS ?= drain,gateway,push,latency,idle,growth,process_table,crash,tls,limit,http,peers
BENCH_PIN ?= apart
# For the row `builds`: NAME=PATH,... of the binaries that it compares.
BENCH_BUILDS ?=
BENCH_TOOLS := .build/bench
BENCH_VENV := .build-peers
# Where `make numbers` installs libphonenumber's metadata.
NUMBERS_VENV := .build-numbers
# Debian's own before any other in PATH: the virtual environment of the other queues needs that one's package for it.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
MEASURE := $(PYTHON) Tests/Bench/bench.py $(BINARY) $(BENCH_TOOLS) $(if $(filter quick huge,$(BENCH)),--$(BENCH)) --pin $(BENCH_PIN) \
  $(if $(BENCH_BUILDS),--builds $(BENCH_BUILDS))
# Tests that run at once. Many start a redis-server or a supervisord of their own; without a bound all of them would.
TEST_WIDTH ?= 8

bindir := $(DESTDIR)$(PREFIX)/bin
sharedir := $(DESTDIR)$(PREFIX)/share
docdir := $(sharedir)/doc/smsq

.DEFAULT_GOAL := all
.PHONY: all build manual demo stop test test-faults test-tls test-topologies test-release test-tsan simulate soak bench bench-peers \
  bench-instructions check-instructions bench-tools numbers lint format install uninstall clean help

all: build manual ## Build the release binary and its man page (the default)

build: ## Build .build/release/smsq
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev
	@mkdir -p $(STATIC_CXX)
	@archive=$$(clang -print-file-name=libstdc++.a) && test -f "$$archive" && ln -sf "$$archive" $(STATIC_CXX) || :
	$(RELEASE) --product smsq

# From the binary's own help, so that the page and `smsq help` cannot differ. SwiftPM's generate-manual plugin would do
# the same, but relinks the binary without the static library; its tool is run by hand instead.
manual: build ## Write the man page, .build/smsq.1
	$(RELEASE) --product generate-manual
	.build/release/generate-manual $(BINARY) --output-directory $(dir $(MANUAL)) \
	  --date "$$(git log -1 --format=%cs 2>/dev/null || date +%F)"

# Empty, or cluster.
DEMO ?=

demo: ## Start a private Redis and a worker under a private supervisord, and send messages (DEMO=cluster)
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev redis-server supervisor
	@$(MAKE) --no-print-directory build
	@supervisor/demo.sh start $(DEMO)

stop: ## Stop all that `make demo` started
	@supervisor/demo.sh stop

test: ## Build and run the tests
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev libcurl4 libmicrohttpd12 redis-server supervisor python3 openssl
	swift build --build-tests --explicit-target-dependency-import-check error
	.ci/test --skip-build --filter '$(PURE_TESTS)' --skip '$(HTTP_TESTS)'
	.ci/test --skip-build --filter '$(HTTP_TESTS)'
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TEST_WIDTH) .ci/test --skip-build --skip '$(PURE_TESTS)|$(FAULT_TESTS)|$(TOPOLOGY_TESTS)'
	.ci/test --skip-build --filter '$(FAULT_TESTS)'
	.ci/test --skip-build --filter '$(TOPOLOGY_TESTS)'

# `make test` has one in four of these kills and bytes.
test-faults: ## Run all that tries to lose a message: some ten minutes
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev redis-server openssl
	swift build --build-tests --explicit-target-dependency-import-check error
	FAULTS=all .ci/test --skip-build --filter '$(FAULT_TESTS)'

# With FAST=1 those of a worker that is told to stop, waits, or loses its Redis: what CI runs.
TLS_TESTS := ^RedisClientTests\.(RedisConnection|GuardedSocket)Tests/|^WorkerTests\.$(if $(FAST),Worker(Wait|Stop|Outage)Tests/)

test-tls: ## Run the tests of connections and workers once more, over TLS
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev redis-server openssl
	swift build --build-tests --explicit-target-dependency-import-check error
	SMSQ_TEST_TLS=1 SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TEST_WIDTH) .ci/test --skip-build --filter '$(TLS_TESTS)'

# How often each thing befalls them; `make test` has one round.
TOPOLOGY_ROUNDS ?= 3

test-topologies: ## Run the tests of sentinels and clusters, with more rounds, over TLS with TLS=1: make test-topologies TLS=1
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev redis-server openssl
	swift build --build-tests --explicit-target-dependency-import-check error
	$(if $(TLS),SMSQ_TEST_TLS=1) TOPOLOGY_ROUNDS=$(TOPOLOGY_ROUNDS) .ci/test --skip-build --filter '$(TOPOLOGY_TESTS)'

# The other tests run what is built without optimization, and compilers have faults.
test-release: build ## Run the tests of the command line on the release binary
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev libcurl4 libmicrohttpd12 redis-server python3 openssl
	swift build --build-tests --explicit-target-dependency-import-check error
	SMSQ_TEST_BINARY=$(CURDIR)/$(BINARY) SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TEST_WIDTH) \
	  .ci/test --skip-build --filter '^CommandTests\.'

# In a folder of its own, because nothing built without it can be used. Without supervisord, which it cannot watch. The
# smsq that tests start is watched as well: what it says goes to standard error, which they look at.
TSAN := TSAN_OPTIONS=suppressions=$(CURDIR)/.ci/tsan-suppressions \
  SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TEST_WIDTH) \
  .ci/test --skip-build --sanitize thread --scratch-path .build-tsan

test-tsan: ## Run the tests under the thread sanitizer
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev libcurl4 libmicrohttpd12 redis-server python3 openssl
	swift build --build-tests --sanitize thread --scratch-path .build-tsan
	$(TSAN) --filter '$(PURE_TESTS)'
	$(TSAN) --filter '^(RedisClientTests|MessageQueueTests|WorkerTests|ProcessTableTests|CommandTests)\.'
	$(TSAN) --filter '$(FAULT_TESTS)' --skip PoisonTests

# How many histories, for how many seconds at most, and the one to show, event by event.
SEEDS ?= 10000
SECONDS ?=
SEED ?=

simulate: ## Run workers' decisions in simulated worlds: make simulate SEEDS=1000000, or SEED=n to see one
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev
	$(RELEASE) --product simulate
	.build/release/simulate --seeds $(SEEDS) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

SOAK_SECONDS ?= 600

soak: ## Run workers at a steady rate with a fault every few seconds: make soak SOAK_SECONDS=600
	@.ci/dependencies libhiredis-dev libsqlite3-dev libssl-dev redis-server
	swift build --build-tests
	SOAK_SECONDS=$(SOAK_SECONDS) swift test --skip-build --filter SoakTests

bench: bench-tools ## Measure, beside what Redis and hiredis allow: docs/performance.md (BENCH=quick for three minutes)
	$(RELEASE) --product PushAPI
	BENCH_VENV=$(BENCH_VENV) $(MEASURE) --rows $(BENCH_ROWS)

bench-peers: bench-tools ## Measure beside other queues, which it installs with apt and from PyPI
	Tests/Bench/peers/setup.sh $(BENCH_VENV)
	BENCH_VENV=$(BENCH_VENV) $(MEASURE) --rows peers --json run/bench-peers.json

bench-instructions: bench-tools ## Count the instructions of a message, with valgrind
	@.ci/dependencies valgrind
	$(MEASURE) --rows instructions --json run/bench-instructions.json

check-instructions: bench-instructions ## Fail if a message takes more instructions than Tests/Bench/instructions.json says
	$(PYTHON) Tests/Bench/check_instructions.py run/bench-instructions.json Tests/Bench/instructions.json

# With the compiler of the Swift toolchain, because a machine that has Swift need have no other.
bench-tools: build
	@.ci/dependencies redis-server python3 libcurl4
	@mkdir -p $(BENCH_TOOLS)
	clang -O2 -Wall -Wextra -o $(BENCH_TOOLS)/limit Tests/Bench/limit.c -lhiredis
	clang -O2 -Wall -Wextra -o $(BENCH_TOOLS)/sqlite Tests/Bench/sqlite.c -lsqlite3
	clang -O2 -Wall -Wextra -ISources/CHTTP -o $(BENCH_TOOLS)/http Tests/Bench/http.c -l:libcurl.so.4

numbers: ## Write the numbering plans and their tests' numbers anew, from libphonenumber's metadata at PyPI
	@.ci/dependencies python3 python3-venv
	@test -x $(NUMBERS_VENV)/bin/pip || $(PYTHON) -m venv $(NUMBERS_VENV)
	$(NUMBERS_VENV)/bin/pip install --quiet --upgrade phonenumbers
	$(NUMBERS_VENV)/bin/python Tests/NumberingPlans/table.py Sources/SMS/PhoneNumber/NumberingPlan+Table.swift
	$(NUMBERS_VENV)/bin/python Tests/NumberingPlans/vectors.py Tests/NumberingPlans/vectors.txt

lint: ## Check the format and the layers
	swift format lint --strict --recursive Sources Tests Package.swift
	@.ci/layers

format: ## Format the sources in place
	swift format --in-place --recursive Sources Tests Package.swift

# Builds nothing, since it may run as root: run `make` first. Nothing outside PREFIX is touched, /etc least of all.
install: ## Install what `make` built: make install PREFIX=/usr/local DESTDIR=
	@test -x $(BINARY) -a -f $(MANUAL) || { echo 'smsq: nothing built yet: run make first' >&2; exit 1; }
	$(INSTALL) -d "$(bindir)" "$(sharedir)/smsq/supervisor" "$(docdir)/docs/decisions" "$(docdir)/docs/examples" \
	  "$(sharedir)/man/man1" \
	  "$(sharedir)/bash-completion/completions" "$(sharedir)/zsh/site-functions" \
	  "$(sharedir)/fish/vendor_completions.d"
	$(INSTALL) -s -m 755 $(BINARY) "$(bindir)/smsq"
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' supervisor/smsq-worker.conf | \
	  $(INSTALL) -m 644 /dev/stdin "$(sharedir)/smsq/supervisor/smsq-worker.conf"
	sed 's|^PATH=/usr/local/bin:|PATH=$(PREFIX)/bin:|' supervisor/crontab.example | \
	  $(INSTALL) -m 644 /dev/stdin "$(sharedir)/smsq/supervisor/crontab.example"
	$(INSTALL) -m 644 README.md CHANGELOG.md LICENSE "$(docdir)"
	$(INSTALL) -m 644 docs/*.md "$(docdir)/docs"
	$(INSTALL) -m 644 docs/decisions/*.md "$(docdir)/docs/decisions"
	$(INSTALL) -m 755 docs/examples/* "$(docdir)/docs/examples"
	$(INSTALL) -m 644 $(MANUAL) "$(sharedir)/man/man1/smsq.1"
	$(BINARY) --generate-completion-script bash | $(INSTALL) -m 644 /dev/stdin "$(sharedir)/bash-completion/completions/smsq"
	$(BINARY) --generate-completion-script zsh | $(INSTALL) -m 644 /dev/stdin "$(sharedir)/zsh/site-functions/_smsq"
	$(BINARY) --generate-completion-script fish | $(INSTALL) -m 644 /dev/stdin "$(sharedir)/fish/vendor_completions.d/smsq.fish"

uninstall: ## Remove what `make install` put under PREFIX
	rm -rf "$(docdir)" "$(sharedir)/smsq"
	rm -f "$(bindir)/smsq" "$(sharedir)/man/man1/smsq.1" "$(sharedir)/bash-completion/completions/smsq" \
	  "$(sharedir)/zsh/site-functions/_smsq" "$(sharedir)/fish/vendor_completions.d/smsq.fish"

clean: stop ## Stop the demo, remove all that was built, and the demo's data with it
	rm -rf .build .build-tsan .build-peers $(NUMBERS_VENV) run

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-26s%s\n", $$1, $$2 }'
