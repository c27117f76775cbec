/*
 * What the sockets half of the shim decides without a kernel or a session:
 * where an address may lead, which paths are hidden, the table of options and
 * the image's memory of its sockets.
 */
#include "tests/rig/unit.h"

#include <string.h>


#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "preload/shim_image.h"
#include "preload/shim_option_table.h"
#include "preload/shim_socket.h"

/* ---- fakes ---------------------------------------------------------------- */

static struct shim_config config;
static struct link_config net;
static struct image image;
static int net_error;

const struct shim_config *
shim_config(void)
{
	return &config;
}

static uint32_t noted;

void
shim_note(enum session_reason reason)
{
	noted |= 1u << reason;
}

int
shim_owner_config(struct link_config *out)
{
	*out = net;
	return net_error;
}

/* Those of the leak matrix and tests/net are real. */
int
shim_judge_peer(int fd, const char *path)
{
	(void)fd;
	(void)path;
	return 0;
}

void
shim_mark_unix(const char *path)
{
	(void)path;
}

struct image *
image_get(void)
{
	return image.pid != 0 ? &image : NULL;
}

void
shim_lock(struct shim_guard *g, uint32_t *word)
{
	(void)g;
	assert_int_equal(*word, 0);
	*word = 1;
}

void
shim_unlock(const struct shim_guard *g, uint32_t *word)
{
	(void)g;
	assert_int_equal(*word, 1);
	*word = 0;
}

static int
fresh(void **state)
{
	(void)state;
	config = (struct shim_config){ .wrapped = true, .udp = true,
		.ipv6 = true, .loopback = true };
	net = (struct link_config){ .dns = addr_v4(0x0a000001, 53) };
	net_error = 0;
	image = (struct image){ .pid = 1 };
	return 0;
}

/* ---- where an address may lead ------------------------------------------------ */

static const struct shim_tag tcp4 = { 0, 1 }, udp4 = { SHIM_DGRAM, 1 },
    tcp6 = { SHIM_V6, 1 };

static struct sw_addr
at(const char *ip, uint16_t port)
{
	struct sw_addr a;

	assert_int_equal(addr_parse_ip(&a, ip), SW_OK);
	a.port = port;
	return a;
}

static int
judge(struct shim_tag t, const char *ip, uint16_t port)
{
	struct sw_addr a = at(ip, port);
	bool alias;

	return shim_judge(t, &a, &alias);
}

static void
ordinary_addresses_go_to_the_tunnel(void **state)
{
	(void)state;
	assert_int_equal(judge(tcp4, "203.0.113.1", 80), WHERE_TUNNEL);
	assert_int_equal(judge(tcp6, "2001:db8::1", 80), WHERE_TUNNEL);
	/* Private ones mean nothing here; they may at the exit. */
	assert_int_equal(judge(tcp4, "10.1.2.3", 80), WHERE_TUNNEL);
	assert_int_equal(judge(tcp4, "169.254.169.254", 80), WHERE_TUNNEL);
}

static void
loopback_and_any_stay_on_this_machine(void **state)
{
	(void)state;
	assert_int_equal(judge(tcp4, "127.0.0.1", 80), WHERE_LOOPBACK);
	assert_int_equal(judge(tcp4, "127.255.0.9", 80), WHERE_LOOPBACK);
	assert_int_equal(judge(tcp4, "0.0.0.0", 80), WHERE_LOOPBACK);
	assert_int_equal(judge(tcp6, "::", 80), WHERE_LOOPBACK);
	assert_int_equal(judge(tcp6, "::1", 80), WHERE_LOOPBACK);
	config.loopback = false;
	assert_int_equal(judge(tcp4, "127.0.0.1", 80), -EACCES);
}

static void
any_becomes_the_loopback_of_its_family(void **state)
{
	struct sw_addr a = at("0.0.0.0", 80), b = at("::", 80);
	bool alias;

	(void)state;
	shim_judge(tcp4, &a, &alias);
	shim_judge(tcp6, &b, &alias);
	assert_true(addr_same_ip(&a, &(struct sw_addr){ .ip = { [10] = 0xff,
	    0xff, 127, 0, 0, 1 } }));
	assert_true(addr_same_ip(&b, &(struct sw_addr){ .ip = { [15] = 1 } }));
}

static void
local_resolvers_are_the_sessions(void **state)
{
	static const char *const resolvers[] = { "127.0.0.53", "10.0.0.1",
		"192.168.1.1", "127.0.0.1" };
	bool alias;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sw_addr a = at(resolvers[i], 53);

		assert_int_equal(shim_judge(udp4, &a, &alias), WHERE_TUNNEL);
		assert_true(alias);
		assert_true(addr_same_ip(&a, &net.dns));
	}
	assert_int_equal(judge(udp4, "8.8.8.8", 53), WHERE_TUNNEL);
	net_error = -ENETUNREACH;
	assert_int_equal(judge(udp4, "127.0.0.53", 53), -ENETUNREACH);
}

