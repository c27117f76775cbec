/*
 * smolwrap - runs a program with its networking moved into a tunnel.
 */
#include <stdio.h>

#include "preload/config.h"
#include "preload/launch.h"
#include "preload/manage.h"
#include "preload/options.h"
#include "preload/say.h"

#ifndef SW_VERSION
#define SW_VERSION "0.1"
#endif

int
main(int argc, char **argv)
{
	struct options o;
	char why[256];

	if (options_parse(&o, argc, argv, why) != SW_OK) {
		say("%s", why);
		fputs(options_usage, stderr);
		return LAUNCH_FAILED;
	}
	switch (o.command) {
	case COMMAND_HELP:
		fputs(options_usage, stdout);
		putchar('\n');
		fputs(options_help, stdout);
		return 0;
	case COMMAND_VERSION:
		puts("smolwrap " SW_VERSION);
		return 0;
	case COMMAND_DOWN:
		return manage_down(&o);
	case COMMAND_STATUS:
		return manage_status(&o);
	case COMMAND_CHECK:
		return manage_check(&o);
	case COMMAND_RUN:
	case COMMAND_UP:
	case COMMAND_SERVE:
		break;
	}
	if (config_read(&o, why) != SW_OK) {
		say("%s", why);
		return LAUNCH_FAILED;
	}
	return o.command == COMMAND_UP ? launch_up(&o) :
	    o.command == COMMAND_SERVE ? launch_serve(&o) : launch_run(&o);
}
