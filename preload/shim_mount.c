/*
 * shim_mount.c - network file systems, which the kernel itself reaches: by the
 * sockets of this machine's network, which no filter refuses it.  In a network
 * namespace of the program's own it uses that, so there they may be mounted.
 */
#include "preload/shim_socket.h"

#include <string.h>
#include <sys/mount.h>

#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif

static const char *const network[] = {
	"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "coda", "lustre",
	"beegfs", "orangefs", "pvfs2", "ocfs2", "gfs2",
};

/* Flags of a mount that makes no new file system. */
#define OLD (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | \
	MS_SLAVE | MS_UNBINDABLE)

static bool
is_refused(const char *type)
{
	if (type == NULL || !shim_config()->wrapped || shim_config()->isolated)
		return false;
	for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++)
		if (strcmp(type, network[i]) == 0) {
			shim_note(REASON_MOUNT);
			return true;
		}
	return false;
}

SW_EXPORT int
mount(const char *source, const char *target, const char *type,
    unsigned long flags, const void *data)
{
	if (!(flags & OLD) && is_refused(type))
		return (int)shim_ret(-EPERM);
	return (int)shim_ret(sys_call6(SYS_mount, (long)source, (long)target,
	    (long)type, (long)flags, (long)data, 0));
}

/* libc has it since 2.36. */
SW_EXPORT int fsopen(const char *type, unsigned flags);

SW_EXPORT int
fsopen(const char *type, unsigned flags)
{
	if (is_refused(type))
		return (int)shim_ret(-EPERM);
	return (int)shim_ret(sys_call3(SYS_fsopen, (long)type, (long)flags, 0));
}