static void
what_no_tunnel_carries_is_refused(void **state)
{
	(void)state;
	assert_int_equal(judge(tcp4, "224.0.0.1", 80), -ENETUNREACH);
	assert_int_equal(judge(udp4, "224.0.0.251", 5353), -ENETUNREACH);
	assert_int_equal(judge(tcp4, "255.255.255.255", 80), -ENETUNREACH);
	assert_int_equal(judge(udp4, "255.255.255.255", 80), -EACCES);
	assert_int_equal(judge(tcp6, "fe80::1", 80), -EINVAL);
	assert_int_equal(judge((struct shim_tag){ SHIM_V6 | SHIM_V6ONLY, 1 },
	    "203.0.113.1", 80), -ENETUNREACH);
	config.ipv6 = false;
	assert_int_equal(judge(tcp6, "2001:db8::1", 80), -ENETUNREACH);
	config.udp = false;
	assert_int_equal(judge(udp4, "203.0.113.1", 443), -ENETUNREACH);
	assert_int_equal(judge(udp4, "203.0.113.1", 53), WHERE_TUNNEL);
	config.wrapped = false;
	assert_int_equal(judge(tcp4, "203.0.113.1", 80), -ENETUNREACH);
}

static void
kernel_sockets_reach_loopback_only(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001) };
	const struct sockaddr *sa = (struct sockaddr *)&in;

	(void)state;
	assert_int_equal(shim_judge_native(sa, sizeof(in)), 0);
	in.sin_port = htons(53);
	assert_int_equal(shim_judge_native(sa, sizeof(in)), -EACCES);
	in.sin_port = htons(80);
	in.sin_addr.s_addr = htonl(0xcb007101);
	assert_int_equal(shim_judge_native(sa, sizeof(in)), -ENETUNREACH);
	assert_int_equal(shim_judge_native(NULL, 0), 0);
}

static void
short_and_foreign_addresses_fail_as_in_the_kernel(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sw_addr a;

	(void)state;
	assert_int_equal(shim_parse_address(tcp4, (struct sockaddr *)&in, 8,
	    false, &a), -EINVAL);
	assert_int_equal(shim_parse_address(tcp6, (struct sockaddr *)&in, 16,
	    false, &a), -EINVAL);
	assert_int_equal(shim_parse_address(tcp4, (struct sockaddr *)&in6, 28,
	    false, &a), -EAFNOSUPPORT);
	/* Without a scope id, 24 bytes will do. */
	assert_int_equal(shim_parse_address(tcp6, (struct sockaddr *)&in6, 24,
	    false, &a), 0);
	assert_int_equal(shim_parse_address(tcp4, NULL, 16, false, &a),
	    -EFAULT);
}

/* ---- paths ------------------------------------------------------------------------ */

