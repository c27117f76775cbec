# smolwrap.  `make demo` and `make test` are all a newcomer needs.
#   make            the programs and the library, in $(B); V=1 shows commands,
#                   -s nothing but warnings
#   make demo       all of it, shown          make test     all of it, tested
#   make check      the same without installing packages; T=FILE for one test
#   make deps       the packages that make test wants, by root
#   make lint       static checks      make bench    paired ratios
#   make asan|tsan|valgrind  the unit tests under each of them
#   make fuzz       FUZZ_SECONDS a target     make soak    sizes and numbers
#   make suites     other projects' tests     make interop other peers
#   make bench-rust the Rust crate, for make bench to time beside
#   make install    honours DESTDIR and PREFIX, as does make uninstall

B       ?= build/default
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
CC      ?= cc
OBJCOPY ?= objcopy
LWIP    ?= build/src/lwip
MBEDTLS ?= $(dir $(LWIP))mbedtls

HARDEN   = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	   -fstack-clash-protection -fno-strict-overflow
WARN     = $(if $(CI),-Werror) -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	   -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wcast-qual \
	   -Wwrite-strings -Wformat=2
CFLAGS  ?= $(if $(SAN),-O1 -g -fno-omit-frame-pointer $(SAN),$(HARDEN))
BASIC    = -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -I. -MMD -MP
LWIP_INC = -Istack/lwip -isystem $(LWIP)/src/include
LDHARD   = -Wl,-z,relro,-z,now,-z,noexecstack $(SAN)

Q       := $(if $(V),,@)
quiet    = $(V)$(findstring s,$(firstword -$(MAKEFLAGS)))
say      = $(if $(quiet),,printf '  %-3s %s\n' $(1) $@ &&) mkdir -p $(@D) &&
COMPILE  = $(Q)$(call say,CC) $(CC) $(BASIC) $(WARN) $(CFLAGS)
LINK     = $(Q)$(call say,LD) $(CC)
ARCHIVE  = $(Q)$(call say,AR) rm -f $@ && $(AR) rcs $@ $^

# What is missing is told before the compiler stumbles over it; all but uthash
# and wslay, which pkg-config does not know.
LIBRARIES := libssh libsodium jansson libcurl libngtcp2 \
	     libngtcp2_crypto_gnutls gnutls
ifneq ($(filter-out deps demo test clean uninstall help,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell pkg-config --exists $(LIBRARIES) 2>/dev/null && echo yes),yes)
missing := $(foreach l,$(LIBRARIES),$(shell pkg-config --exists $(l) 2>/dev/null || \
	   echo $(l)))
$(error missing: $(missing); "scripts/deps install build" installs it, by root)
endif
endif

# mbedTLS: the system's when it is 3.6, else Debian's newer source, compiled
# once for all of build/; the name of its folder says with which configuration,
# and by which script.
MBED_CFG := transport/mbedtls_config.h
ifeq ($(shell pkg-config --exists 'mbedtls >= 3.6 mbedtls < 4' 2>/dev/null && echo yes),yes)
MBED_LIBS := -lmbedtls -lmbedx509 -lmbedcrypto
else
MBED_A   := $(MBEDTLS)-$(firstword $(shell cat $(MBED_CFG) scripts/mbedtls | cksum))/libmbed.a
MBED_LIBS = $(MBED_A)
MBED_INC := -DMBEDTLS_CONFIG_FILE='"$(MBED_CFG)"' -isystem $(MBEDTLS)/include
endif

# --- what there is ---------------------------------------------------------
objects   = $(patsubst %,$(B)/%.o,$(basename $(1)))
LWIP_OBJ := $(patsubst %,$(B)/lwip/src/core/%.o,def inet_chksum init ip mem memp \
	netif pbuf raw stats sys tcp tcp_in tcp_out timeouts udp \
	$(addprefix ipv4/,icmp ip4 ip4_addr ip4_frag) \
	$(addprefix ipv6/,icmp6 inet6 ip6 ip6_addr ip6_frag nd6 mld6 ethip6 dhcp6))
MAINS    := preload/main.c preload/session_main.c preload/session_mix_dir.c \
	    transport/serve_main.c transport/serve_iroh.c mix/smolnode_main.c
