# smolwrap.  `make demo` and `make test` are all a newcomer needs.
#   make            the programs and the library, in $(B)
#   make lint       static checks      make bench    paired ratios
#   make asan|tsan  the unit tests under a sanitizer, in folders of their own
#   make install    honours DESTDIR and PREFIX

B      ?= build/default
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
CC     ?= cc
OBJCOPY ?= objcopy
LWIP   ?= build/src/lwip
MBEDTLS ?= $(dir $(LWIP))mbedtls

HARDEN  = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	  -fstack-clash-protection -fno-strict-overflow
WARN    = $(if $(CI),-Werror) -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	  -Wmissing-prototypes -Wvla -Wcast-qual -Wwrite-strings -Wformat=2
CFLAGS ?= $(if $(SAN),-O1 -g -fno-omit-frame-pointer $(SAN),$(HARDEN))
BASIC   = -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -I. -MMD -MP
LWIP_INC = -Istack/lwip -isystem $(LWIP)/src/include
LDHARD  = -Wl,-z,relro,-z,now,-z,noexecstack $(SAN)

BASE_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard base/*.c))
STACK_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard stack/*.c))
SHIM_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard preload/shim_*.c)) \
	     $(patsubst %.S,$(B)/%.o,$(wildcard preload/shim_*.S))
PROG_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out preload/shim_% \
	     preload/main.c preload/session_main.c preload/session_mix_dir.c,\
	     $(wildcard preload/*.c)))
# The launcher is started for every wrapped program, so it carries its own
# libc, at a fixed address: nothing to load or to relocate before the exec, and
# few pages to touch.  Sanitizers cannot be static.
LAUNCH_LD := $(if $(SAN),,-static -no-pie -Wl,-z,noseparate-code)
TRANS_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out transport/iroh% transport/serve_%,$(wildcard transport/*.c)))
IROH_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard transport/iroh*.c))
IROH_LIBS := -lngtcp2_crypto_gnutls -lngtcp2 -lgnutls -lwslay -lresolv
TRANS_LIBS = -lssh $(MBED_LIBS) -lpthread

LWIP_SRC := $(addprefix $(LWIP)/src/core/,def.c inet_chksum.c init.c ip.c \
	mem.c memp.c netif.c pbuf.c raw.c stats.c sys.c tcp.c tcp_in.c \
	tcp_out.c timeouts.c udp.c) \
	$(addprefix $(LWIP)/src/core/ipv4/,icmp.c ip4.c ip4_addr.c ip4_frag.c) \
	$(addprefix $(LWIP)/src/core/ipv6/,icmp6.c inet6.c ip6.c ip6_addr.c \
	ip6_frag.c nd6.c mld6.c ethip6.c dhcp6.c)
LWIP_OBJ := $(patsubst $(LWIP)/%.c,$(B)/lwip/%.o,$(LWIP_SRC))

# mbedTLS: the system's when it is 3.6, else Debian's newer source, compiled once
# for all of build/ with a configuration of our own (whose checksum is in the
# folder's name, so that an edit compiles it anew).
MBED_CFG := transport/mbedtls_config.h
MBED_A   :=
ifeq ($(shell pkg-config --exists 'mbedtls >= 3.6 mbedtls < 4' && echo yes),yes)
MBED_LIBS := -lmbedtls -lmbedx509 -lmbedcrypto
else
MBED_DIR := $(MBEDTLS)-$(firstword $(shell cksum <$(MBED_CFG)))
MBED_A   := $(MBED_DIR)/libmbed.a
MBED_LIBS = $(MBED_A)
MBED_INC := -DMBEDTLS_CONFIG_FILE='"$(MBED_CFG)"' -isystem $(MBEDTLS)/include
endif
MBED_SRC := $(addprefix $(MBEDTLS)/library/,$(addsuffix .c,aes aesce aesni \
	asn1parse asn1write base64 bignum bignum_core chacha20 chachapoly cipher \
	cipher_wrap constant_time ctr_drbg ecdh ecdsa ecp ecp_curves entropy \
	entropy_poll error gcm hkdf hmac_drbg md mps_reader oid pem pk pk_ecc \
	pk_wrap pkparse pkwrite platform platform_util poly1305 psa_crypto \
	psa_crypto_aead psa_crypto_cipher psa_crypto_client \
	psa_crypto_driver_wrappers_no_static psa_crypto_ecp psa_crypto_hash \
	psa_crypto_mac psa_crypto_random psa_crypto_rsa \
	psa_crypto_slot_management psa_util rsa rsa_alt_helpers sha1 sha256 \
	sha512 ssl_ciphersuites ssl_client ssl_msg ssl_ticket ssl_tls \
	ssl_tls12_client ssl_tls12_server ssl_tls13_client ssl_tls13_generic \
	ssl_tls13_keys ssl_tls13_server threading x509 x509_crt))

UNIT_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*_test.c tests/prop/*_prop.c))
FUZZ_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/*_fuzz.c))
TEST_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/lib/*.c tests/probes/*.c tests/leak/*.c))
BENCH_BIN := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
T        ?= $(UNIT_BIN) tests/fuzz/replay.sh $(wildcard tests/preload/*.sh \
	    tests/probes/*.sh tests/leak/*.sh tests/net/*.sh tests/programs/*.sh)

all: $(B)/smolwrap $(B)/smolwrap-session $(B)/smolwrap-session-iroh $(B)/libsmolwrap.so $(B)/smolnode $(B)/smolserve

.SECONDARY:
.PHONY: FORCE all deps test check bench demo lint asan tsan fuzz fuzz-run soak install clean

deps:
	scripts/deps install
$(LWIP)/.complete:
	scripts/deps source lwip $(LWIP)
$(LWIP_SRC) &: $(LWIP)/.complete ;

# lwIP's variables get a section of their own, so that a forked child can forget
# them all (stack_forget).  And it shifts bytes into the sign bit of an int.
$(B)/lwip/%.o: $(LWIP)/%.c stack/lwip/lwipopts.h stack/lwip/arch/cc.h
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(CFLAGS) $(if $(SAN),-fno-sanitize=shift) -w \
	    $(LWIP_INC) -c $< -o $@
	@$(OBJCOPY) --rename-section .bss=lwip_bss $@
$(MBEDTLS)/.complete:
	scripts/deps source mbedtls $(MBEDTLS)
$(MBED_SRC) &: $(MBEDTLS)/.complete ;
# Written aside and moved: several trees may share the folder.
$(MBED_DIR)/%.o: $(MBEDTLS)/library/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(BASIC) $(HARDEN) -g0 -w $(MBED_INC) \
	    -I$(MBEDTLS)/library -c $< -o $@.$$$$ && mv $@.$$$$ $@
# Those who include it: mix/*_crypto.c, transport/tls*.c.
$(B)/mix/%.o $(B)/transport/tls%.o: BASIC += $(MBED_INC)
$(patsubst %.c,$(B)/%.o,$(wildcard mix/*_crypto.c transport/tls*.c)): | \
    $(if $(MBED_A),$(MBEDTLS)/.complete)
$(MBED_DIR)/libmbed.a: $(patsubst $(MBEDTLS)/library/%.c,$(MBED_DIR)/%.o,$(MBED_SRC))
	$(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@
# lwipopts.h is read by lwIP's headers, which are the system's to -MMD.
$(B)/stack/%.o: stack/%.c stack/lwip/lwipopts.h | $(LWIP)/.complete
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
	$(AR) rcs $@ $^
# Every wrapped program loads this, and most use little of it: libc's functions
# are bound when first called (50 look-ups less, 2 % of the start of true), and
# the C runtime's start files, which do nothing here, are left out (2 % more).
$(B)/libsmolwrap.so: $(SHIM_OBJ) $(B)/libstack.a preload/exports.map
	$(CC) -shared -nostartfiles -o $@ $(SHIM_OBJ) $(B)/libstack.a \
	    -Wl,-z,relro,-z,lazy,-z,noexecstack $(SAN) \
	    -Wl,-Bsymbolic,-z,nodelete,-z,noseparate-code,--no-undefined \
	    -Wl,--gc-sections \
	    -Wl,--version-script=preload/exports.map
$(B)/libprogram.a: $(PROG_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
$(B)/smolwrap: $(B)/preload/main.o $(B)/libprogram.a $(BASE_OBJ)
	$(CC) -o $@ $(filter-out %.a,$^) $(filter %.a,$^) $(LDHARD) $(LAUNCH_LD)
$(B)/smolwrap-session: $(B)/preload/session_main.o $(B)/libprogram.a \
    $(TRANS_OBJ) $(B)/libmix.a $(B)/libstack.a $(MBED_A)
	$(CC) -o $@ $^ $(LDHARD) $(TRANS_LIBS) $(MIX_LIBS)
# The same, able to dial iroh and to ask the mixnet's directory service; apart
# because GnuTLS and curl take long to load.
$(B)/smolwrap-session-iroh: $(B)/preload/session_main.o \
    $(B)/preload/session_mix_dir.o $(IROH_OBJ) \
    $(B)/libprogram.a $(TRANS_OBJ) $(B)/libmix.a $(B)/libstack.a $(MBED_A)
	$(CC) -o $@ $^ $(LDHARD) $(IROH_LIBS) $(TRANS_LIBS) $(MIX_LIBS)
# Where the launcher looks for its parts; compiled anew when that changes, so
# that `make` and `make install PREFIX=...` agree.
$(B)/preload/launch.o: CFLAGS += -DSW_LIBDIR='"$(LIBDIR)/smolwrap"' \
    -DSW_LIBEXECDIR='"$(LIBEXECDIR)"'
$(B)/preload/session_mix_local.o: CFLAGS += -DSW_BINDIR='"$(PREFIX)/bin"'
$(B)/preload/launch.o $(B)/preload/session_mix_local.o: $(B)/.dirs
$(B)/.dirs: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBDIR) $(LIBEXECDIR) $(PREFIX)' | cmp -s - $@ || \
	    echo '$(LIBDIR) $(LIBEXECDIR) $(PREFIX)' >$@
FORCE:

# The parts of the shim that export nothing are tested alone.
SHIM_PURE := $(addprefix $(B)/preload/shim_,hosts.o dnsmsg.o execenv.o libc.o \
	resolve_names.o resolve_addrinfo.o resolve_host.o)
$(B)/tests/unit/shim_%: tests/unit/shim_%.c $(SHIM_PURE) $(B)/libstack.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(SHIM_PURE) $(B)/libstack.a \
	    $(LDHARD) -lcmocka -o $@
SOCKS_PURE := $(addprefix $(B)/preload/shim_,judge.o option_table.o table.o \
	unix.o)
$(B)/tests/unit/sockets_shim_test: tests/unit/sockets_shim_test.c \
    $(SOCKS_PURE) $(B)/libstack.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(SOCKS_PURE) $(B)/libstack.a \
	    $(LDHARD) -lcmocka -o $@
# iroh has an archive of its own, so that only what dials it loads GnuTLS.
$(B)/libiroh.a: $(IROH_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
$(B)/tests/unit/iroh_%: tests/unit/iroh_%.c $(B)/libiroh.a $(TRANS_OBJ) $(B)/libstack.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $^ $(LDHARD) -lcmocka $(IROH_LIBS) \
	    $(TRANS_LIBS) -o $@
$(B)/tests/lib/iroh_%: tests/lib/iroh_%.c $(B)/libiroh.a $(TRANS_OBJ) $(B)/libstack.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $^ $(LDHARD) $(IROH_LIBS) $(TRANS_LIBS) -o $@
$(B)/tests/fuzz/iroh_%_fuzz: tests/fuzz/iroh_%_fuzz.c $(B)/libiroh.a $(TRANS_OBJ) $(B)/libstack.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(FUZZ_MAIN) $(filter %.a %.o,$^) \
	    $(LDHARD) $(IROH_LIBS) $(TRANS_LIBS) -o $@
$(B)/tests/unit/%: tests/unit/%.c $(B)/libprogram.a $(B)/libmix.a $(B)/libstack.a $(TRANS_OBJ) $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libprogram.a $(TRANS_OBJ) $(B)/libmix.a \
	    $(B)/libstack.a $(LDHARD) -lcmocka $(TRANS_LIBS) $(MIX_LIBS) -lresolv -o $@
$(B)/tests/prop/%: tests/prop/%.c $(B)/libstack.a $(TRANS_OBJ) $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(TRANS_OBJ) $(B)/libstack.a \
	    $(LDHARD) -lcmocka $(TRANS_LIBS) -lresolv -o $@
# Replays files in an ordinary build; `make fuzz` swaps the driver.
FUZZ_MAIN ?= tests/fuzz/replay.c
$(B)/tests/fuzz/shim_%_fuzz: tests/fuzz/shim_%_fuzz.c $(SHIM_PURE) $(B)/libstack.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(FUZZ_MAIN) $(SHIM_PURE) \
	    $(B)/libstack.a $(LDHARD) -o $@
$(B)/tests/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(B)/libprogram.a $(B)/libmix.a $(B)/libstack.a $(TRANS_OBJ) $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $(LWIP_INC) $< $(FUZZ_MAIN) \
	    $(B)/libprogram.a $(TRANS_OBJ) $(B)/libmix.a $(B)/libstack.a \
	    $(LDHARD) $(TRANS_LIBS) $(MIX_LIBS) -o $@
$(B)/tests/lib/%: tests/lib/%.c $(B)/libstack.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libstack.a -o $@ $(SAN) -ldl -lpthread
$(B)/tests/bench/stack_%: tests/bench/stack_%.c $(B)/libstack.a
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libstack.a -o $@ $(SAN) -lpthread
$(B)/tests/leak/static: SAN += -static
$(B)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< -o $@ $(SAN) -ldl -lpthread

# smolserve: an SSH engine of its own, without libssh.
SERVE_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out transport/serve_main.c \
	      transport/serve_iroh.c,$(wildcard transport/serve_*.c)))
SERVE_LIBS  = -lsodium $(MBED_LIBS) -lpthread
# iroh for the program only: its libraries are large.
$(B)/transport/serve_%_crypto.o: BASIC += $(MBED_INC)
$(patsubst %.c,$(B)/%.o,$(wildcard transport/serve_*_crypto.c)): | \
    $(if $(MBED_A),$(MBEDTLS)/.complete)
$(B)/libserve.a: $(SERVE_OBJ) $(filter-out $(B)/transport/ssh_%,$(TRANS_OBJ)) \
    $(BASE_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(B)/smolserve: $(B)/transport/serve_main.o $(B)/transport/serve_iroh.o \
    $(B)/libiroh.a $(B)/libserve.a $(MBED_A)
	$(CC) -o $@ $^ $(LDHARD) $(IROH_LIBS) $(SERVE_LIBS)
$(B)/tests/unit/serve_%: tests/unit/serve_%.c $(B)/libserve.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libserve.a $(LDHARD) \
	    -lcmocka $(SERVE_LIBS) -o $@
$(B)/tests/fuzz/serve_%_fuzz: tests/fuzz/serve_%_fuzz.c $(B)/libserve.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(FUZZ_MAIN) $(B)/libserve.a \
	    $(LDHARD) $(SERVE_LIBS) -o $@

# mix/: the mixnet.  Its tests need neither lwIP nor libssh: `make mix-check`.
# libcurl only for those who ask a directory (netdir_fetch.c).
MIX_LIBS  = -lsodium $(MBED_LIBS) -ljansson -lwslay -lm -lpthread \
	    -Wl,--push-state,--as-needed -lcurl -Wl,--pop-state
MIX_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out mix/smolnode_%,$(wildcard mix/*.c)))
MIX_TEST := $(filter $(B)/tests/unit/mix_% $(B)/tests/prop/mix_%,$(UNIT_BIN))
MIX_FUZZ := $(filter $(B)/tests/fuzz/mix_%,$(FUZZ_BIN))
.PHONY: mix-check
$(B)/libmix.a: $(MIX_OBJ) $(BASE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
$(B)/tests/unit/mix_%: tests/unit/mix_%.c $(B)/libmix.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libmix.a $(LDHARD) \
	    -lcmocka $(MIX_LIBS) -o $@
$(B)/tests/prop/mix_%: tests/prop/mix_%.c $(B)/libmix.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libmix.a $(LDHARD) \
	    -lcmocka $(MIX_LIBS) -o $@
$(B)/tests/fuzz/mix_%_fuzz: tests/fuzz/mix_%_fuzz.c $(B)/libmix.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(FUZZ_MAIN) $(B)/libmix.a \
	    $(LDHARD) $(MIX_LIBS) -o $@
$(B)/tests/bench/mix_%: tests/bench/mix_%.c $(B)/libmix.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libmix.a $(LDHARD) \
	    $(MIX_LIBS) -o $@
# In virtual time, so that they say nothing about the machine.
$(B)/tests/bench/mix_goodput $(B)/tests/unit/stack_reorder_test: \
    LDHARD += -Wl,--wrap=clock_gettime
$(B)/tests/unit/stack_reorder_test: LDHARD += -lm
$(B)/tests/bench/mix_goodput: tests/bench/mix_goodput.c $(B)/libmix.a $(B)/libstack.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $< $(B)/libmix.a $(B)/libstack.a $(MBED_A) \
	    $(LDHARD) $(MIX_LIBS) -lpthread -o $@
NODE_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard mix/smolnode_*.c))
$(B)/smolnode: $(NODE_OBJ) $(B)/libmix.a $(B)/libstack.a $(MBED_A)
	$(CC) -o $@ $^ $(LDHARD) $(MIX_LIBS) -lpthread
$(B)/tests/lib/netdir_ask: tests/lib/netdir_ask.c $(B)/libmix.a $(MBED_A)
	@mkdir -p $(@D)
	$(CC) $(BASIC) $(WARN) $(CFLAGS) $^ -o $@ $(LDHARD) $(MIX_LIBS)
mix-check: $(MIX_TEST) $(MIX_FUZZ)
	B=$(B) CMOCKA_MESSAGE_OUTPUT=TAP prove --timer -j2 $(MIX_TEST)
	for f in $(MIX_FUZZ); do \
	    $$f tests/fuzz/corpus/$$(basename $$f _fuzz)/* || exit 1; done

check: all $(UNIT_BIN) $(TEST_BIN) $(FUZZ_BIN)
	B=$(B) tests/lib/prove.sh $(T)
test: deps
	$(MAKE) check

# Other projects' suites, bare and wrapped: too long for every day.  They need
# Debian's libpython3.11-testsuite and cmake besides.
LIBUV ?= build/src/libuv
.PHONY: suites
suites: all $(TEST_BIN) $(LIBUV)/build/uv_run_tests
	B=$(B) LIBUV=$(abspath $(LIBUV)) prove --timer -v tests/suites/*.sh
$(LIBUV)/build/uv_run_tests:
	SUITES=bookworm scripts/deps source libuv1 $(LIBUV)
	cmake -S $(LIBUV) -B $(LIBUV)/build -DBUILD_TESTING=ON >/dev/null
	$(MAKE) -s -C $(LIBUV)/build uv_run_tests
demo:
	scripts/deps install demo
	$(MAKE) all $(TEST_BIN)
	B=$(B) scripts/demo.sh
lint: $(LWIP)/.complete
	scripts/lint
bench: all $(BENCH_BIN) $(TEST_BIN)
	B=$(B) sh tests/bench/run.sh
asan:
	$(MAKE) B=build/asan SAN=-fsanitize=address,undefined check T='$$(UNIT_BIN)'
tsan:
	$(MAKE) B=build/tsan SAN=-fsanitize=thread check T='$$(UNIT_BIN)'
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

# The published Rust smolmix against smolnode; see tests/interop/README.
.PHONY: interop
interop: all $(B)/tests/lib/serve $(B)/tests/lib/capture
	sh tests/interop/patch.sh build/interop/nym-network-defaults
	CARGO_TARGET_DIR=$(CURDIR)/build/interop/target cargo build --release \
	    --locked --manifest-path tests/interop/smolmix/Cargo.toml
	B=$(B) prove --timer -v tests/interop/run.sh

# Ours against real iroh endpoints; tests/interop/iroh/README says how to get them.
.PHONY: interop-iroh
interop-iroh: $(B)/tests/lib/iroh_pipe
	B=$(B) IROH_PEER=$(IROH_PEER) IROH_RELAY=$(IROH_RELAY) NODE_PATH=$(NODE_PATH) \
	    prove -v tests/interop/iroh/run.sh

# 1 GiB each way, 1,000 connections at once, 10,000 in a row; smolserve with 500
# sessions of 20 channels.
soak: all $(TEST_BIN)
	B=$(B) prove --timer -v tests/bulk/bulk.sh tests/bulk/serve_load.sh

install: all
	install -Dm755 $(B)/smolwrap $(DESTDIR)$(PREFIX)/bin/smolwrap
	install -Dm755 $(B)/smolserve $(DESTDIR)$(PREFIX)/sbin/smolserve
	install -Dm755 $(B)/smolnode $(DESTDIR)$(PREFIX)/bin/smolnode
	install -Dm755 $(B)/smolwrap-session $(DESTDIR)$(LIBEXECDIR)/smolwrap-session
	install -Dm755 $(B)/smolwrap-session-iroh $(DESTDIR)$(LIBEXECDIR)/smolwrap-session-iroh
	install -Dm755 $(B)/libsmolwrap.so $(DESTDIR)$(LIBDIR)/smolwrap/libsmolwrap.so
	install -Dm644 man/smolwrap.1 $(DESTDIR)$(PREFIX)/share/man/man1/smolwrap.1
	install -Dm644 man/smolserve.8 $(DESTDIR)$(PREFIX)/share/man/man8/smolserve.8
	for f in smolserve.conf authorized_keys smolserve.service \
	    fail2ban-smolserve.conf; do install -Dm644 examples/$$f \
	    $(DESTDIR)$(PREFIX)/share/doc/smolserve/$$f || exit 1; done
	install -Dm644 man/smolnode.1 $(DESTDIR)$(PREFIX)/share/man/man1/smolnode.1
clean:
	rm -rf build/default build/asan build/tsan build/fuzz

-include $(shell find $(B) -name '*.d' 2>/dev/null)
