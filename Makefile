# Verbs over meson and the scripts in tools/; "make" lists them.  Each verb first installs what
# it needs (tools/deps says what), so that all of them work on a machine with gcc, make and git.
#
# PREFIX, LIBDIR, DESTDIR  where "make install" puts things
# ARGS                     passed on: make check ARGS=timer, make bench ARGS=yield
# (bench/README.md tells about the bench verbs)

PREFIX ?= /usr/local
LIBDIR ?= lib

.PHONY: help all run check bench bench-peers bench-peers-deps bench-check asan tsan valgrind stress \
	cross lint format install deps clean

help:      ## list the verbs
	@sed -n 's/^\([a-z-]*\): *## /\1	/p' Makefile | expand -t 20

all:       ## build the library, tests, examples and benchmarks into build/
	@tools/deps -q build
	@tools/build build

run:       ## build, then 1,000 connections x 100 requests through the ping example
	@tools/deps -q build
	@tools/build build
	@tools/run-ping build $(ARGS)

check:     ## build and run all tests (under two minutes)
	@tools/deps -q build test
	@tools/build build
	@tools/check build $(ARGS)

bench:     ## build for release and measure: about a minute
	@tools/deps -q build
	@tools/build build-release
	@build-release/bench/limits
	@bench/run --quick $(ARGS)

bench-peers: ## the same beside Go, Tokio, ...: writes bench/results.md (most of an hour)
	@tools/deps -q build test
	@tools/build build-release
	@bench/peers/build-all build-release/peers
	@bench/all $(ARGS)

bench-peers-deps: ## install those peers
	@tools/deps peers

bench-check: ## instructions and atomic operations, against those recorded
	@tools/deps -q build test
	@tools/build build-release
	@bench/counts --check $(ARGS)

asan:      ## the tests under AddressSanitizer and UBSan
	@tools/deps -q build test
	@tools/build build-asan
	@tools/check build-asan $(ARGS)

tsan:      ## the tests under ThreadSanitizer
	@tools/deps -q build test
	@tools/build build-tsan
	@tools/check build-tsan $(ARGS)

valgrind:  ## the tests under Valgrind's memcheck (slow)
	@tools/deps -q build test
	@tools/build build
	@tools/check --valgrind build $(ARGS)

stress:    ## the stress suite (minutes)
	@tools/deps -q build
	@tools/build build
	@tools/check --suite stress build $(ARGS)

cross:     ## build for aarch64 and riscv64, run the tests of the floors under qemu
	@tools/deps -q build cross
	@tools/cross/run aarch64 riscv64

lint:      ## formatting, floors, headers, scripts, clang-tidy
	@tools/deps -q build clang lint
	@tools/build build-clang
	@tools/lint build-clang

format:    ## rewrite the sources in the house style
	@tools/deps -q lint
	@find include src examples bench tests -name '*.[ch]' -print0 | xargs -0r clang-format -i

install:   ## install below PREFIX (and DESTDIR)
	@tools/deps -q build
	@tools/build build-install --prefix=$(abspath $(PREFIX)) --libdir=$(LIBDIR)
	@DESTDIR=$(abspath $(DESTDIR)) meson install -C build-install --no-rebuild --quiet
	@test -n "$(DESTDIR)" || ldconfig 2>/dev/null || :

deps:      ## install what building and testing need
	@tools/deps $(ARGS)

clean:     ## remove every build folder
	@rm -rf build build-*/
