# SPDX-License-Identifier: MIT
# grokd: `make` says what can be made. BUILD=dir builds elsewhere, CC=clang with the other compiler.

BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
VERSION := 0.1.0
GIT     := $(shell git rev-parse --short=12 HEAD 2>/dev/null)

.DEFAULT_GOAL := help

# ---- packages ----------------------------------------------------------------------------------

PACKAGES_BUILD := gcc libc6-dev pkg-config protobuf-c-compiler libprotobuf-c-dev libuv1-dev libzmq3-dev \
                  libsqlite3-dev libopenblas-serial-dev libfyaml-dev libsodium-dev librandom123-dev
PACKAGES_RUN   := sqlite3
PACKAGES_TEST  := libcmocka-dev clang clang-format valgrind git
PACKAGES_BENCH := python3-torch

# ---- flags -------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
        -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wold-style-definition
# No contraction: a*b+c is rounded twice unless a kernel says fma, whatever the compiler and processor.
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -O2 -g -ffp-contract=off $(WARN) -I. -I$(BUILD) \
             -DGROKD_VERSION='"$(VERSION)"' -DGROKD_GIT='"$(GIT)"' $(SANITIZE) $(CFLAGS)
# Kernels are built once for each level and chosen when the program starts.
CFLAGS_KERNEL = $(filter-out -O2,$(CFLAGS_ALL)) -O3 -fno-math-errno -fno-trapping-math

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
ROOM_worker      := $(filter-out %_main.c,$(wildcard worker/*.c))
ROOM_trainer     := $(wildcard worker/num/*.c worker/train/*.c worker/measure/*.c)
KERNELS          := $(wildcard worker/num/kernels/*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
KERNEL_OBJ := $(patsubst %.c,$(BUILD)/%.v3.o,$(KERNELS)) $(patsubst %.c,$(BUILD)/%.v4.o,$(KERNELS))

LIB_common      := $(BUILD)/libcommon.a
LIB_proto       := $(BUILD)/libproto.a
LIB_coordinator := $(BUILD)/libcoordinator.a
LIB_worker      := $(BUILD)/libworker.a
LIB_trainer     := $(BUILD)/libtrainer.a

PROGRAMS := $(addprefix $(BUILD)/,grokd-coord grokd-worker grokd-train grokctl)

.PHONY: help deps all test check demo bench asan valgrind rooms doors sizes style format install clean
.SECONDARY:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

all: $(PROGRAMS) ## the four programs, in build/

# ---- rules -------------------------------------------------------------------------------------

$(BUILD)/proto/grokd.pb-c.c $(BUILD)/proto/grokd.pb-c.h &: proto/grokd.proto
	@mkdir -p $(@D)
	protoc-c --c_out=$(BUILD) $<

$(BUILD)/coordinator/schema_text.h: coordinator/schema.sql
	@mkdir -p $(@D)
	awk 'BEGIN {print "static const char schema_text[] ="} \
	     {gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); print "    \"" $$0 "\\n\""} END {print "    ;"}' $< > $@

$(BUILD)/%.v3.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_KERNEL) -march=x86-64-v3 -DLEVEL=v3 -MMD -MP -c -o $@ $<

$(BUILD)/%.v4.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_KERNEL) -march=x86-64-v4 -mprefer-vector-width=512 -DLEVEL=v4 -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c | $(BUILD)/proto/grokd.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -I$(BLAS_INC) -MMD -MP -c -o $@ $<

$(BUILD)/proto/grokd.pb-c.o: $(BUILD)/proto/grokd.pb-c.c
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(call obj,coordinator/store_schema.c): $(BUILD)/coordinator/schema_text.h

$(LIB_common): $(call obj,$(ROOM_common))
$(LIB_proto): $(call obj,$(ROOM_proto)) $(BUILD)/proto/grokd.pb-c.o
$(LIB_coordinator): $(call obj,$(ROOM_coordinator))
$(LIB_worker): $(call obj,$(ROOM_worker))
$(LIB_trainer): $(call obj,$(ROOM_trainer)) $(KERNEL_OBJ)
$(BUILD)/lib%.a:
	@rm -f $@
	$(AR) rcs $@ $^

LINK = $(CC) $(CFLAGS_ALL) -o $@ $^ $(LIBS_PROTO) $(LIBS_COMMON)

$(BUILD)/grokd-coord: $(call obj,coordinator/coord_main.c) $(LIB_coordinator) $(LIB_proto) $(LIB_common)
	$(LINK) $(LIBS_SQLITE)
$(BUILD)/grokctl: $(call obj,coordinator/ctl_main.c) $(LIB_coordinator) $(LIB_proto) $(LIB_common)
	$(LINK) $(LIBS_SQLITE)
$(BUILD)/grokd-worker: $(call obj,worker/worker_main.c) $(LIB_worker) $(LIB_proto) $(LIB_common)
	$(LINK)
$(BUILD)/grokd-train: $(call obj,worker/train_main.c) $(LIB_trainer) $(LIB_proto) $(LIB_common)
	$(LINK) $(BLAS_LIB)

# ---- tests: a file tests/ROOM/test_NAME.c is a program; its tests are its functions test_* --------

TEST_SRC  := $(wildcard tests/common/test_*.c tests/proto/test_*.c tests/coordinator/test_*.c tests/worker/test_*.c)
TEST_HELP := $(filter-out $(TEST_SRC),$(wildcard tests/ref/*.c tests/coordinator/*.c tests/worker/*.c))
TEST_BIN  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))

$(BUILD)/tests/%.main.c: tests/%.c tests/main.sh
	@mkdir -p $(@D)
	sh tests/main.sh $< > $@

$(BUILD)/tests/%.o: CFLAGS_ALL += -Wno-missing-prototypes

$(BUILD)/tests/%.main.o: $(BUILD)/tests/%.main.c
	$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/%.main.o $(call obj,$(TEST_HELP)) $(LIB_coordinator) \
                  $(LIB_worker) $(LIB_trainer) $(LIB_proto) $(LIB_common)
	$(LINK) $(LIBS_SQLITE) $(BLAS_LIB) -lcmocka

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
