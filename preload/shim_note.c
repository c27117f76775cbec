/*
 * shim_note.c - telling the session what was refused, and why.
 *
 * Once for each reason and process; the session says it once for all of them.
 */
#include "preload/shim.h"

#define NOTE_MS 1000

void
shim_note(enum session_reason reason)
{
	static uint32_t told;
	const uint32_t bit = 1u << reason;
	struct session_msg m = { .op = SESSION_NOTE, .arg = (uint32_t)reason };

	if ((__atomic_load_n(&told, __ATOMIC_RELAXED) & bit) != 0 ||
	    (__atomic_fetch_or(&told, bit, __ATOMIC_RELAXED) & bit) != 0)
		return;
	(void)shim_session_request(&m, NULL, 0, NULL, 0, NULL, NULL, 0, NULL,
	    0);
}

bool
shim_note_first(enum session_reason reason)
{
	struct session_msg m = { .op = SESSION_NOTE, .arg = (uint32_t)reason };
	struct session_reply rep = { 0 };

	return shim_session_request(&m, NULL, 0, NULL, 0, &rep, NULL, 0, NULL,
	    NOTE_MS) == 0 && rep.arg != 0;
}
