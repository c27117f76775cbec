/*
 * Ids, tickets and relay URLs of any bytes: no crash; a refusal leaves zeros;
 * what was taken prints as a text that means the same.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "transport/iroh_addr.h"
#include "transport/iroh_upgrade.h"

static void
check_again(const struct iroh_addr *a)
{
	char text[IROH_TICKET_LEN], again[IROH_TICKET_LEN];
	struct iroh_addr b;

	iroh_addr_ticket(a, text);
	if (iroh_addr_parse(&b, text, strlen(text)) != SW_OK ||
	    strcmp(iroh_addr_ticket(&b, again), text) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct iroh_addr none;
	struct relay_place place;
	struct iroh_addr a;
	char *text = malloc(len + 1), why[256];

	if (text == NULL)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	if (iroh_addr_parse(&a, text, len) == SW_OK)
		check_again(&a);
	else if (memcmp(&a, &none, sizeof(a)) != 0)
		abort();
	a = none;
	if (iroh_addr_set_relay(&a, text) == SW_OK) {
		check_again(&a);
		(void)!relay_place_parse(&place, a.relay);
	}
	if (iroh_addr_add_direct(&a, text) == SW_OK)
		check_again(&a);
	(void)!relay_answer_check(text, len, "dGhlIHNhbXBsZSBub25jZQ==", why);
	free(text);
	return 0;
}
