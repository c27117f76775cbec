/*
 * Is it the right server?  Never asks, never adds: an unknown key is refused
 * with its fingerprint and the command that accepts exactly this key.
 */
#include "transport/ssh_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* libssh skips "@revoked" lines.  A key revoked for any host is refused for
 * this one too: the base64 text decides. */
static bool
is_revoked_in(const char *path, const char *b64)
{
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *f = path == NULL ? NULL : fopen(path, "re");

	if (f == NULL)
		return false;
	while (!found && getline(&line, &room, f) > 0) {
		const char *p = line + strspn(line, " \t");

		if (strncmp(p, "@revoked", 8) != 0)
			continue;
		for (p = strstr(p, b64); p != NULL && !found;
		    p = strstr(p + 1, b64))
			found = strchr(" \t\r\n", p[strlen(b64)]) != NULL;
	}
	free(line);
	fclose(f);
	return found;
}

static bool
is_revoked(ssh_session s, ssh_key key)
{
	char *user = NULL, *global = NULL, *b64 = NULL;
	bool r = true;			/* when in doubt, refuse */

	if (ssh_pki_export_pubkey_base64(key, &b64) != SSH_OK)
		return r;
	(void)ssh_options_get(s, SSH_OPTIONS_KNOWNHOSTS, &user);
	(void)ssh_options_get(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, &global);
	r = is_revoked_in(user, b64) || is_revoked_in(global, b64);
	ssh_string_free_char(user);
	ssh_string_free_char(global);
	ssh_string_free_char(b64);
	return r;
}

/* "ssh-ed25519 SHA256:..." */
static void
describe(ssh_key key, char out[static 128])
{
	unsigned char *hash = NULL;
	char *text = NULL;
	size_t n = 0;

	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
	    &n) == 0)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, n);
	snprintf(out, 128, "%s %s", ssh_key_type_to_char(ssh_key_type(key)),
	    text != NULL ? text : "?");
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
}

/* "host" or "[host]:port", as known_hosts writes it. */
static void
host_text(ssh_session s, char out[static 300])
{
	unsigned port = 22;
	char *host = NULL;

	(void)ssh_options_get(s, SSH_OPTIONS_HOST, &host);
	(void)ssh_options_get_port(s, &port);
	if (port == 22)
		snprintf(out, 300, "%.255s", host != NULL ? host : "?");
	else
		snprintf(out, 300, "[%.255s]:%u", host != NULL ? host : "?",
		    port);
	ssh_string_free_char(host);
}

/* Before there is a file there may be no folder either, as for a new user. */
static void
make_folder(const char *file, char out[static 400])
{
	const char *slash = strrchr(file, '/');
	int n = slash == NULL ? 0 : (int)(slash - file);
	char folder[300];

	*out = '\0';
	if (n == 0 || n >= (int)sizeof(folder))
		return;
	memcpy(folder, file, (size_t)n);
	folder[n] = '\0';
	if (access(folder, F_OK) != 0)
		snprintf(out, 400, "mkdir -pm 700 '%s' && ", folder);
}

static void
explain_unknown(ssh_session s, const char *print, const char *file,
    char why[static SSH_TUNNEL_WHY_LEN])
{
	char *entry = NULL, first[400];

	make_folder(file, first);
	if (ssh_session_export_known_hosts_entry(s, &entry) == SSH_OK)
		entry[strcspn(entry, "\r\n")] = '\0';
	/* A long RSA line would not fit and half a command is worse than none. */
	if (entry != NULL && strlen(entry) + strlen(file) + strlen(print) +
	    strlen(first) + 160 < SSH_TUNNEL_WHY_LEN &&
	    strchr(entry, '\'') == NULL)
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the server's key is not known:"
		    " %s; if that is its fingerprint, accept it with: "
		    "%secho '%s' >> '%s'", print, first, entry, file);
	else
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the server's key is not known:"
		    " %s; log in with ssh once to accept it (it is kept in "
		    "'%.300s')", print, file);
	ssh_string_free_char(entry);
}

/*
 * Under which name is the key looked for?  Over TCP as ssh does: "host", or
 * "[host]:port".  Another transport's port says nothing about the server's
 * identity, so there it is "host" alone; but who got the key by
 * `ssh -p 443` has it as "[host]:443", and that will do.
 */
static enum ssh_known_hosts_e
look_up(ssh_session s, const struct ssh_plan *p)
{
	const unsigned usual = 22, port = p->port != 0 ? p->port : 443;
	enum ssh_known_hosts_e state;

	if (transport_kind(p->transport) == TRANSPORT_TCP)
		return ssh_session_is_known_server(s);
	if (transport_kind(p->transport) == TRANSPORT_TLS) {
		(void)ssh_options_set(s, SSH_OPTIONS_PORT, &port);
		state = ssh_session_is_known_server(s);
		if (state == SSH_KNOWN_HOSTS_OK)
			return state;
	}
	(void)ssh_options_set(s, SSH_OPTIONS_PORT, &usual);
	return ssh_session_is_known_server(s);
}

int
ssh_hostkey_check(ssh_session s, const struct ssh_plan *p,
    char why[static SSH_TUNNEL_WHY_LEN])
{
	enum ssh_known_hosts_e state = look_up(s, p);
	char print[128], host[300];
	char *file = NULL;
	ssh_key key = NULL;
	int r = SW_ERR_AUTH;

	if (ssh_get_server_publickey(s, &key) != SSH_OK) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the server showed no key");
		return r;
	}
	describe(key, print);
	host_text(s, host);
	(void)ssh_options_get(s, SSH_OPTIONS_KNOWNHOSTS, &file);
	if (is_revoked(s, key)) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the server's key is revoked "
		    "(%s); not connecting", print);
	} else if (state == SSH_KNOWN_HOSTS_OK) {
		r = SW_OK;
	} else if (state == SSH_KNOWN_HOSTS_CHANGED ||
	    state == SSH_KNOWN_HOSTS_OTHER) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "THE SERVER'S KEY HAS CHANGED "
		    "to %s: somebody may be posing as the server; not "
		    "connecting.  If the change is known to be right, forget "
		    "the old key with: ssh-keygen -f '%.300s' -R '%s'", print,
		    file != NULL ? file : "~/.ssh/known_hosts", host);
	} else if (state == SSH_KNOWN_HOSTS_ERROR) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "could not read the known "
		    "hosts: %.300s", ssh_get_error(s));
		r = SW_ERR_CONFIG;
	} else {
		explain_unknown(s, print,
		    file != NULL ? file : "~/.ssh/known_hosts", why);
	}
	ssh_string_free_char(file);
	ssh_key_free(key);
	return r;
}
