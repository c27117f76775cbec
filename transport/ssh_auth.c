/*
 * Who are we?  Public keys only, and no questions asked: the launcher may have
 * no terminal.  Order, so that a server's limit on attempts is not wasted:
 *   1. key files given by the user, each with its certificate first
 *   2. the key file of ssh_config (libssh tells the one it read last)
 *   3. the agent
 *   4. the usual files
 * A key with a passphrase works only through the agent.
 */
#include "transport/ssh_private.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

struct attempt {
	ssh_session s;
	int64_t deadline_ms;
	unsigned offered;		/* keys the server said no to */
	char note[256];			/* the last file that could not be used */
	char seen[8][256];		/* files already tried */
	size_t nseen;
};

static bool
set_timeout(const struct attempt *a)
{
	int64_t left = a->deadline_ms - clock_now_ms();
	long s = (long)(left / 1000) + 1;

	if (left <= 0)
		return false;
	(void)ssh_options_set(a->s, SSH_OPTIONS_TIMEOUT, &s);
	return true;
}

/* An SSH_AUTH_*; anything but DENIED ends the search. */
static int
offer(struct attempt *a, ssh_key key)
{
	int r;

	if (!set_timeout(a))
		return SSH_AUTH_AGAIN;
	r = ssh_userauth_publickey(a->s, NULL, key);
	if (r == SSH_AUTH_DENIED)
		a->offered++;
	return r;
}

static int
offer_certificate(struct attempt *a, const char *path, ssh_key key)
{
	char file[4096];
	ssh_key cert = NULL, both = NULL;
	int r = SSH_AUTH_DENIED;

	if (snprintf(file, sizeof(file), "%s-cert.pub", path) >=
	    (int)sizeof(file) || access(file, R_OK) != 0)
		return r;
	if (ssh_pki_import_cert_file(file, &cert) == SSH_OK &&
	    (both = ssh_key_dup(key)) != NULL &&
	    ssh_pki_copy_cert_to_privkey(cert, both) == SSH_OK)
		r = offer(a, both);
	else
		snprintf(a->note, sizeof(a->note),
		    "certificate \"%.150s\" cannot be used", file);
	ssh_key_free(cert);
	ssh_key_free(both);
	return r;
}

/* libssh asks for a passphrase: there is one, and nobody to give it. */
static int
has_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify,
    void *asked)
{
	(void)prompt;
	(void)buf;
	(void)len;
	(void)echo;
	(void)verify;
	*(bool *)asked = true;
	return -1;
}

static int
try_file(struct attempt *a, const char *path, bool wanted)
{
	ssh_key key = NULL;
	bool asked = false;
	int r;

	for (size_t i = 0; i < a->nseen; i++)
		if (strcmp(a->seen[i], path) == 0)
			return SSH_AUTH_DENIED;
	if (a->nseen < sizeof(a->seen) / sizeof(a->seen[0]))
		snprintf(a->seen[a->nseen++], sizeof(a->seen[0]), "%s", path);

	r = ssh_pki_import_privkey_file(path, NULL, has_passphrase, &asked, &key);
	if (r == SSH_EOF) {
		if (wanted)
			snprintf(a->note, sizeof(a->note),
			    "key file \"%.150s\" cannot be read", path);
		return SSH_AUTH_DENIED;
	}
	if (r != SSH_OK) {
		snprintf(a->note, sizeof(a->note), "key file \"%.150s\" %s", path,
		    asked ? "has a passphrase, so it must be in the agent "
		    "(ssh-add)" : "is not a private key");
		return SSH_AUTH_DENIED;
	}
	r = offer_certificate(a, path, key);
	if (r == SSH_AUTH_DENIED)
		r = offer(a, key);
	ssh_key_free(key);
	return r;
}

static int
try_usual_files(struct attempt *a)
{
	static const char *const usual[] = {
		"id_ed25519", "id_ecdsa", "id_rsa"
	};
	struct passwd pw, *found = NULL;
	char buf[2048], path[4096];
	int r = SSH_AUTH_DENIED;

	if (getpwuid_r(getuid(), &pw, buf, sizeof(buf), &found) != 0 ||
	    found == NULL)
		return r;
	for (size_t i = 0; i < 3 && r == SSH_AUTH_DENIED; i++) {
		snprintf(path, sizeof(path), "%s/.ssh/%s", pw.pw_dir, usual[i]);
		r = try_file(a, path, false);
	}
	return r;
}

