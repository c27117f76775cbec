/* What a server says, as text: no crash, and numbers only where it parsed. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "stack/names.h"
#include "transport/ssh_text.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[DIAL_HOST_MAX + 1];
	struct ssh_text_line line;
	uint32_t channel, reason;
	const char *words;
	char *text = malloc(len + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	if (ssh_text_parse_failure(text, &channel, &reason, &words) != SW_OK &&
	    (channel != 0 || reason != 0 || words[0] != '\0'))
		abort();
	if (ssh_text_dial_error(reason, words) >= 0)
		abort();
	ssh_text_parse_line(text, &line);
	if (line.kind != SSH_TEXT_ANSWER && (line.v4 || line.v6 || line.id != 0))
		abort();
	if (names_normalise(text, len, name) == SW_OK &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") !=
	    strlen(name))
		abort();
	ssh_text_clean(text);
	if (strpbrk(text, "\033\r\n\177") != NULL || strlen(text) > len)
		abort();
	free(text);
	return 0;
}