static int
judge_path(const char *path, size_t n)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, path, n);
	return shim_judge_unix((struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

static void
services_that_use_the_network_for_others_are_hidden(void **state)
{
	(void)state;
	assert_int_equal(judge_path("/run/nscd/socket", 17), -ENOENT);
	assert_int_equal(judge_path("/var/run/nscd/socket", 21), -ENOENT);
	assert_int_equal(judge_path("/run/systemd/resolve/x", 23), -ENOENT);
	/* Not ended by a NUL, as the kernel allows. */
	assert_int_equal(judge_path("/run/nscd/socket", 16), -ENOENT);
	assert_int_equal(judge_path("\0/run/nscd/socket", 17), -ECONNREFUSED);
	assert_int_equal(judge_path("/tmp/mine", 10), 0);
	config.wrapped = false;
	assert_int_equal(judge_path("/run/nscd/socket", 17), 0);
}

/* ---- options ---------------------------------------------------------------------- */

static void
every_option_has_a_number_that_leads_back(void **state)
{
	const struct option_rule *r;
	uint16_t n = 1;

	(void)state;
	assert_null(shim_option_at(0));
	for (; (r = shim_option_at(n)) != NULL; n++) {
		assert_int_equal(shim_option_number(r), n);
		/* Nothing is hidden behind an earlier line. */
		assert_true(shim_option_find(r->level, r->name, false) == r ||
		    shim_option_find(r->level, r->name, true) == r);
	}
	assert_true(n > 100);
}

static void
options_that_would_undo_the_walls_are_refused(void **state)
{
	static const struct {
		int level, name;
	} never[] = {
		{ SOL_SOCKET, SO_MARK }, { SOL_SOCKET, SO_PASSCRED },
		{ SOL_SOCKET, SO_ATTACH_FILTER }, { SOL_SOCKET, SO_ZEROCOPY },
		{ IPPROTO_IP, IP_TRANSPARENT }, { IPPROTO_IP, IP_OPTIONS },
		{ IPPROTO_TCP, TCP_REPAIR }, { IPPROTO_TCP, TCP_ULP },
		{ IPPROTO_IPV6, IPV6_RTHDR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_true(shim_option_find(never[i].level, never[i].name,
		    false)->set > 0);
}

static void
options_belong_to_their_protocol(void **state)
{
	(void)state;
	assert_non_null(shim_option_find(IPPROTO_TCP, TCP_NODELAY, false));
	assert_null(shim_option_find(IPPROTO_TCP, TCP_NODELAY, true));
	assert_null(shim_option_find(IPPROTO_TCP, 1000, false));
}

/* ---- the image's memory --------------------------------------------------------------- */

static void
a_socket_is_remembered_under_its_new_cookie(void **state)
{
	struct table_entry e;
	int32_t v;

	(void)state;
	table_begin(77);
	assert_true(table_put_option(77, 3, 42));
	assert_true(table_put_option(77, 3, 43));
	table_move(77, 1000077);
	assert_false(table_has(77));
	assert_true(table_get_option(1000077, 3, &v));
	assert_int_equal(v, 43);
	assert_true(table_copy(1000077, &e));
	assert_false(table_get_option(1000077, 4, &v));
}

static void
a_full_entry_says_so(void **state)
{
	(void)state;
	table_begin(78);
	for (uint16_t i = 1; i <= TABLE_OPTIONS; i++)
		assert_true(table_put_option(78, i, i));
	assert_false(table_put_option(78, 999, 1));
	assert_true(table_put_option(78, 1, 2));
}

static void
registrations_follow_add_modify_and_delete(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = 5 };
	struct table_entry e;

	(void)state;
	table_begin(79);
	table_put_epoll(79, EPOLL_CTL_ADD, 3, 5, &ev);
	ev.events = EPOLLOUT;
	table_put_epoll(79, EPOLL_CTL_MOD, 3, 5, &ev);
	assert_true(table_copy(79, &e));
	assert_int_equal(e.epolls[0].epfd, 3);
	assert_int_equal(e.epolls[0].ev.events, EPOLLOUT);
	assert_int_equal(e.epolls[1].epfd, -1);
	table_put_epoll(79, EPOLL_CTL_DEL, 3, 5, NULL);
	assert_true(table_copy(79, &e));
	assert_int_equal(e.epolls[0].epfd, -1);
}

static void
a_vfork_child_writes_nothing(void **state)
{
	(void)state;
	table_begin(80);
	image.pid = 0;
	assert_false(table_put_option(80, 1, 1));
	table_begin(81);
	image.pid = 1;
	assert_false(table_has(81));
}

static void
the_oldest_makes_room(void **state)
{
	(void)state;
	/* More sockets on one slot than a probe looks at. */
	for (uint64_t c = 1; c <= 9; c++)
		table_begin(90 + c * 1024);
	assert_false(table_has(90 + 1024));
	assert_true(table_has(90 + 9 * 1024));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ordinary_addresses_go_to_the_tunnel,
		    fresh),
		cmocka_unit_test_setup(loopback_and_any_stay_on_this_machine,
		    fresh),
		cmocka_unit_test_setup(any_becomes_the_loopback_of_its_family,
		    fresh),
		cmocka_unit_test_setup(local_resolvers_are_the_sessions,
		    fresh),
		cmocka_unit_test_setup(what_no_tunnel_carries_is_refused,
		    fresh),
		cmocka_unit_test_setup(kernel_sockets_reach_loopback_only,
		    fresh),
		cmocka_unit_test_setup(
		    short_and_foreign_addresses_fail_as_in_the_kernel, fresh),
		cmocka_unit_test_setup(
		    services_that_use_the_network_for_others_are_hidden,
		    fresh),
		cmocka_unit_test_setup(
		    every_option_has_a_number_that_leads_back, fresh),
		cmocka_unit_test_setup(
		    options_that_would_undo_the_walls_are_refused, fresh),
		cmocka_unit_test_setup(options_belong_to_their_protocol,
		    fresh),
		cmocka_unit_test_setup(
		    a_socket_is_remembered_under_its_new_cookie, fresh),
		cmocka_unit_test_setup(a_full_entry_says_so, fresh),
		cmocka_unit_test_setup(
		    registrations_follow_add_modify_and_delete, fresh),
		cmocka_unit_test_setup(a_vfork_child_writes_nothing, fresh),
		cmocka_unit_test_setup(the_oldest_makes_room, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
