/*
 * spawn [-n RUNS] [-w WARM] -- NAME COMMAND... [-- NAME COMMAND...]...
 *
 * Starts each command RUNS times and waits for it, in turn and every second
 * round in the opposite order, so that what disturbs the machine disturbs all
 * of them. Words VAR=VALUE before a command are its environment. For each
 * prints one line:
 *	NAME wall_us p10 p90 ratio cpu_us cpu_ratio
 * medians; the ratios are medians of the paired ratios to the first command.
 * A command that fails is an error: a fast failure is not a fast start.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16
#define ENV_MAX 512

extern char **environ;

struct command {
	const char *name;
	char **argv;
	char *env[ENV_MAX];
	double *wall_us, *cpu_us;
};

static double
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts `v`. */
static double
quantile(double *v, size_t n, double q)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(size_t)((double)(n - 1) * q)];
}

/* Takes VAR=VALUE words off the front; later ones win over the inherited. */
static void
command_init(struct command *c, size_t runs)
{
	size_t n = 0, keep;
	char **e, **own = c->argv;

	while (*c->argv != NULL && strchr(*c->argv, '=') != NULL)
		c->env[n++] = *c->argv++;
	for (e = environ; *e != NULL && n < ENV_MAX - 1; e++) {
		keep = strcspn(*e, "=") + 1;
		for (own = c->env; own < c->env + n; own++)
			if (strncmp(*own, *e, keep) == 0)
				break;
		if (own == c->env + n)
			c->env[n++] = *e;
	}
	c->env[n] = NULL;
	c->wall_us = calloc(runs, sizeof(double));
	c->cpu_us = calloc(runs, sizeof(double));
	if (*c->argv == NULL || c->wall_us == NULL || c->cpu_us == NULL)
		exit(2);
}

static bool
run(const struct command *c, const posix_spawn_file_actions_t *quiet,
    double *wall_us, double *cpu_us)
{
	struct rusage ru;
	double start = now_us();
	pid_t pid;
	int status;

	if ((errno = posix_spawnp(&pid, c->argv[0], quiet, NULL, c->argv,
	    c->env)) != 0) {
		perror(c->argv[0]);
		return false;
	}
	while (wait4(pid, &status, 0, &ru) < 0)
		if (errno != EINTR)
			return false;
	*wall_us = now_us() - start;
	*cpu_us = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
	if (status != 0)
		(void)fprintf(stderr, "spawn: %s: status %#x\n", c->name,
		    (unsigned)status);
	return status == 0;
}

int
main(int argc, char **argv)
{
	static struct command commands[COMMANDS_MAX];
	posix_spawn_file_actions_t quiet;
	size_t n = 0, runs = 500, warm = 5, i, k, r;
	double *ratio, wall_ratio, cpu_ratio, wall, cpu;
	int opt, at;

	while ((opt = getopt(argc, argv, "+n:w:")) != -1) {
		if (opt == 'n')
			runs = strtoul(optarg, NULL, 10);
		else if (opt == 'w')
			warm = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	/* getopt has eaten the first "--" */
	for (at = optind; at + 1 < argc && n < COMMANDS_MAX; n++) {
		commands[n].name = argv[at];
		commands[n].argv = argv + at + 1;
		while (at < argc && strcmp(argv[at], "--") != 0)
			at++;
		if (at < argc)
			argv[at++] = NULL;
		command_init(&commands[n], runs);
	}
	ratio = calloc(runs, sizeof(*ratio));
	if (n == 0 || runs == 0 || ratio == NULL)
		return 2;
	(void)posix_spawn_file_actions_init(&quiet);
	(void)posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null",
	    O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null",
	    O_WRONLY, 0);
	for (r = 0; r < warm + runs; r++) {
		for (i = 0; i < n; i++) {
			k = r % 2 == 0 ? i : n - 1 - i;
			if (!run(&commands[k], &quiet, &wall, &cpu))
				return 1;
			if (r < warm)
				continue;
			commands[k].wall_us[r - warm] = wall;
			commands[k].cpu_us[r - warm] = cpu;
		}
	}
	/* From the last to the first: quantile() sorts, the first is needed. */
	for (i = n; i-- > 0;) {
		struct command *c = &commands[i];

		for (r = 0; r < runs; r++)
			ratio[r] = c->wall_us[r] / commands[0].wall_us[r];
		wall_ratio = quantile(ratio, runs, 0.5);
		for (r = 0; r < runs; r++)
			ratio[r] = c->cpu_us[r] / commands[0].cpu_us[r];
		cpu_ratio = quantile(ratio, runs, 0.5);
		(void)printf("%s %.0f %.0f %.0f %.3f %.0f %.3f\n", c->name,
		    quantile(c->wall_us, runs, 0.5),
		    quantile(c->wall_us, runs, 0.1),
		    quantile(c->wall_us, runs, 0.9), wall_ratio,
		    quantile(c->cpu_us, runs, 0.5), cpu_ratio);
	}
	return 0;
}
