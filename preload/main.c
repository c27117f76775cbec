/*
 * smolwrap - runs a program with its networking moved into a tunnel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "preload/config.h"
#include "preload/launch.h"
#include "preload/manage.h"
#include "preload/options.h"
#include "preload/say.h"

#ifndef SW_VERSION
#define SW_VERSION "0.1"
#endif

/* What was printed has arrived, or the exit status says otherwise. */
static int
printed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	say("could not write to standard output: %s", strerror(errno));
	return LAUNCH_FAILED;
}

static int
no_program(int argc)
{
	say("no program is given; \"smolwrap --help\" shows how");
	if (argc < 2)
		fputs(options_usage, stderr);
	return LAUNCH_FAILED;
}

int
main(int argc, char **argv)
{
	struct options o;
	char why[256];

	if (options_parse(&o, argc, argv, why) != SW_OK) {
		say("%s", why);
		return LAUNCH_FAILED;
	}
	switch (o.command) {
	case COMMAND_HELP:
		fputs(options_usage, stdout);
		putchar('\n');
		fputs(options_help, stdout);
		return printed(0);
	case COMMAND_VERSION:
		puts("smolwrap " SW_VERSION);
		return printed(0);
	case COMMAND_DOWN:
		return manage_down(&o);
	case COMMAND_STATUS:
		return printed(manage_status(&o));
	case COMMAND_CHECK:
		return printed(manage_check(&o));
	case COMMAND_RUN:
	case COMMAND_UP:
	case COMMAND_SERVE:
		break;
	}
	if (config_read(&o, why) != SW_OK) {
		say("%s", why);
		return LAUNCH_FAILED;
	}
	if (o.command == COMMAND_SERVE && !options_has_services(&o))
		return no_program(argc);
	return o.command == COMMAND_UP ? launch_up(&o) :
	    o.command == COMMAND_SERVE ? launch_serve(&o) : launch_run(&o);
}
