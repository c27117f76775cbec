/*
 * Where the network is learnt from: a file, the directory service, or a child
 * that is the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/session_mix.h"

#define FILE_MAX (64u << 20)

/* The whole file; NULL: said why. */
static char *
read_file(const char *path, size_t *len, char why[static 256])
{
	FILE *f = fopen(path, "re");
	char *text = NULL, *more;
	size_t cap = 0, n = 0;

	while (f != NULL && n == cap && cap < FILE_MAX) {
		cap = cap == 0 ? 65536 : 2 * cap;
		if ((more = realloc(text, cap)) == NULL)
			break;
		text = more;
		n += fread(text + n, 1, cap - n, f);
	}
	if (f == NULL || ferror(f)) {
		snprintf(why, 256, "could not read the network file "
		    "\"%.150s\": %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (f != NULL)
		fclose(f);
	*len = n;
	return text;
}

static int
read_network(struct session_mix *t, char why[static 256])
{
	const char *path = t->url->host;
	struct topology *net = NULL;
	size_t len;
	char *text = read_file(path, &len, why);
	int r;

	if (text == NULL)
		return SW_ERR_SYS;
	r = topology_parse(&net, text, len);
	free(text);
	if (r != SW_OK) {
		snprintf(why, 256, "the network file \"%.150s\" is not a "
		    "topology in Nym's form: %s", path, sw_strerror(r));
		return r;
	}
	mix_connect(t, net);
	return SW_OK;
}

int
mix_net_start(struct session_mix *t, char why[static 256])
{
	if (t->url->kind == TUNNEL_MIX_LOCAL)
		return mix_local_start(t, why);
	if (t->url->kind == TUNNEL_MIX_FILE)
		return read_network(t, why);
	if (!mix_may_start(t))
		return SW_OK;		/* it is asked when it can be */
	if (mix_dir_start != NULL)
		return mix_dir_start(t, why);
	snprintf(why, 256, "this session cannot ask a directory service");
	return SW_ERR_UNSUPPORTED;
}

void
mix_net_stop(struct session_mix *t)
{
	mix_local_stop(t);
	if (mix_dir_stop != NULL)
		mix_dir_stop(t);
}

void
mix_net_ask(struct session_mix *t)
{
	if (mix_dir_ask != NULL)
		mix_dir_ask(t);
}
