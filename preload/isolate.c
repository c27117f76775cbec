/*
 * Theory of operation.  The order matters: the user namespace gives the right
 * to the others; the device and the sockets that configure it must be made
 * inside, and are then the session's; the mounts come last, because they hide
 * what led here.
 *
 * The session, outside, may configure what it was handed: it runs as the user
 * who owns the namespace.
 */
#include "preload/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/ask.h"
#include "preload/guard.h"
#include "preload/netdev.h"
#include "stack/link.h"

#define DEVICE "smol0"

/* What those listen in who look up, run or fetch for others (see shim_unix.c). */
static const char *const hidden[] = {
	"/run/systemd/resolve", "/run/nscd", "/run/avahi-daemon",
	"/var/lib/sss/pipes", "/run/samba/winbindd",
	"/run/podman", "/run/containerd", "/run/crio", "/run/libvirt",
	"/run/buildkit", "/run/incus", "/run/tailscale",
	"/nix/var/nix/daemon-socket", "/var/guix/daemon-socket",
};
static const char *const hidden_own[] = {
	"podman", "containerd", "libvirt", "buildkit",
};

/* And those in folders that hold more. */
static const char *const covered[] = {
	"/run/docker.sock", "/run/mdnsd", "/run/systemd/io.systemd.Resolve",
	"/run/systemd/io.systemd.Resolve.Monitor",
	"/run/snapd.socket", "/run/snapd-snap.socket",
	"/var/lib/incus/unix.socket", "/var/lib/lxd/unix.socket",
	"/var/snap/lxd/common/lxd/unix.socket",
};

static int
fail(char why[static ISOLATE_WHY_MAX], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(char why[static ISOLATE_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, ISOLATE_WHY_MAX, fmt, ap);
	va_end(ap);
	return SW_ERR_SYS;
}

static bool
write_text(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
	size_t len = strlen(text);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, len) == (ssize_t)len;
	return close(fd) == 0 && ok;
}

/* --- the namespaces -------------------------------------------------------- */

static int
enter_user(char why[static ISOLATE_WHY_MAX])
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
		return fail(why, "this kernel gives no user namespaces to "
		    "ordinary users (%s); see user.max_user_namespaces and "
		    "kernel.unprivileged_userns_clone", strerror(errno));
	(void)write_text("/proc/self/setgroups", 0, "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (!write_text("/proc/self/uid_map", 0, map))
		return fail(why, "could not keep the user's id: %s",
		    strerror(errno));
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	if (!write_text("/proc/self/gid_map", 0, map))
		return fail(why, "could not keep the group's id: %s",
		    strerror(errno));
	return SW_OK;
}

static int
enter(char why[static ISOLATE_WHY_MAX])
{
	int r = SW_OK;

	/* Root keeps the users it can see, and needs no other namespace. */
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
		r = enter_user(why);
	if (r == SW_OK &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return fail(why, "could not make mounts private: %s",
		    strerror(errno));
	return r;
}

/* --- the device ------------------------------------------------------------ */

struct device_fds {
	int tun, route, diag, index;
};

static void
close_device(const struct device_fds *d)
{
	if (d->tun >= 0)
		close(d->tun);
	if (d->route >= 0)
		close(d->route);
	if (d->diag >= 0)
		close(d->diag);
}

static int
make_device(struct device_fds *d, char why[static ISOLATE_WHY_MAX])
{
	struct ifreq r = { .ifr_name = DEVICE };

	d->tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (d->tun < 0)
		return fail(why, "could not open /dev/net/tun: %s%s",
		    strerror(errno), errno == EACCES ? "; \"chmod 666\" on it, "
		    "by root, is usual" : errno == ENOENT || errno == ENODEV ?
		    "; \"modprobe tun\", by root, makes it" : "");
	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(d->tun, TUNSETIFF, &r) != 0)
		/* The namespace was made, but its rights were taken away. */
		return fail(why, errno == EPERM ? "the system took the right to "
		    "make a network device (%s); AppArmor wants a profile for "
		    "smolwrap with \"userns,\"" :
		    "could not make a TUN device: %s", strerror(errno));
	d->route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	d->diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (d->route < 0 || d->diag < 0 ||
	    ioctl(d->route, SIOCGIFINDEX, &r) != 0 ||
	    netdev_up(d->route, NETDEV_LOOPBACK, 0, 0) != SW_OK)
		return fail(why, "could not configure the TUN device: %s",
		    strerror(errno));
	d->index = r.ifr_ifindex;
	return SW_OK;
}

/* An exit that many share knows programs by their local ports. */
static void
keep_to_ports(const struct link_config *c)
{
	char range[32];

	if (c->port_lo == 0 || c->port_hi < c->port_lo)
		return;
	snprintf(range, sizeof(range), "%u %u", c->port_lo, c->port_hi);
	(void)write_text("/proc/sys/net/ipv4/ip_local_port_range", 0, range);
}

/* --- names ----------------------------------------------------------------- */

/* Is it in a folder that is hidden, and so empty and ours? */
static bool
is_hidden(const char *path)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		const char *at = path, *folder = hidden[i];

		while (*folder != '\0' && *at == *folder)
			at++, folder++;
		if (*folder == '\0' && *at == '/')
			return true;
	}
	return false;
}

/* In this namespace `path` reads `text`.  real: where it leads.  The file
 * itself is the machine's: it is covered, never written or made. */
