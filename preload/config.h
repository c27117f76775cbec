/*
 * config.h - the optional file ~/.config/smolwrap/config.
 *
 * Lines of "key value"; '#' starts a comment; "[name]" starts a section that
 * --profile selects.  What stands before the first section always applies,
 * after the section's own.  Keys: via (several nest, as on the command line),
 * listen, stack, and every option of options_texts[].
 */
#ifndef SW_PRELOAD_CONFIG_H
#define SW_PRELOAD_CONFIG_H

#include "base/err.h"
#include "preload/options.h"

#define CONFIG_MAX 65536	/* bytes of the file */

/*
 * Read the file and fill what the command line left open in `o`.  Strings
 * live in memory that is kept for the life of the program.  A missing file is
 * fine unless a profile was asked for.  SW_OK, or SW_ERR_CONFIG with a line
 * in `why`.
 */
int config_read(struct options *o, char why[static 256]) SW_MUST_CHECK;

/* The same from memory, which is cut into strings in place. */
int config_parse(struct options *o, char *text, char why[static 256])
    SW_MUST_CHECK;

#endif
