/*
 * A gateway's accounts in a file, so that clients need not register anew when
 * it was started again: "smolnode clients 1", and for each client a line of
 * its identity, its shared key, its bandwidth, that one's day and the time of
 * its last proof.  Mode 0600; written anew as a whole, a moment after something
 * has changed.  Inboxes are in memory only.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/node_private.h"

#define HEAD "smolnode clients 1\n"
#define LINE_MAX_LEN 256
#define SAVE_MS 2000			/* after a change; others join it */

static void
put_hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
}

/* 2 * n digits, small letters, and a blank; *at moves behind it. */
static bool
get_hex(uint8_t *out, const char **at, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	if (strspn(*at, digits) != 2 * n || (*at)[2 * n] != ' ')
		return false;
	for (size_t i = 0; i < n; i++, *at += 2)
		out[i] = (uint8_t)((strchr(digits, (*at)[0]) - digits) << 4 |
		    (strchr(digits, (*at)[1]) - digits));
	(*at)++;
	return true;
}

/* A number, and what follows it. */
static bool
get_number(uint64_t *out, const char **at, char end)
{
	char *rest;

	errno = 0;
	*out = strtoull(*at, &rest, 10);
	if (**at < '0' || **at > '9' || errno != 0 || *rest != end)
		return false;
	*at = rest + 1;
	return true;
}

int
node_write_accounts(const struct node *n, FILE *f)
{
	char line[LINE_MAX_LEN], id[65], key[65] = "";

	fputs(HEAD, f);
	for (const struct account *a = n->accounts; a != NULL;
	    a = a->hh.next) {
		put_hex(id, a->a.identity, sizeof(a->a.identity));
		put_hex(key, a->a.key, sizeof(a->a.key));
		snprintf(line, sizeof(line), "%s %s %" PRId64 " %" PRId64 " %"
		    PRIu64 "\n", id, key, a->a.available, a->a.day,
		    a->a.last_auth);
		fputs(line, f);
	}
	sw_wipe(key, sizeof(key));
	sw_wipe(line, sizeof(line));
	return fflush(f) == 0 && !ferror(f) ? SW_OK : SW_ERR_SYS;
}

/* Into a new file for our eyes only. */
static int
write_file(const struct node *n, const char *path)
{
	char buf[BUFSIZ];
	int fd, r;
	FILE *f;

	unlink(path);			/* of a crash, perhaps */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return SW_ERR_SYS;
	if ((f = fdopen(fd, "w")) == NULL) {
		close(fd);
		return SW_ERR_SYS;
	}
	(void)setvbuf(f, buf, _IOFBF, sizeof(buf));	/* to be wiped */
	r = node_write_accounts(n, f);
	if (fclose(f) != 0)
		r = SW_ERR_SYS;
	sw_wipe(buf, sizeof(buf));
	return r;
}

void
node_save_accounts(struct node *n)
{
	char tmp[4096];
	int r = SW_ERR_SYS;

	loop_set_timer(n->loop, &n->save, SW_NEVER);
	if (!n->unsaved)
		return;
	n->unsaved = false;
	if (snprintf(tmp, sizeof(tmp), "%s.new", n->cfg.accounts) <
	    (int)sizeof(tmp))
		r = write_file(n, tmp);
	if (r == SW_OK && rename(tmp, n->cfg.accounts) != 0)
		r = SW_ERR_SYS;
	if (r != SW_OK)
		log_warn("node: could not write the clients' file; they will "
		    "have to register anew after a restart");
}

static void
save_now(struct loop_timer *t)
{
	node_save_accounts(CONTAINER_OF(t, struct node, save));
}

void
node_accounts_changed(struct node *n)
{
	if (n->cfg.accounts == NULL || n->unsaved)
		return;
	n->unsaved = true;
	n->save.fire = save_now;
	loop_set_timer(n->loop, &n->save, n->loop->now_ms + SAVE_MS);
}

static int
take_line(struct node *n, const char *at)
{
	struct gwserver_account a = { .available = 0 };
	struct account *made;
	uint64_t available, day;
	int r = SW_ERR_FORMAT;

	if (get_hex(a.identity, &at, sizeof(a.identity)) &&
	    get_hex(a.key, &at, sizeof(a.key)) &&
	    get_number(&available, &at, ' ') && available <= INT64_MAX &&
	    get_number(&day, &at, ' ') && day <= INT64_MAX &&
	    get_number(&a.last_auth, &at, '\n') && *at == '\0') {
		a.available = (int64_t)available;
		a.day = (int64_t)day;
		r = SW_OK;
	}
	if (r == SW_OK && node_find_account(n, a.identity) != NULL)
		r = SW_ERR_FORMAT;	/* it is there twice */
	else if (r == SW_OK && (made = node_new_account(n, a.identity)) !=
	    NULL)
		made->a = a;
	else if (r == SW_OK)
		r = SW_ERR_NOMEM;
	sw_wipe(&a, sizeof(a));
	return r;
}

int
node_read_accounts(struct node *n, FILE *f)
{
	char line[LINE_MAX_LEN];
	int r = SW_OK;

	if (fgets(line, sizeof(line), f) == NULL || strcmp(line, HEAD) != 0)
		r = SW_ERR_FORMAT;
	while (r == SW_OK && HASH_COUNT(n->accounts) < NODE_ACCOUNTS_MAX &&
	    fgets(line, sizeof(line), f) != NULL)
		r = take_line(n, line);
	sw_wipe(line, sizeof(line));
	return r;
}

int
node_load_accounts(struct node *n)
{
	int fd = open(n->cfg.accounts, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[BUFSIZ];
	struct stat st;
	FILE *f;
	int r;

	if (fd < 0)
		return errno == ENOENT ? SW_OK : SW_ERR_SYS;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 077) != 0 || st.st_uid != geteuid() ||
	    (f = fdopen(fd, "r")) == NULL) {
		close(fd);
		return SW_ERR_DENIED;
	}
	(void)setvbuf(f, buf, _IOFBF, sizeof(buf));	/* to be wiped */
	r = node_read_accounts(n, f);
	fclose(f);
	sw_wipe(buf, sizeof(buf));
	return r;
}
