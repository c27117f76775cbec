# smolwrap.  `make demo` and `make test` are all a newcomer needs.
#   make            the programs and the library, in $(B)
#   make lint       static checks      make bench    paired ratios
#   make asan|tsan  the unit tests under a sanitizer, in folders of their own
#   make install    honours DESTDIR and PREFIX

B      ?= build/default
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
CC     ?= cc
LWIP   ?= build/src/lwip

HARDEN  = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	  -fstack-clash-protection -fno-strict-overflow
WARN    = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	  -Wmissing-prototypes -Wvla -Wcast-qual -Wwrite-strings -Wformat=2
CFLAGS ?= $(if $(SAN),-O1 -g -fno-omit-frame-pointer $(SAN),$(HARDEN))
BASIC   = -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -I. -MMD -MP
LWIP_INC = -Istack/lwip -isystem $(LWIP)/src/include
LDHARD  = -Wl,-z,relro,-z,now,-z,noexecstack $(SAN)

BASE_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard base/*.c))
STACK_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard stack/*.c))
SHIM_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard preload/shim_*.c)) \
	     $(patsubst %.S,$(B)/%.o,$(wildcard preload/shim_*.S))
PROG_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out preload/shim_%,$(wildcard preload/*.c)))
TRANS_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard transport/*.c))

LWIP_SRC := $(addprefix $(LWIP)/src/core/,def.c inet_chksum.c init.c ip.c \
	mem.c memp.c netif.c pbuf.c raw.c stats.c sys.c tcp.c tcp_in.c \
	tcp_out.c timeouts.c udp.c) \
	$(addprefix $(LWIP)/src/core/ipv4/,icmp.c ip4.c ip4_addr.c ip4_frag.c) \
	$(addprefix $(LWIP)/src/core/ipv6/,icmp6.c inet6.c ip6.c ip6_addr.c \
	ip6_frag.c nd6.c mld6.c ethip6.c dhcp6.c)
LWIP_OBJ := $(patsubst $(LWIP)/%.c,$(B)/lwip/%.o,$(LWIP_SRC))

UNIT_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*_test.c tests/prop/*_prop.c))
TEST_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/lib/*.c tests/probes/*.c tests/leak/*.c))
T        ?= $(UNIT_BIN) $(wildcard tests/preload/*.sh tests/net/*.sh)

all: $(B)/smolwrap $(B)/libsmolwrap.so

.SECONDARY:
.PHONY: all deps test check bench demo lint asan tsan install clean

deps:
	scripts/deps install
$(LWIP)/.complete:
	scripts/deps source lwip $(LWIP)
$(LWIP_SRC) &: $(LWIP)/.complete ;

$(B)/lwip/%.o: $(LWIP)/%.c stack/lwip/lwipopts.h
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(CFLAGS) -w $(LWIP_INC) -c $< -o $@
$(B)/stack/%.o: stack/%.c | $(LWIP)/.complete
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $(LWIP_INC) -c $< -o $@
# glibc declares connect() and its kin with a transparent union, which a
# faithful definition contradicts under -Wpedantic; the shim keeps its calls
# out of the reach of _FORTIFY_SOURCE, which would rewrite them.
$(B)/preload/shim_%.o: preload/shim_%.c
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(filter-out -Wpedantic,$(WARN)) $(CFLAGS) \
	    -U_FORTIFY_SOURCE -c $< -o $@
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) -c $< -o $@
$(B)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(CFLAGS) -c $< -o $@

$(B)/libstack.a: $(STACK_OBJ) $(LWIP_OBJ) $(BASE_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(B)/libsmolwrap.so: $(SHIM_OBJ) $(B)/libstack.a preload/exports.map
	$(CC) -shared -o $@ $(SHIM_OBJ) $(B)/libstack.a $(LDHARD) \
	    -Wl,-Bsymbolic,-z,nodelete,--no-undefined,--gc-sections \
	    -Wl,--version-script=preload/exports.map
$(B)/smolwrap: $(PROG_OBJ) $(TRANS_OBJ) $(B)/libstack.a
	$(CC) -o $@ $^ $(LDHARD) -lssh -lpthread

$(B)/tests/unit/%: tests/unit/%.c $(B)/libstack.a $(TRANS_OBJ)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(TRANS_OBJ) $(B)/libstack.a \
	    $(LDHARD) -lcmocka -lssh -lpthread -o $@
$(B)/tests/prop/%: tests/prop/%.c $(B)/libstack.a $(TRANS_OBJ)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(TRANS_OBJ) $(B)/libstack.a \
	    $(LDHARD) -lcmocka -lssh -lpthread -o $@
$(B)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(CFLAGS) $< -o $@ -ldl -lpthread

# mix/: the mixnet.  Its tests need neither lwIP nor libssh: `make mix-check`.
MIX_LIBS := -lsodium -lmbedcrypto -lm
MIX_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out mix/%_main.c,$(wildcard mix/*.c)))
MIX_TEST := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/mix_*_test.c tests/prop/mix_*_prop.c))
.PHONY: mix-check
$(B)/libmix.a: $(MIX_OBJ) $(BASE_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(B)/tests/unit/mix_%: tests/unit/mix_%.c $(B)/libmix.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libmix.a $(LDHARD) \
	    -lcmocka $(MIX_LIBS) -o $@
$(B)/tests/prop/mix_%: tests/prop/mix_%.c $(B)/libmix.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libmix.a $(LDHARD) \
	    -lcmocka $(MIX_LIBS) -o $@
# Fuzzing needs clang: `make CC=clang mix-fuzz`, then run a binary on its
# corpus.  Without it the same targets replay the corpus: part of mix-check.
MIX_FUZZ := $(wildcard tests/fuzz/mix_*_fuzz.c)
MIX_REPLAY := $(patsubst %.c,$(B)/%.replay,$(MIX_FUZZ))
.PHONY: mix-fuzz
$(B)/tests/fuzz/%.replay: tests/fuzz/%.c tests/fuzz/replay.c $(B)/libmix.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< tests/fuzz/replay.c \
	    $(B)/libmix.a $(LDHARD) $(MIX_LIBS) -o $@
	@printf '#!/bin/sh\nexec %s tests/fuzz/corpus/%s/*\n' $@ $* >$@.t
	@chmod +x $@.t
mix-fuzz:
	$(MAKE) B=build/fuzz SAN=-fsanitize=address,undefined,fuzzer-no-link \
	    $(patsubst %.c,build/fuzz/%,$(MIX_FUZZ))
$(B)/tests/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(B)/libmix.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) -fsanitize=fuzzer $< $(B)/libmix.a \
	    $(LDHARD) $(MIX_LIBS) -o $@

mix-check: $(MIX_TEST) $(MIX_REPLAY)
	B=$(B) CMOCKA_MESSAGE_OUTPUT=TAP prove --timer -j2 $(if $(filter command\ line,$(origin T)),$(T),$(MIX_TEST) $(MIX_REPLAY:=.t))

check: all $(UNIT_BIN) $(TEST_BIN)
	B=$(B) CMOCKA_MESSAGE_OUTPUT=TAP prove --timer -j2 $(T)
test: deps
	$(MAKE) check
demo: deps
	$(MAKE) all
	B=$(B) scripts/demo.sh
asan:
	$(MAKE) B=build/asan SAN=-fsanitize=address,undefined check T='$$(UNIT_BIN)'
tsan:
	$(MAKE) B=build/tsan SAN=-fsanitize=thread check T='$$(UNIT_BIN)'

install: all
	install -Dm755 $(B)/smolwrap $(DESTDIR)$(PREFIX)/bin/smolwrap
	install -Dm755 $(B)/libsmolwrap.so $(DESTDIR)$(LIBDIR)/smolwrap/libsmolwrap.so
	install -Dm644 man/smolwrap.1 $(DESTDIR)$(PREFIX)/share/man/man1/smolwrap.1
clean:
	rm -rf build/default build/asan build/tsan build/fuzz

-include $(shell find $(B) -name '*.d' 2>/dev/null)
