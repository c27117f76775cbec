/*
 * sshd.h - a real OpenSSH server on loopback for one test program: free ports,
 * throw-away keys, everything in a temporary folder and gone at the end.  And a
 * far server (far_server.h) for it to forward to.
 */
#ifndef SW_TESTS_SSHD_H
#define SW_TESTS_SSHD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sshd_rig {
	char dir[64];
	char user[64];
	char key[128], known[128];	/* the user's key; known_hosts */
	uint16_t port, far_port;
	pid_t sshd, far;
};

/* All of it, up.  `extra`: more lines of sshd_config; NULL: none.  Aborts when
 * that cannot be. */
void sshd_rig_open(struct sshd_rig *r, const char *extra);
void sshd_rig_close(struct sshd_rig *r);

/* Kill the listener and every session of it; start it again at its port. */
void sshd_stop(struct sshd_rig *r);
void sshd_start(struct sshd_rig *r, const char *extra);

/* Run a line of shell; it has to succeed. */
void sshd_sh(const char *command);

/* Another host key, from the next sshd_start() on; `trust`: known_hosts has it. */
void sshd_new_host_key(struct sshd_rig *r, bool trust);

#endif