BASE     := $(call objects,$(wildcard base/*.c))
STACK    := $(call objects,$(wildcard stack/*.c))
SHIM     := $(call objects,$(wildcard preload/shim_*.c preload/shim_*.S))
PROGRAM  := $(call objects,$(filter-out preload/shim_% $(MAINS),$(wildcard preload/*.c)))
MIX      := $(call objects,$(filter-out mix/smolnode_%,$(wildcard mix/*.c)))
NODE     := $(call objects,$(filter-out $(MAINS),$(wildcard mix/smolnode_*.c)))
TRANSPORT := $(call objects,$(filter-out transport/iroh% transport/serve_%,$(wildcard transport/*.c)))
IROH     := $(call objects,$(wildcard transport/iroh*.c))
SERVE    := $(call objects,$(filter-out $(MAINS),$(wildcard transport/serve_*.c)))
# The parts of the shim that export nothing are tested alone.
PURE     := $(call objects,$(addprefix preload/shim_,$(addsuffix .c,hosts dnsmsg \
	execenv libc resolve_names resolve_addrinfo resolve_host judge \
	option_table table unix)))

tests     = $(patsubst %.c,$(B)/%,$(wildcard $(addprefix tests/,$(1))))
UNIT_BIN := $(call tests,unit/*_test.c prop/*_prop.c)
FUZZ_BIN := $(call tests,fuzz/*_fuzz.c)
# Those in which threads run: in the others, the engines', there is nothing for
# the thread sanitizer to find, in ten times the time.
THREADED := $(call tests,$(patsubst %,unit/%_test.c,dialing forward greeter \
	    iroh_endpoint mix_preparer netdir_stream serve_sandbox ssh_bulk \
	    ssh_login ssh_tunnel stack_handover through tls) prop/stack_stream_prop.c)
TEST_BIN := $(call tests,lib/*.c probes/*.c leak/*.c)
BENCH_BIN := $(call tests,bench/*.c)
NET_T    ?= $(wildcard $(addprefix tests/,leak/*.sh programs/*.sh net/*.sh \
	    preload/*.sh probes/*.sh))
T        ?= $(NET_T) tests/fuzz/replay.sh $(UNIT_BIN)

all: $(addprefix $(B)/,smolwrap smolwrap-session smolwrap-session-full \
    libsmolwrap.so smolnode smolserve)

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: FORCE all help deps test check bench demo lint asan tsan asan-net \
	tsan-net guests threaded valgrind fuzz fuzz-run soak suites interop \
	interop-iroh interop-peers bench-rust install uninstall clean

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

# --- others' sources -------------------------------------------------------
deps:
	scripts/deps install
$(LWIP)/.complete:
	scripts/deps source lwip $(LWIP)
$(MBEDTLS)/.complete:
	scripts/deps source mbedtls $(MBEDTLS)
$(patsubst $(B)/lwip/%.o,$(LWIP)/%.c,$(LWIP_OBJ)) &: $(LWIP)/.complete ;
# Its variables get a section of their own, so that a forked child can forget
# them all (stack_forget).  And it shifts bytes into the sign bit of an int.
$(B)/lwip/%.o: $(LWIP)/%.c stack/lwip/lwipopts.h stack/lwip/arch/cc.h
	$(Q)$(call say,CC) $(CC) $(BASIC) $(CFLAGS) $(if $(SAN),-fno-sanitize=shift) \
	    -w $(LWIP_INC) -c $< -o $@
	@$(OBJCOPY) --rename-section .bss=lwip_bss $@
ifdef MBED_A
$(MBED_A): $(MBEDTLS)/.complete | $(MBED_CFG)
	$(Q)$(call say,LIB) CC='$(CC)' AR='$(AR)' scripts/mbedtls $(MBEDTLS) $(MBED_CFG) $@
endif

# --- objects ---------------------------------------------------------------
# lwipopts.h is read by lwIP's headers, which are the system's to -MMD.
$(B)/stack/%.o: stack/%.c stack/lwip/lwipopts.h | $(LWIP)/.complete
	$(COMPILE) $(LWIP_INC) -c $< -o $@
# glibc declares connect() and its kin with a transparent union, which a
# faithful definition contradicts under -Wpedantic; the shim keeps its calls
# out of the reach of _FORTIFY_SOURCE, which would rewrite them.
$(B)/preload/shim_%.o: WARN := $(filter-out -Wpedantic,$(WARN))
$(B)/preload/shim_%.o: override CFLAGS += -U_FORTIFY_SOURCE
# Where the programs look for each other; compiled anew when that changes, so
# that `make` and `make install PREFIX=...` agree.
WHERE    := -DSW_LIBDIR='"$(LIBDIR)/smolwrap"' \
	    -DSW_LIBEXECDIR='"$(LIBEXECDIR)"' -DSW_BINDIR='"$(PREFIX)/bin"'
PLACED   := $(call objects,$(addprefix preload/,launch.c launch_session.c session_mix_local.c))
$(PLACED): BASIC += $(WHERE)
$(PLACED): $(B)/.dirs
$(B)/.dirs: FORCE
	@mkdir -p $(@D)
	@echo "$(WHERE)" | cmp -s - $@ || echo "$(WHERE)" >$@
FORCE:
$(B)/mix/%.o $(B)/transport/tls%.o $(B)/transport/serve_%.o: BASIC += $(MBED_INC)
# Its configuration decides the layout of mbedTLS's structs, and is a system
# header to -MMD; with the script it decides which archive is needed, which make
# does not build for programs that are up to date without it (.SECONDARY).
$(MIX) $(NODE) $(TRANSPORT) $(SERVE): $(if $(MBED_A),$(MBED_CFG) scripts/mbedtls | $(MBEDTLS)/.complete)
# Arithmetic on its caller's bytes, without a variable that threads could share:
# the thread sanitizer finds nothing there, in nearly all of the time.
$(addprefix $(B)/mix/,$(addsuffix .o,comb comb_x86 gcm_siv polyval prim_x86 \
    x25519_ifma)): override SAN := $(filter-out -fsanitize=thread,$(SAN))
$(B)/%.o: %.c
	$(COMPILE) -c $< -o $@
$(B)/%.o: %.S
	$(COMPILE) -c $< -o $@

$(B)/libstack.a: $(STACK) $(LWIP_OBJ) $(BASE)
	$(ARCHIVE)
$(B)/libprogram.a: $(PROGRAM)
	$(ARCHIVE)
$(B)/libpure.a: $(PURE)
	$(ARCHIVE)
$(B)/libmix.a: $(MIX) $(BASE)
	$(ARCHIVE)
$(B)/libnode.a: $(NODE)
	$(ARCHIVE)
$(B)/libiroh.a: $(IROH)
	$(ARCHIVE)
$(B)/libserve.a: $(SERVE) $(filter-out $(B)/transport/ssh_%,$(TRANSPORT)) $(BASE)
	$(ARCHIVE)

# --- programs --------------------------------------------------------------
SSH_LIBS  = -lssh $(MBED_LIBS) -lpthread
IROH_LIBS = -lngtcp2_crypto_gnutls -lngtcp2 -lgnutls -lwslay -lresolv
# libcurl only for those who ask a directory service.
MIX_LIBS  = -lsodium $(MBED_LIBS) -ljansson -lwslay -lm -lpthread \
	    -Wl,--push-state,--as-needed -lcurl -Wl,--pop-state

# Every wrapped program loads this, and most use little of it: libc's functions
# are bound when first called (50 look-ups less, 2.5 % of the start of true; with
# them the GOT could be read-only), and the C runtime's start files, which do
# nothing here, are left out (2 % more).  -Bsymbolic-functions binds our calls of
# our own as -Bsymbolic does, without having the loader look here first.
$(B)/libsmolwrap.so: $(SHIM) $(B)/libstack.a preload/exports.map
	$(LINK) -shared -nostartfiles -o $@ $(SHIM) $(B)/libstack.a \
	    -Wl,-z,relro,-z,lazy,-z,noexecstack $(SAN) \
	    -Wl,-Bsymbolic-functions,-z,nodelete,-z,noseparate-code,--no-undefined \
	    -Wl,--gc-sections,--version-script=preload/exports.map
# The launcher is started for every wrapped program, so it carries its own
# libc, at a fixed address: nothing to load or to relocate before the exec, and
# few pages to touch.  Sanitizers cannot be static.
$(B)/smolwrap: $(B)/preload/main.o $(BASE) $(B)/libprogram.a
	$(LINK) -o $@ $^ $(LDHARD) $(if $(SAN),,-static -Wl,-z,noseparate-code)
SESSION := $(B)/preload/session_main.o $(B)/libprogram.a $(TRANSPORT) \
	$(B)/libmix.a $(B)/libstack.a $(MBED_A)
$(B)/smolwrap-session: $(SESSION)
	$(LINK) -o $@ $^ $(LDHARD) $(SSH_LIBS) $(MIX_LIBS)
# The same, able to dial iroh and to ask the mixnet's directory service; apart
# because GnuTLS and curl take long to load.
$(B)/smolwrap-session-full: $(B)/preload/session_mix_dir.o $(IROH) $(SESSION)
	$(LINK) -o $@ $^ $(LDHARD) $(IROH_LIBS) $(SSH_LIBS) $(MIX_LIBS)
$(B)/smolnode: $(B)/mix/smolnode_main.o $(B)/libnode.a $(B)/libmix.a $(B)/libserve.a $(B)/libstack.a $(MBED_A)
	$(LINK) -o $@ $^ $(LDHARD) $(MIX_LIBS)
# An SSH engine of its own, without libssh.
$(B)/smolserve: $(B)/transport/serve_main.o $(B)/transport/serve_iroh.o \
    $(B)/libiroh.a $(B)/libserve.a $(MBED_A)
	$(LINK) -o $@ $^ $(LDHARD) $(IROH_LIBS) -lsodium $(MBED_LIBS) -lpthread

# --- tests -----------------------------------------------------------------
# All that is ours; each test takes what it needs of it.  Transport's objects
# are no archive: some stand in for a function of libc beneath libssh.
OURS := $(TRANSPORT) $(B)/libpure.a $(B)/libprogram.a $(B)/libserve.a \
	$(B)/libiroh.a $(B)/libnode.a $(B)/libmix.a $(B)/libstack.a $(MBED_A)
OUR_LIBS = -Wl,--as-needed $(IROH_LIBS) $(SSH_LIBS) $(MIX_LIBS)
# Replays files in an ordinary build; `make fuzz` swaps the driver.
FUZZ_MAIN ?= tests/fuzz/replay.c

# What several tests stand on.
RIGS := $(B)/librig.a
$(RIGS): $(call objects,$(wildcard tests/rig/*.c))
	$(ARCHIVE)
$(B)/tests/unit/%: tests/unit/%.c $(RIGS) $(OURS)
	$(COMPILE) $< $(RIGS) $(OURS) $(LDHARD) $(OUR_LIBS) -lcmocka -o $@
$(B)/tests/prop/%: tests/prop/%.c $(RIGS) $(OURS)
	$(COMPILE) $< $(RIGS) $(OURS) $(LDHARD) $(OUR_LIBS) -lcmocka -o $@
$(B)/tests/fuzz/%: tests/fuzz/%.c $(RIGS) $(OURS)
	$(COMPILE) $(LWIP_INC) $< $(FUZZ_MAIN) $(RIGS) $(OURS) $(LDHARD) $(OUR_LIBS) -o $@
$(B)/tests/lib/iroh_pipe $(B)/tests/lib/netdir_ask: $(B)/tests/%: tests/%.c $(OURS)
	$(COMPILE) $< $(OURS) $(LDHARD) $(OUR_LIBS) -o $@
# Sanitizers cannot be static.
$(B)/tests/leak/static: override SAN :=
$(B)/tests/leak/static: tests/leak/static.c
	$(COMPILE) $< -static -o $@
LEAKS := $(call objects,$(wildcard tests/leak/ways/*.c))
$(B)/tests/leak/probe: tests/leak/probe.c $(LEAKS)
	$(COMPILE) $< $(LEAKS) $(LDHARD) -ldl -o $@
# Programs to be wrapped, servers, benchmarks: nothing of ours but the engines.
ENGINES := $(B)/libmix.a $(B)/libserve.a $(B)/libstack.a $(MBED_A)
$(B)/tests/%: tests/%.c $(ENGINES)
	$(COMPILE) $< $(ENGINES) $(LDHARD) -Wl,--as-needed $(MIX_LIBS) -ldl -o $@

# By as many processors as there are, unless make was told otherwise.
WIDE = $(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

PROVE   ?= tests/lib/prove.sh
check: all $(UNIT_BIN) $(TEST_BIN) $(FUZZ_BIN)
	$(Q)B=$(B) $(PROVE) $(T)
test: deps
	$(WIDE) check
demo:
	scripts/deps install demo
	$(WIDE) all $(TEST_BIN)
	B=$(B) scripts/demo.sh
lint: $(LWIP)/.complete $(MBEDTLS)/.complete
	LWIP=$(LWIP) MBEDTLS=$(MBEDTLS) scripts/lint
bench: all $(BENCH_BIN) $(TEST_BIN)
	B=$(B) sh tests/bench/run.sh
	B=$(B) sh tests/bench/mix_local.sh
# The Rust crate beside which Sphinx is timed, for `make bench` to find.
bench-rust:
	CARGO_TARGET_DIR=$(CURDIR)/build/interop/target cargo build --release \
	    --locked --manifest-path tests/interop/speed/Cargo.toml
# Tests wait SLOW times as long.  UBSan traps, for ASan to report: what it says
# itself is lost where standard error is, in a daemon.
UBSAN    = -fsanitize=undefined -fsanitize-undefined-trap-on-error
ASAN     = -fsanitize=address $(UBSAN)
TSAN     = -fsanitize=thread
asan tsan valgrind: export SLOW = 10
asan-net tsan-net: export SLOW = 4
asan:
	$(MAKE) B=build/asan SAN='$(ASAN)' PROVE=tests/lib/sanitized.sh \
	    check T='$$(UNIT_BIN) tests/fuzz/replay.sh'
tsan:
	$(MAKE) B=build/tsan SAN='$(TSAN)' PROVE=tests/lib/sanitized.sh threaded
threaded: $(THREADED)
	$(Q)B=$(B) $(PROVE) $^
# The tests with real programs: session, nodes and server have the sanitizer in
# them.  The launcher and the library, a guest in other people's programs, have
# what needs no library of its own: they trap.
asan-net: export SAN_NET = $(ASAN)
tsan-net: export SAN_NET = $(TSAN)
asan-net tsan-net: %-net:
	$(MAKE) B=build/$* SAN='$(SAN_NET)' all
	$(MAKE) B=build/trap SAN='$(UBSAN)' guests
	rm -rf build/$@
	cp -al build/trap build/$@
	cd build/$* && ln -f smolwrap-session* smolnode smolserve ../$@
	B=build/$@ tests/lib/sanitized.sh $(NET_T)
guests: $(B)/smolwrap $(B)/libsmolwrap.so $(TEST_BIN)
# An instruction takes forty times as long.  Not mix_alloc_test, which brings its
# own malloc(); mix_local_test, whose network keeps to real time and is too slow
# for it then; two that carry megabytes in virtual time through engines which
# others here test as well; two that want seccomp(2), which valgrind has not.
VALGRIND := valgrind -q --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --error-exitcode=9
VALGRINDLESS := mix_alloc mix_local mix_slotrate stack_reorder seatbelt \
	serve_sandbox
valgrind: $(filter-out $(patsubst %,\%/%_test,$(VALGRINDLESS)),$(UNIT_BIN))
	CMOCKA_MESSAGE_OUTPUT=TAP prove --timer -j$(shell nproc) -e '$(VALGRIND)' $^
# FUZZ_SECONDS for each target, one after the other; crashes stay in build/fuzz.
FUZZ_SECONDS ?= 600
fuzz:
	$(MAKE) B=build/fuzz CC=clang FUZZ_MAIN= \
	    SAN=-fsanitize=fuzzer-no-link,address,undefined fuzz-run
fuzz-run: LDHARD += -fsanitize=fuzzer
fuzz-run: $(FUZZ_BIN)
	for f in $(FUZZ_BIN); do n=$$(basename $$f _fuzz); \
	    mkdir -p tests/fuzz/corpus/$$n; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -close_fd_mask=3 \
		-artifact_prefix=build/fuzz/$$n- tests/fuzz/corpus/$$n || exit 1; \
	done
# 1 GiB each way, 1,000 connections at once, 10,000 in a row; smolserve with 500
# sessions of 20 channels, and its patience beside nginx's.
soak: all $(TEST_BIN)
	B=$(B) prove --timer -v tests/bulk/bulk.sh tests/bulk/serve_load.sh \
	    tests/bulk/serve_patience.sh
# Other projects' suites, bare and wrapped: too long for every day.  They need
# Debian's libpython3.11-testsuite and cmake besides.
LIBUV ?= build/src/libuv
suites: all $(TEST_BIN) $(LIBUV)/build/uv_run_tests
	B=$(B) LIBUV=$(abspath $(LIBUV)) prove --timer -v tests/suites/*.sh
$(LIBUV)/build/uv_run_tests:
	SUITES=bookworm scripts/deps source libuv1 $(LIBUV)
	cmake -S $(LIBUV) -B $(LIBUV)/build -DBUILD_TESTING=ON >/dev/null
	$(MAKE) -s -C $(LIBUV)/build uv_run_tests
# Other implementations as peers; tests/interop/README, iroh/README, nymnode/README.
interop: all $(B)/tests/lib/serve $(B)/tests/lib/capture
	sh tests/interop/patch.sh build/interop/nym-network-defaults
	CARGO_TARGET_DIR=$(CURDIR)/build/interop/target cargo build --release \
	    --locked --manifest-path tests/interop/smolmix/Cargo.toml
	B=$(B) prove --timer -v tests/interop/run.sh
interop-peers: all $(TEST_BIN)
	B=$(B) WRAITH=$(WRAITH) prove -v tests/interop/peers.sh
interop-iroh: all $(B)/tests/lib/iroh_pipe
	B=$(B) IROH_PEER=$(IROH_PEER) IROH_RELAY=$(IROH_RELAY) NODE_PATH=$(NODE_PATH) \
	    prove -v tests/interop/iroh/run.sh tests/interop/iroh/serve.sh
interop-nym-node: all $(addprefix $(B)/tests/,lib/serve lib/capture interop/nymnode/announce)
	B=$(B) NYM_NODE=$(NYM_NODE) prove --timer -v tests/interop/nymnode/run.sh

# --- installing ------------------------------------------------------------
# put MODE FILES DIRECTORY
COMPLETION = $(PREFIX)/share/bash-completion/completions
put = install -d $(DESTDIR)$(3) && install -m$(1) $(2) $(DESTDIR)$(3)
install: all
	$(call put,755,$(B)/smolwrap $(B)/smolnode,$(PREFIX)/bin)
	$(call put,755,$(B)/smolserve,$(PREFIX)/sbin)
	$(call put,755,$(B)/smolwrap-session $(B)/smolwrap-session-full,$(LIBEXECDIR))
	$(call put,755,$(B)/libsmolwrap.so,$(LIBDIR)/smolwrap)
	$(call put,644,$(wildcard man/*.1),$(PREFIX)/share/man/man1)
	$(call put,644,$(wildcard man/*.8),$(PREFIX)/share/man/man8)
	$(call put,644,$(wildcard examples/*),$(PREFIX)/share/doc/smolserve)
	install -Dm644 scripts/completion.bash $(DESTDIR)$(COMPLETION)/smolwrap
	sed -i 's,/usr/local/,$(PREFIX)/,' $(DESTDIR)$(PREFIX)/share/doc/smolserve/smolserve.service \
	    $(DESTDIR)$(PREFIX)/share/man/man8/smolserve.8
# With the same PREFIX and DESTDIR.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(PREFIX)/bin/smolwrap $(PREFIX)/bin/smolnode \
	    $(PREFIX)/sbin/smolserve $(LIBEXECDIR)/smolwrap-session \
	    $(LIBEXECDIR)/smolwrap-session-full $(COMPLETION)/smolwrap \
	    $(addprefix $(PREFIX)/share/man/man1/,$(notdir $(wildcard man/*.1))) \
	    $(addprefix $(PREFIX)/share/man/man8/,$(notdir $(wildcard man/*.8))))
	rm -rf $(DESTDIR)$(LIBDIR)/smolwrap $(DESTDIR)$(PREFIX)/share/doc/smolserve
clean:
	rm -rf build/default build/asan* build/tsan* build/trap build/fuzz

-include $(shell find $(B) -name '*.d' 2>/dev/null)
