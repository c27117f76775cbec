/*
 * The ssh tunnel as an exit by name.
 */
#include "transport/names_service.h"
#include "transport/ssh_tunnel.h"

static int
ssh_lookup(void *arg, const char *name,
    void (*done)(void *, const struct lookup *), void *done_arg)
{
	return ssh_tunnel_lookup(arg, name, done, done_arg);
}

static void
ssh_forget(void *arg, const void *done_arg)
{
	ssh_tunnel_forget(arg, done_arg);
}

static const char *
ssh_nameserver(void *arg)
{
	return ssh_tunnel_nameserver(arg);
}

const struct names_exit names_exit_ssh = {
	.lookup = ssh_lookup,
	.forget = ssh_forget,
	.nameserver = ssh_nameserver,
};