static bool
put_over(const char *path, const char *real, const char *text)
{
	char copy[] = "/tmp/.smolwrap.XXXXXX";
	int fd, why;
	bool ok;

	if (is_hidden(real))
		return write_text(real, O_CREAT, text);
	fd = mkostemp(copy, O_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	ok = chmod(copy, 0644) == 0 && write_text(copy, 0, text) &&
	    mount(copy, path, NULL, MS_BIND, NULL) == 0;
	why = errno;
	(void)unlink(copy);
	errno = why;
	return ok;
}

/* This machine's order of look-ups, but hosts by files and DNS alone. */
static bool
put_order(const char *path)
{
	char in[8192], out[sizeof(in) + 32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT;	/* then it is so anyway */
	n = read(fd, in, sizeof(in) - 1);
	close(fd);
	if (n < 0)
		return false;
	in[n] = '\0';
	for (char *line = in, *end; *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		end += *end == '\n';
		if (strncmp(line, "hosts:", 6) == 0)
			continue;
		memcpy(out + at, line, (size_t)(end - line));
		at += (size_t)(end - line);
	}
	snprintf(out + at, sizeof(out) - at, "\nhosts: files dns\n");
	return put_over(path, path, out);
}

/* What is not there, or closed to us, is closed to the program too. */
static bool
is_closed(int error)
{
	return error == ENOENT || error == EACCES || error == ENOTDIR;
}

static bool
hide_folder(const char *path, char why[static ISOLATE_WHY_MAX])
{
	if (mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV,
	    "mode=755,size=64k") == 0 || is_closed(errno))
		return true;
	(void)fail(why, "could not hide %s: %s", path, strerror(errno));
	return false;
}

/* Nobody listens at a file that is no socket. */
static bool
cover(const char *path, char why[static ISOLATE_WHY_MAX])
{
	if (mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 ||
	    is_closed(errno))
		return true;
	(void)fail(why, "could not cover %s: %s", path, strerror(errno));
	return false;
}

static bool
hide_services(char why[static ISOLATE_WHY_MAX])
{
	char path[64];

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (!hide_folder(hidden[i], why))
			return false;
	for (size_t i = 0; i < sizeof(hidden_own) / sizeof(hidden_own[0]); i++) {
		snprintf(path, sizeof(path), "/run/user/%u/%s", geteuid(),
		    hidden_own[i]);
		if (!hide_folder(path, why))
			return false;
	}
	for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++)
		if (!cover(covered[i], why))
			return false;
	snprintf(path, sizeof(path), "/run/user/%u/docker.sock", geteuid());
	return cover(path, why);
}

static int
lead_names(const struct link_config *c, char why[static ISOLATE_WHY_MAX])
{
	static const char conf[] = "/etc/resolv.conf",
	    order[] = "/etc/nsswitch.conf";
	char real[PATH_MAX], dns[SW_ADDR_TEXT_LEN], text[SW_ADDR_TEXT_LEN + 64];

	if (realpath(conf, real) == NULL)
		memcpy(real, conf, sizeof(conf));
	if (!hide_services(why))
		return SW_ERR_SYS;
	snprintf(text, sizeof(text), "nameserver %s\noptions timeout:10 "
	    "attempts:2\n", addr_ip_text(&c->dns, dns));
	if (!put_over(conf, real, text))
		return fail(why, "could not replace %s: %s", conf,
		    strerror(errno));
	if (!put_order(order))
		return fail(why, "could not replace %s: %s", order,
		    strerror(errno));
	return SW_OK;
}

bool
isolate_is_here(void)
{
	return netdev_is_only(DEVICE);
}

int
isolate(int ctl, char why[static ISOLATE_WHY_MAX])
{
	struct device_fds d = { -1, -1, -1, 0 };
	struct link_config config;
	int alive[2], r;
	size_t len;

	if ((r = enter(why)) != SW_OK || (r = make_device(&d, why)) != SW_OK) {
		close_device(&d);
		return r;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, alive) != 0) {
		close_device(&d);
		return fail(why, "could not make a socket: %s", strerror(errno));
	}
	r = ask_session(ctl, &(struct ask){ .op = SESSION_DEVICE,
	    .arg = (uint32_t)d.index, .fds = { d.tun, d.route, d.diag,
	    alive[1] }, .fd_n = 4 }, &config, sizeof(config), &len);
	close(alive[1]);
	if (r != SW_OK || len != sizeof(config))
		(void)fail(why, "the session could not serve the device: %s",
		    r == SW_OK ? "its answer was cut" : sw_strerror(r));
	else if ((r = guard_start(alive[0], d.diag)) != SW_OK)
		(void)fail(why, "could not start a process: %s",
		    strerror(errno));
	close(alive[0]);
	close_device(&d);
	if (r != SW_OK || len != sizeof(config))
		return SW_ERR_SYS;
	keep_to_ports(&config);
	return lead_names(&config, why);
}

int
isolate_try(char why[static ISOLATE_WHY_MAX])
{
	ssize_t n;
	pid_t pid;
	int p[2];

	why[0] = '\0';
	if (pipe2(p, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		return fail(why, "could not start a process: %s",
		    strerror(errno));
	if (pid == 0) {
		struct device_fds d = { -1, -1, -1, 0 };

		/* A reason, or none; and its NUL. */
		if (enter(why) == SW_OK)
			(void)!make_device(&d, why);
		(void)!write(p[1], why, strlen(why) + 1);
		_exit(0);
	}
	close(p[1]);
	n = read(p[0], why, ISOLATE_WHY_MAX - 1);
	why[n > 0 ? n : 0] = '\0';
	close(p[0]);
	(void)waitpid(pid, NULL, 0);
	if (n <= 0)
		return fail(why, "the trial ended strangely");
	return why[0] == '\0' ? SW_OK : SW_ERR_SYS;
}
