# SPDX-License-Identifier: MIT
# grokd: `make` says what can be made. BUILD=dir builds elsewhere, CC=clang with the other compiler; JOBS says
# with how many compilers at a time the tests build.

BUILD   ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
VERSION := 0.1.0
GIT     := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)

.DEFAULT_GOAL := help

# ---- packages ----------------------------------------------------------------------------------

PACKAGES_BUILD := gcc libc6-dev pkg-config protobuf-c-compiler libprotobuf-c-dev libuv1-dev libzmq3-dev \
                  libsqlite3-dev libopenblas-serial-dev libfyaml-dev libsodium-dev librandom123-dev
PACKAGES_RUN   := sqlite3
PACKAGES_TEST  := libcmocka-dev clang libclang-rt-dev clang-format valgrind git procps util-linux \
                  strace faketime
PACKAGES_BENCH := python3-torch

# ---- flags -------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
        -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wold-style-definition
# No contraction: a*b+c is rounded twice unless a kernel says fma, whatever the compiler and processor.
# A sanitizer's checks take the optimizer longer than they save.
OPTIMIZE = $(if $(SANITIZE),-O1,-O2)
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE $(OPTIMIZE) -g -ffp-contract=off $(WARN) -I. -I$(BUILD) $(SANITIZE) $(CFLAGS)
# Kernels are built once for each level and chosen when the program starts.
CFLAGS_KERNEL = $(filter-out -O2,$(CFLAGS_ALL)) $(if $(SANITIZE),$(SPARE),-O3) -fno-math-errno -fno-trapping-math

# The serial OpenBLAS by its own folder: another package may own the plain name.
BLAS_DIR := $(firstword $(wildcard /usr/lib/*/openblas-serial))
BLAS_INC := $(firstword $(wildcard /usr/include/*/openblas-serial))
BLAS_LIB := -L$(BLAS_DIR) -Wl,-rpath,$(BLAS_DIR) -lopenblas

PKGS_COMMON  := libuv libzmq libsodium
PKGS_PROTO   := libprotobuf-c libfyaml
LIBS_COMMON   = $(shell pkg-config --libs $(PKGS_COMMON)) -lpthread -lm
LIBS_PROTO    = $(shell pkg-config --libs $(PKGS_PROTO))
LIBS_SQLITE   = $(shell pkg-config --libs sqlite3)

# ---- sources: a room is a folder, a program is a file *_main.c ----------------------------------