static int
try_all(struct attempt *a, const struct ssh_plan *p)
{
	char *configured = NULL;
	int r = SSH_AUTH_DENIED;

	for (size_t i = 0; p->identities[i] != NULL && r == SSH_AUTH_DENIED; i++)
		r = try_file(a, p->identities[i], true);
	if (r == SSH_AUTH_DENIED &&
	    ssh_options_get(a->s, SSH_OPTIONS_IDENTITY, &configured) == SSH_OK)
		r = try_file(a, configured, false);
	ssh_string_free_char(configured);
	if (r == SSH_AUTH_DENIED && !p->no_agent && set_timeout(a)) {
		r = ssh_userauth_agent(a->s, NULL);
		if (r == SSH_AUTH_ERROR && ssh_is_connected(a->s))
			r = SSH_AUTH_DENIED;	/* an agent that fails */
	}
	if (r == SSH_AUTH_DENIED)
		r = try_usual_files(a);
	return r;
}

static void
list_methods(unsigned bits, char out[static 96])
{
	snprintf(out, 96, "%s%s%s%s%s",
	    bits & SSH_AUTH_METHOD_PUBLICKEY ? " publickey" : "",
	    bits & SSH_AUTH_METHOD_PASSWORD ? " password" : "",
	    bits & SSH_AUTH_METHOD_INTERACTIVE ? " keyboard-interactive" : "",
	    bits & SSH_AUTH_METHOD_HOSTBASED ? " hostbased" : "",
	    bits & SSH_AUTH_METHOD_GSSAPI_MIC ? " gssapi" : "");
	if (out[0] == '\0')
		snprintf(out, 96, " none");
}

static bool
has_agent(void)
{
	const char *path = getenv("SSH_AUTH_SOCK");

	return path != NULL && access(path, F_OK) == 0;
}

static void
explain_denied(const struct attempt *a, bool agent, const char *user,
    unsigned list, char why[static SSH_TUNNEL_WHY_LEN])
{
	char methods[96], tried[96];

	list_methods(list, methods);
	if ((list & SSH_AUTH_METHOD_PUBLICKEY) == 0) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the server takes no keys from "
		    "user \"%.64s\" (it accepts:%s), and smolwrap has nothing "
		    "else to log in with", user, methods);
		return;
	}
	if (a->offered > 0)
		snprintf(tried, sizeof(tried), "it refused %u key file%s%s",
		    a->offered, a->offered == 1 ? "" : "s",
		    agent ? " and the agent's keys" : "");
	else
		snprintf(tried, sizeof(tried), agent ? "there is no key file, "
		    "and the agent has no key that it takes" :
		    "there is no key to offer, and no agent");
	snprintf(why, SSH_TUNNEL_WHY_LEN, "the server does not let user "
	    "\"%.64s\" in (it accepts:%s): %s; %s", user, methods, tried,
	    a->note[0] != '\0' ? a->note :
	    "name a key with -i FILE or ssh-add, or bring one to the server "
	    "with ssh-copy-id");
}

int
ssh_auth_run(ssh_session s, const struct ssh_plan *p, int64_t deadline_ms,
    char why[static SSH_TUNNEL_WHY_LEN])
{
	struct attempt a = { .s = s, .deadline_ms = deadline_ms };
	char methods[96];
	char *user = NULL;
	unsigned list;
	int r;

	(void)set_timeout(&a);
	r = ssh_userauth_none(s, NULL);
	if (r == SSH_AUTH_SUCCESS)
		return SW_OK;
	list = (unsigned)ssh_userauth_list(s, NULL);
	if (r == SSH_AUTH_DENIED && (list & SSH_AUTH_METHOD_PUBLICKEY) != 0)
		r = try_all(&a, p);
	if (r == SSH_AUTH_SUCCESS)
		return SW_OK;
	(void)ssh_options_get(s, SSH_OPTIONS_USER, &user);
	if (clock_now_ms() >= deadline_ms || r == SSH_AUTH_AGAIN) {
		snprintf(why, SSH_TUNNEL_WHY_LEN,
		    "the server did not finish the login in time");
		r = SW_ERR_TIMEOUT;
	} else if (r == SSH_AUTH_PARTIAL) {
		list_methods((unsigned)ssh_userauth_list(s, NULL), methods);
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the server takes the key and "
		    "wants more of user \"%.64s\" besides (%s), which cannot "
		    "be given here (AuthenticationMethods)",
		    user != NULL ? user : "?", methods + 1);
		r = SW_ERR_AUTH;
	} else if (r != SSH_AUTH_DENIED) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "%s: %.300s%s%s",
		    ssh_is_connected(s) ? "the login failed here" :
		    "the server ended the login", ssh_get_error(s),
		    a.note[0] != '\0' ? "; " : "", a.note);
		r = SW_ERR_AUTH;
	} else {
		explain_denied(&a, !p->no_agent && has_agent(),
		    user != NULL ? user : "?", list, why);
		r = SW_ERR_AUTH;
	}
	ssh_string_free_char(user);
	return r;
}
