/*
 * shim_unix.c - local services that would use the network for the caller.
 *
 * Advisory (a service may listen anywhere): a wrapped program finds these
 * paths absent.  Symbolic links are followed by opening the path without
 * reading it and asking /proc what it is.
 */
#include "preload/shim_socket.h"

#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#define RUN_USER "/run/user/"

/* A trailing '*' stands for anything. */
static const char *const denied[] = {
	"/run/nscd/socket",
	"/run/systemd/resolve/*",
	"/run/systemd/io.systemd.Resolve*",
	"/run/avahi-daemon/socket",
	"/run/mdnsd",
	"/var/lib/sss/pipes/*",
	"/run/samba/winbindd/*",
	"/run/docker.sock",
	"/run/podman/podman.sock",
	"/run/containerd/containerd.sock",
	"/run/crio/crio.sock",
	"/run/libvirt/*",
	"/run/buildkit/*",
	"/run/incus/*",
	"/var/lib/incus/unix.socket*",
	"/var/lib/lxd/unix.socket*",
	"/var/snap/lxd/common/lxd/unix.socket*",
	"/run/snapd.socket",
	"/run/snapd-snap.socket",
	"/nix/var/nix/daemon-socket/*",
	"/var/guix/daemon-socket/*",
	"/run/tailscale/*",
};

/* The same in /run/user/ID: engines that an ordinary user runs. */
static const char *const denied_own[] = {
	"/docker.sock",
	"/podman/podman.sock",
	"/containerd/*",
	"/libvirt/*",
	"/buildkit/*",
};

static bool
matches(const char *path, const char *pattern)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return strncmp(path, pattern, n - 1) == 0;
	return strcmp(path, pattern) == 0;
}

static bool
is_denied(const char *path)
{
	if (strncmp(path, "/var/run/", 9) == 0)
		path += 4;
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (matches(path, denied[i]))
			return true;
	if (strncmp(path, RUN_USER, sizeof(RUN_USER) - 1) != 0)
		return false;
	path += sizeof(RUN_USER) - 1;
	path += strspn(path, "0123456789");
	for (size_t i = 0; i < sizeof(denied_own) / sizeof(denied_own[0]); i++)
		if (matches(path, denied_own[i]))
			return true;
	return false;
}

/* Where `path` leads, without its symbolic links; false when it leads
 * nowhere. */
static bool
resolve(const char *path, char *out, size_t cap)
{
	char link[32] = "/proc/self/fd/";
	char digits[12];
	size_t at = strlen(link), n = 0;
	long fd, len;

	fd = sys_call6(SYS_openat, AT_FDCWD, (long)path, O_PATH | O_CLOEXEC,
	    0, 0, 0);
	if (fd < 0)
		return false;
	for (long v = fd; n == 0 || v > 0; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	while (n > 0)
		link[at++] = digits[--n];
	link[at] = '\0';
	len = sys_call6(SYS_readlinkat, AT_FDCWD, (long)link, (long)out,
	    (long)cap - 1, 0, 0);
	sys_close((int)fd);
	if (len <= 0)
		return false;
	out[len] = '\0';
	return true;
}

/* The name in an address, as a string; false: none, or the kernel refuses it.
 * An abstract one begins with a NUL. */
static bool
get_path(const struct sockaddr *sa, socklen_t len,
    char path[static sizeof(struct sockaddr_un)])
{
	const size_t head = offsetof(struct sockaddr_un, sun_path);

	if (len <= head || len - head >= sizeof(struct sockaddr_un) ||
	    !shim_config()->wrapped)
		return false;
	memcpy(path, (const char *)sa + head, len - head);
	path[len - head] = '\0';
	return true;
}

int
shim_judge_unix(const struct sockaddr *sa, socklen_t len)
{
	char path[sizeof(struct sockaddr_un)], real[256];

	if (!get_path(sa, len, path))
		return 0;
	if (path[0] == '\0') {		/* abstract: the same names */
		if (!is_denied(path + 1))
			return 0;
		shim_note(REASON_PATH);
		return -ECONNREFUSED;
	}
	if (is_denied(path) ||
	    (resolve(path, real, sizeof(real)) && is_denied(real))) {
		shim_note(REASON_PATH);
		return -ENOENT;
	}
	return 0;
}

int
shim_connected_unix(int fd, const struct sockaddr *sa, socklen_t len)
{
	char path[sizeof(struct sockaddr_un)];

	return get_path(sa, len, path) && path[0] != '\0' ?
	    shim_judge_peer(fd, path) : 0;
}

void
shim_bound_unix(const struct sockaddr *sa, socklen_t len)
{
	char path[sizeof(struct sockaddr_un)];

	if (get_path(sa, len, path) && path[0] != '\0')
		shim_mark_unix(path);
}