ROOM_common      := $(wildcard common/*.c)
ROOM_proto       := $(wildcard proto/*.c)
ROOM_coordinator := $(filter-out %_main.c,$(wildcard coordinator/*.c))
ROOM_worker      := $(filter-out %_main.c worker/train_%.c,$(wildcard worker/*.c))
ROOM_trainprog   := $(filter-out %_main.c,$(wildcard worker/train_*.c))
ROOM_trainer     := $(wildcard worker/num/*.c worker/train/*.c worker/measure/*.c)
KERNELS          := $(wildcard worker/num/kernels/*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
KERNEL_OBJ := $(patsubst %.c,$(BUILD)/%.v3.o,$(KERNELS)) $(patsubst %.c,$(BUILD)/%.v4.o,$(KERNELS))

LIB_common      := $(BUILD)/libcommon.a
LIB_proto       := $(BUILD)/libproto.a
LIB_coordinator := $(BUILD)/libcoordinator.a
LIB_worker      := $(BUILD)/libworker.a
LIB_trainer     := $(BUILD)/libtrainer.a
LIB_trainprog   := $(BUILD)/libtrainprog.a

PROGRAMS := $(addprefix $(BUILD)/,grokd-coord grokd-worker grokd-train grokctl)


.PHONY: help deps all test check demo bench asan tsan valgrind rooms doors sizes style format install clean FORCE
.SECONDARY:

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-24s %s\n", $$1, $$2}' Makefile

all: $(PROGRAMS) ## the four programs, in build/

# ---- rules; V=1 shows the commands --------------------------------------------------------------

Q    := $(if $(V),,@)
note  = @printf '  %-7s%s\n' $(1) $(patsubst $(BUILD)/%,%,$@)

$(BUILD)/proto/grokd.pb-c.c $(BUILD)/proto/grokd.pb-c.h &: proto/grokd.proto
	@mkdir -p $(@D)
	$(call note,PROTOC)
	$(Q)protoc-c --c_out=$(BUILD) $<

# Written anew only when it says something else, so that a commit does not rebuild everything.
$(BUILD)/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define GROKD_VERSION "%s"\n#define GROKD_GIT "%s"\n' '$(VERSION)' '$(GIT)' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
FORCE:

$(BUILD)/coordinator/schema_text.h: coordinator/schema.sql
	@mkdir -p $(@D)
	$(call note,TEXT)
	$(Q)awk 'BEGIN {print "static const char schema_text[] ="} \
	     {gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); print "    \"" $$0 "\\n\""} END {print "    ;"}' $< > $@

CLAIMS := $(sort $(wildcard deploy/claims/*.sql))
$(BUILD)/coordinator/claims_text.h: deploy/claims/text.awk $(CLAIMS)
	@mkdir -p $(@D)
	$(call note,TEXT)
	$(Q)awk -f $^ > $@

$(BUILD)/%.v3.o: %.c
	@mkdir -p $(@D)
	$(call note,CC)
	$(Q)$(CC) $(CFLAGS_KERNEL) -march=x86-64-v3 -DLEVEL=v3 -MMD -MP -c -o $@ $<

$(BUILD)/%.v4.o: %.c
	@mkdir -p $(@D)
	$(call note,CC)
	$(Q)$(CC) $(CFLAGS_KERNEL) -march=x86-64-v4 -mprefer-vector-width=512 -DLEVEL=v4 -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c | $(BUILD)/proto/grokd.pb-c.h $(BUILD)/version.h
	@mkdir -p $(@D)
	$(call note,CC)
	$(Q)$(CC) $(CFLAGS_ALL) -I$(BLAS_INC) -MMD -MP -c -o $@ $<

$(BUILD)/proto/grokd.pb-c.o: $(BUILD)/proto/grokd.pb-c.c
	$(call note,CC)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(call obj,coordinator/store_schema.c): $(BUILD)/coordinator/schema_text.h
$(call obj,coordinator/claims.c): $(BUILD)/coordinator/claims_text.h

$(LIB_common): $(call obj,$(ROOM_common))
$(LIB_proto): $(call obj,$(ROOM_proto)) $(BUILD)/proto/grokd.pb-c.o
$(LIB_coordinator): $(call obj,$(ROOM_coordinator))
$(LIB_worker): $(call obj,$(ROOM_worker))
$(LIB_trainer): $(call obj,$(ROOM_trainer)) $(KERNEL_OBJ)
$(LIB_trainprog): $(call obj,$(ROOM_trainprog))
$(BUILD)/lib%.a:
	@rm -f $@
	$(call note,AR)
	$(Q)$(AR) rcs $@ $^

LINK = $(CC) $(CFLAGS_ALL) -o $@ $^ $(LIBS_PROTO) $(LIBS_COMMON)

$(BUILD)/grokd-coord: $(call obj,coordinator/coord_main.c) $(LIB_coordinator) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(LIBS_SQLITE) $(BLAS_LIB)
$(BUILD)/grokctl: $(call obj,coordinator/ctl_main.c) $(LIB_coordinator) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(LIBS_SQLITE) $(BLAS_LIB)
$(BUILD)/grokd-worker: $(call obj,worker/worker_main.c) $(LIB_worker) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK)
$(BUILD)/grokd-train: $(call obj,worker/train_main.c) $(LIB_trainprog) $(LIB_trainer) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(BLAS_LIB)

# ---- tests: a file tests/ROOM/test_NAME.c is a program; its tests are its functions test_* --------

TEST_SRC  := $(wildcard tests/common/test_*.c tests/proto/test_*.c tests/coordinator/test_*.c tests/worker/test_*.c)
TEST_HELP := $(filter-out $(TEST_SRC),$(wildcard tests/ref/*.c tests/coordinator/*.c tests/worker/*.c))
TEST_BIN  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))

$(BUILD)/tests/%.main.c: tests/%.c tests/main.sh
	@mkdir -p $(@D)
	$(Q)sh tests/main.sh $< > $@

$(BUILD)/tests/%.o: CFLAGS_ALL += -Wno-missing-prototypes

$(BUILD)/tests/%.main.o: $(BUILD)/tests/%.main.c
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/%.main.o $(call obj,$(TEST_HELP)) $(LIB_coordinator) \
                  $(LIB_worker) $(LIB_trainprog) $(LIB_trainer) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(LIBS_SQLITE) $(BLAS_LIB) -lcmocka

SIM := $(BUILD)/tests/sim/sim

# A proxy with faults, for end-to-end tests.
PROXY := $(BUILD)/tests/e2e/proxy
$(PROXY): $(call obj,tests/e2e/proxy.c)
	$(call note,LINK)
	$(Q)$(LINK)

# A client that keeps to no rule.
FORGE := $(BUILD)/tests/e2e/forge
$(FORGE): $(call obj,tests/e2e/forge.c) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK)

# Memory that runs out, disks that are elsewhere.
PRELOAD := $(BUILD)/tests/e2e/scarce.so $(BUILD)/tests/e2e/nfs.so
$(PRELOAD): $(BUILD)/%.so: %.c
	@mkdir -p $(@D)
	$(call note,LINK)
	$(Q)$(CC) $(CFLAGS_ALL) -fPIC -shared -o $@ $<

.PHONY: unit check-all
unit: $(TEST_BIN) $(SIM) $(PROXY) $(FORGE) $(PRELOAD)

# ---- the simulation: tests/sim, the real deciders of both sides in virtual time -------------------

N       ?= 10000000
SIM_OBJ := $(call obj,$(wildcard tests/sim/*.c))
MUTANTS := $(wildcard tests/sim/mutants/*.sed)

# The store of the simulation stands before that of the library.
$(SIM): $(SIM_OBJ) $(LIB_coordinator) $(LIB_worker) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(LIBS_SQLITE) $(BLAS_LIB)

.PHONY: sim mutants
sim: deps-test ## 10^7 events of simulated sweeps under faults (N=... for more), then planted mistakes that it must find
	@$(MAKE) --no-print-directory -s $(SIM)
	@$(SIM) --events $(N)
	@$(MAKE) --no-print-directory mutants

mutants: $(SIM)
	@BUILD=$(BUILD) MAKE="$(MAKE)" tests/sim/mutants.sh $(MUTANTS)

# ---- chaos: real processes under random faults ---------------------------------------------------

.PHONY: chaos
chaos: deps-test ## 200 random faults on a sweep of forty short runs (FAULTS=... SEED=...); ends with what was lost
	@$(MAKE) --no-print-directory -s all $(PROXY)
	@FAULTS=$(FAULTS) SEED=$(SEED) BUILD=$(BUILD) tests/e2e/chaos.sh

# ---- fuzzing: tests/fuzz/fuzz_NAME.c with the corpus tests/fuzz/corpus/NAME, by clang -------------

FUZZ_SECONDS ?= 60
FUZZ         := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN     := $(patsubst %,$(BUILD)/tests/fuzz/fuzz_%,$(FUZZ))
FUZZ_ENV     := LSAN_OPTIONS=suppressions=tests/fuzz/leaks.txt:print_suppressions=0
# Addresses that wrap round are looked for in kernels by gcc alone (make asan): clang takes four times as long for them.
FUZZ_MAKE     = $(MAKE) -s -j$(JOBS) CC=clang BUILD=$(BUILD)/fuzz SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' SPARE=-fno-sanitize=pointer-overflow

$(FUZZ_BIN): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB_trainprog) $(LIB_trainer) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(BLAS_LIB) -fsanitize=fuzzer

.PHONY: fuzz fuzz-corpus fuzz-build
fuzz-build: $(FUZZ_BIN)

fuzz-corpus: ## what was found by fuzzing before, once more
	@$(FUZZ_MAKE) fuzz-build
	@for f in $(FUZZ); do $(FUZZ_ENV) $(BUILD)/fuzz/tests/fuzz/fuzz_$$f -runs=0 tests/fuzz/corpus/$$f 2>$(BUILD)/fuzz/$$f.log \
	     || { cat $(BUILD)/fuzz/$$f.log; exit 1; }; done

# New inputs stay in the build folder, and so does what breaks a target.
fuzz: deps-test ## every fuzz target for FUZZ_SECONDS (60)
	@$(MAKE) --no-print-directory fuzz-corpus
	@for f in $(FUZZ); do mkdir -p $(BUILD)/fuzz/new/$$f; \
	     $(FUZZ_ENV) $(BUILD)/fuzz/tests/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -rss_limit_mb=1024 \
	     -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/$$f- $(BUILD)/fuzz/new/$$f tests/fuzz/corpus/$$f 2>$(BUILD)/fuzz/$$f.log \
	     || { tail -40 $(BUILD)/fuzz/$$f.log; exit 1; }; \
	     awk -v f=$$f '/number_of_executed_units/ {n = $$2} END {printf "fuzz %-14s %9d inputs, nothing broke\n", f, n}' $(BUILD)/fuzz/$$f.log; done

# What tests/run.sh is given: NAME=COMMAND. End-to-end tests wait for leases most of the time: others run beside them.
# Under valgrind's hundredfold time, TEST_SHORT spares repetitions.
E2E            := $(sort $(filter-out tests/e2e/lib.sh tests/e2e/chaos.sh,$(wildcard tests/e2e/*.sh)))
BUILD_ASAN      = $(MAKE) -s -j$(JOBS) BUILD=$(BUILD)/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' all unit
ITEMS_CHECK     = $(foreach c,style rooms doors sizes,"make $(c)=tests/house/check.sh $(c)") \
                  $(foreach t,$(TEST_BIN),"$(patsubst $(BUILD)/%,%,$(t))=$(t)")
ITEMS_SLOW      = "simulated mistakes=$(MAKE) -s mutants" "simulation=$(SIM) --events 2000000" \
                  "clang builds all=$(MAKE) -s -j$(JOBS) CC=clang BUILD=$(BUILD)/clang all unit" \
                  "fuzz corpus=$(MAKE) -s fuzz-corpus" $(foreach t,$(E2E),"$(t)=BUILD=$(BUILD) $(t)")
ITEMS_ASAN      = "asan simulation=$(BUILD)/asan/tests/sim/sim --events 100000 --blind" \
                  $(foreach t,$(TEST_BIN),"asan $(patsubst $(BUILD)/tests/%,%,$(t))=$(patsubst $(BUILD)/%,$(BUILD)/asan/%,$(t))")
ITEMS_VALGRIND  = $(foreach t,$(TEST_BIN),"valgrind $(patsubst $(BUILD)/tests/%,%,$(t))=TEST_SHORT=1 valgrind -q --error-exitcode=9 --leak-check=full $(t)")

# Threads, in everything that neither trains nor measures: OpenBLAS is not built for it. By clang, and without
# address randomisation, which some kernels spread wider than the sanitizer can bear.
TSAN_WORKER     = $(patsubst %,tests/worker/test_%.c,link outbox outbox_file session session_file session_slot session_storm slot worker_daemon worker_options)
TSAN_SRC        = $(filter tests/common/% tests/proto/% tests/coordinator/% $(TSAN_WORKER),$(TEST_SRC))
TSAN_BIN        = $(patsubst tests/%.c,$(BUILD)/tsan/tests/%,$(TSAN_SRC))
TSAN_ENV        = TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.txt:ignore_noninstrumented_modules=1
BUILD_TSAN      = $(MAKE) -s -j$(JOBS) CC=clang BUILD=$(BUILD)/tsan SANITIZE=-fsanitize=thread all $(TSAN_BIN)
ITEMS_TSAN      = $(foreach t,$(TSAN_BIN),"tsan $(patsubst $(BUILD)/tsan/tests/%,%,$(t))=$(TSAN_ENV) setarch -R $(t)")

# Without the packages nothing above could be evaluated: these first install, then call make anew.
test: deps-test ## everything, from nothing: check, asan, tsan and valgrind; ends with "N passed, N failed"
	@$(MAKE) --no-print-directory -s -j$(JOBS) all unit
	@$(MAKE) --no-print-directory check-all

check-all:
	@tests/run.sh $(ITEMS_CHECK) "asan builds=$(BUILD_ASAN)" "tsan builds=$(BUILD_TSAN)" -- $(ITEMS_SLOW) $(ITEMS_ASAN) \
	     $(ITEMS_TSAN) $(ITEMS_VALGRIND)

check: all unit ## the rules of the house, both compilers, unit and end-to-end tests
	@tests/run.sh $(ITEMS_CHECK) -- $(ITEMS_SLOW)

tsan: ## the unit tests of what has threads with ThreadSanitizer
	@tests/run.sh "tsan builds=$(BUILD_TSAN)" -- $(ITEMS_TSAN)

asan: ## the unit tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@tests/run.sh "asan builds=$(BUILD_ASAN)" -- $(ITEMS_ASAN)

valgrind: all unit ## the unit tests under valgrind
	@tests/run.sh -- $(ITEMS_VALGRIND)

rooms doors sizes style: ## the rules of the house: who includes whom, one door a library, lengths, layout
	@tests/house/check.sh $@

format: ## lay out every source file in the committed style
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

# ---- packages, from apt; quiet when nothing is missing -------------------------------------------

missing = $(shell for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done)
SUDO    = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
define install_packages
	@todo="$(call missing,$(1))"; [ -z "$$todo" ] || { echo "installing: $$todo"; \
	    $(SUDO) apt-get update -qq && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$todo >/dev/null; }
endef

deps: ## install what building and running need (Debian, Ubuntu)
	$(call install_packages,$(PACKAGES_BUILD) $(PACKAGES_RUN))

.PHONY: deps-test deps-bench
deps-test: ## ... and what the tests need
	$(call install_packages,$(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_TEST))

deps-bench: ## ... and what the benchmark compares with
	$(call install_packages,$(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_BENCH))

$(BUILD)/tests/bench/bench: $(call obj,tests/bench/bench.c) $(LIB_trainer) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(BLAS_LIB)

$(BUILD)/tests/bench/map: $(call obj,tests/bench/map.c) $(LIB_coordinator) $(LIB_proto) $(LIB_common)
	$(call note,LINK)
	$(Q)$(LINK) $(LIBS_SQLITE) $(BLAS_LIB)

bench: deps-bench ## the paper's epoch against PyTorch's on one core, and what each measure costs
	@$(MAKE) --no-print-directory -s $(BUILD)/tests/bench/bench
	@$(BUILD)/tests/bench/bench tests/bench/torch_epoch.py
	@$(MAKE) --no-print-directory -s $(BUILD)/tests/bench/map
	@$(BUILD)/tests/bench/map

demo: deps ## a real sweep on this machine, and the table that answers the paper's question
	@$(MAKE) --no-print-directory -s all
	@deploy/demo.sh $(BUILD)

MANUAL := $(wildcard deploy/man/*.1 deploy/man/*.5)

$(BUILD)/man/%: deploy/man/% deploy/man/lists.awk proto/param.def proto/metric.def
	@mkdir -p $(@D)
	$(call note,MAN)
	$(Q)awk -v params=proto/param.def -v metrics=proto/metric.def -f deploy/man/lists.awk $< > $@

install: all $(MANUAL:deploy/%=$(BUILD)/%) ## programs, manual pages, user units, sweeps and claims, under PREFIX
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/man/man1 share/man/man5 lib/systemd/user \
	    share/grokd/claims share/grokd/sweeps)
	install -m 644 $(CLAIMS) $(DESTDIR)$(PREFIX)/share/grokd/claims
	install -m 644 deploy/sweeps/*.yaml $(DESTDIR)$(PREFIX)/share/grokd/sweeps
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(BUILD)/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	for unit in deploy/*.service; do sed 's|/usr/local|$(PREFIX)|' $$unit \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/user/$${unit##*/}; done

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
