/*
 * announce KEY FOLDER - an announcement for smolnode's directory, made for a
 * nym-node, which tells directories nothing: they ask it.
 *
 * KEY     the node's ed25519_identity, as it stores it
 * FOLDER  what the node says of itself over HTTP: host-information, roles,
 *	   mixnet-websockets, ip-packet-router
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mix/announce.h"
#include "mix/base58.h"
#include "mix/prim.h"

static json_t *
load(const char *folder, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return json_load_file(path, 0, NULL);
}

/* The one line between those of a PEM file. */
static bool
read_seed(const char *path, uint8_t seed[static ED25519_SEED_LEN])
{
	char line[256];
	FILE *f = fopen(path, "re");
	bool good = false;

	while (f != NULL && !good && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		good = line[0] != '-' && prim_base64_decode(seed,
		    ED25519_SEED_LEN, line, strlen(line)) == SW_OK;
	}
	if (f != NULL)
		fclose(f);
	return good;
}

static bool
get_key(const json_t *o, const char *name, uint8_t key[static NYM_KEY_LEN])
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL && base58_decode(key, NYM_KEY_LEN, s, strlen(s)) ==
	    SW_OK;
}

static void
get_sphinx(struct announce *a, const json_t *keys, const char *name)
{
	const json_t *k = json_object_get(keys, name);

	if (!get_key(k, "public_key", a->sphinx[a->n_sphinx].key))
		return;
	a->sphinx[a->n_sphinx++].rotation_id = (uint32_t)json_integer_value(
	    json_object_get(k, "rotation_id"));
}

static bool
get_host(struct announce *a, const char *folder)
{
	json_t *o = load(folder, "host-information");
	const json_t *d = json_object_get(o, "data");
	const json_t *keys = json_object_get(d, "keys");
	const char *ip = json_string_value(json_array_get(json_object_get(d,
	    "ip_address"), 0));
	bool good = ip != NULL && addr_parse_ip(&a->mix, ip) == SW_OK;

	a->mix.port = 1789;
	get_sphinx(a, keys, "primary_x25519_sphinx_key");
	get_sphinx(a, keys, "pre_announced_x25519_sphinx_key");
	a->has_noise = get_key(json_object_get(keys,
	    "x25519_versioned_noise"), "x25519_pubkey", a->noise);
	json_decref(o);
	return good && a->n_sphinx > 0;
}

static bool
is(const json_t *roles, const char *name)
{
	return json_is_true(json_object_get(roles, name));
}

/* Nodes name a websocket and a router whether they run them or not. */
static void
get_roles(struct announce *a, const char *folder)
{
	json_t *roles = load(folder, "roles");
	json_t *ws = load(folder, "mixnet-websockets");
	json_t *ipr = load(folder, "ip-packet-router");
	const char *address = json_string_value(json_object_get(ipr,
	    "address"));

	a->mixnode = is(roles, "mixnode_enabled");
	a->entry = is(roles, "gateway_enabled");
	if (a->entry)
		a->ws_port = (uint16_t)json_integer_value(json_object_get(ws,
		    "ws_port"));
	a->exit = a->has_ipr = is(roles, "ip_packet_router_enabled") &&
	    address != NULL && recipient_parse(&a->ipr, address) == SW_OK;
	json_decref(roles);
	json_decref(ws);
	json_decref(ipr);
}

int
main(int argc, char **argv)
{
	struct announce a = { .unix_s = (int64_t)time(NULL) };
	uint8_t seed[ED25519_SEED_LEN];
	char *text;

	if (argc != 3 || prim_init() != SW_OK || !read_seed(argv[1], seed) ||
	    !get_host(&a, argv[2])) {
		fprintf(stderr, "usage: announce key folder\n");
		return 1;
	}
	get_roles(&a, argv[2]);
	if (announce_write(&a, seed, &text) != SW_OK)
		return 1;
	puts(text);
	free(text);
	return 0;
}
