/*
 * starts - starts itself in every way there is, with an emptied environment.
 *
 *	starts METHOD		the child prints what it was given
 *	starts search		results of PATH searches in the current folder
 *	starts list		the methods
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define S(text) ((char[]){ text })	/* exec wants strings not const */

static char self[4096];
static char *const args[] = { S("starts"), S("child"), S("one"), S(""),
	S("two words"), NULL };
static char *const env[] = { S("MARK=1"), NULL };

/* ---- the child ----------------------------------------------------------- */

static int
find_library(struct dl_phdr_info *o, size_t size, void *found)
{
	(void)size;
	if (strstr(o->dlpi_name, "smolwrap") != NULL)
		*(int *)found = 1;
	return 0;
}

static int
child(int argc, char **argv)
{
	const char *ctl = getenv("SMOLWRAP_CTL"), *mark = getenv("MARK");
	struct stat st;
	int library = 0, kept = 0;

	dl_iterate_phdr(find_library, &library);
	if (ctl != NULL && fstat(atoi(ctl), &st) == 0)
		kept = strtoull(strchr(ctl, ':') + 1, NULL, 10) == st.st_ino;
	printf("library %d channel %d mark %s args", library, kept,
	    mark != NULL ? mark : "-");
	for (int i = 1; i < argc; i++)
		printf(" [%s]", argv[i]);
	printf("\n");
	return 0;
}

/* ---- ways to start ------------------------------------------------------- */

static void
by_execve(void)
{
	execve(self, args, env);
}

static void
by_execv(void)
{
	execv(self, args);
}

static void
by_execvp(void)
{
	execvp(self, args);
}

static void
by_execvpe(void)
{
	execvpe(self, args, env);
}

static void
by_execl(void)
{
	execl(self, "starts", "child", "one", "", "two words", (char *)NULL);
}

static void
by_execlp(void)
{
	execlp(self, "starts", "child", "one", "", "two words", (char *)NULL);
}

static void
by_execle(void)
{
	execle(self, "starts", "child", "one", "", "two words", (char *)NULL,
	    env);
}

static void
by_fexecve(void)
{
	fexecve(open(self, O_RDONLY | O_CLOEXEC), args, env);
}

static void
by_execveat(void)
{
	syscall(SYS_execveat, AT_FDCWD, self, args, env, 0);
}

static void
by_syscall(void)
{
	syscall(SYS_execve, self, args, env);
}

static void
by_null_environment(void)
{
	execve(self, args, NULL);
}

static void
reap(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	exit(WEXITSTATUS(status));
}

static void
by_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(self, args, env);
		_exit(1);
	}
	reap(pid);
}

static void
by_posix_spawn(void)
{
	pid_t pid;

	if (posix_spawn(&pid, self, NULL, NULL, args, env) == 0)
		reap(pid);
}

static void
by_posix_spawnp(void)
{
	pid_t pid;

	if (posix_spawnp(&pid, self, NULL, NULL, args, env) == 0)
		reap(pid);
}

static void
by_system(void)
{
	char command[4200];

	snprintf(command, sizeof(command), "'%s' child one '' 'two words'",
	    self);
	exit(system(command));
}

static void
by_popen(void)
{
	char command[4200], line[4200];
	FILE *f;

	snprintf(command, sizeof(command), "'%s' child one '' 'two words'",
	    self);
	if ((f = popen(command, "r")) == NULL)
		exit(1);
	while (fgets(line, sizeof(line), f) != NULL)
		fputs(line, stdout);
	exit(pclose(f));
}

static void
by_wordexp(void)
{
	char command[4300];
	wordexp_t w;

	snprintf(command, sizeof(command),
	    "\"$('%s' child one '' 'two words')\"", self);
	if (wordexp(command, &w, 0) != 0)
		exit(1);
	printf("%s\n", w.we_wordv[0]);
	exit(0);
}

/* More strings than any stack array was made for. */
static void
by_long_vectors(void)
{
	static char *many_env[3000], *many[3000];
	static char text[3000][32];

	for (int i = 0; i < 2990; i++) {
		snprintf(text[i], sizeof(text[i]), "V%d=%d", i, i);
		many_env[i] = text[i];
	}
	many_env[2990] = env[0];
	many_env[2991] = S("LD_PRELOAD=/nonexistent/a.so:/nonexistent/b.so");
	for (int i = 0; i < 5; i++)
		many[i] = args[i];
	if (freopen("/dev/null", "w", stderr) == NULL)
		return;
	execve(self, many, many_env);
}

static const struct {
	const char *name;
	void (*run)(void);
} methods[] = {
	{ "execve", by_execve }, { "execv", by_execv },
	{ "execvp", by_execvp }, { "execvpe", by_execvpe },
	{ "execl", by_execl }, { "execlp", by_execlp },
	{ "execle", by_execle }, { "fexecve", by_fexecve },
	{ "execveat", by_execveat }, { "syscall", by_syscall },
	{ "null-environment", by_null_environment }, { "vfork", by_vfork },
	{ "posix_spawn", by_posix_spawn }, { "posix_spawnp", by_posix_spawnp },
	{ "system", by_system }, { "popen", by_popen },
	{ "wordexp", by_wordexp }, { "long-vectors", by_long_vectors },
};

/* ---- searches ------------------------------------------------------------ */

static void
put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
	chmod(path, mode);
}

static void
try(const char *how, const char *path, const char *file)
{
	char name[300];

	snprintf(name, sizeof(name), "%.30s", file);
	printf("%s PATH=%s %s(%zu): ", how, path != NULL ? path : "(none)",
	    name, strlen(file));
	fflush(stdout);
	if (path != NULL)
		setenv("PATH", path, 1);
	else
		unsetenv("PATH");
	if (strcmp(how, "spawnp") == 0) {
		char *const v[] = { S("name"), S("arg"), NULL };
		pid_t pid;
		int r = posix_spawnp(&pid, file, NULL, NULL, v, environ);

		if (r != 0)
			printf("errno %d\n", r);
		else
			waitpid(pid, NULL, 0);
		return;
	}
	if (fork() == 0) {
		char *const v[] = { S("name"), S("arg"), NULL };
		char *const none[] = { NULL };

		errno = 0;
		if (strcmp(how, "execvp") == 0)
			execvp(file, v);
		else if (strcmp(how, "execlp") == 0)
			execlp(file, "name", "arg", (char *)NULL);
		else if (strcmp(how, "execv") == 0)
			execv(file, v);
		else
			execvp(file, none);
		printf("errno %d\n", errno);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
}

static void
search(void)
{
	static const char *const paths[] = { "a:b", "b:a", "c:a", "a:c", "d:a",
	    "nowhere:a", ":a", "a:", "", ":", "::", "file:a", "c", "nowhere",
	    "d", "a//:b", "loop:a" };
	static const char *const files[] = { "tool", "script", "text", "empty",
	    "denied", "folder", "here", "missing", "./here", "a/tool", "a/text",
	    "a/denied", "", ".", "..", "file/x", "dangling" };
	static const char *const hows[] = { "execvp", "execlp", "execv",
	    "spawnp", "execvp-no-args" };
	char longname[300], longpath[5000];

	mkdir("a", 0700);
	mkdir("b", 0700);
	mkdir("c", 0700);
	mkdir("d", 0700);
	mkdir("a/folder", 0700);
	put("a/tool", "#!/bin/sh\necho tool in a: $*\n", 0700);
	put("b/tool", "#!/bin/sh\necho tool in b: $*\n", 0700);
	put("a/script", "echo script in a: \"$0\" $*\n", 0700);
	put("a/text", "#!/nonexistent/interpreter\n", 0700);
	put("a/empty", "", 0700);
	put("a/denied", "#!/bin/sh\necho never\n", 0600);
	put("b/denied", "#!/bin/sh\necho denied found in b\n", 0700);
	put("c/tool", "#!/bin/sh\necho never\n", 0600);
	put("here", "#!/bin/sh\necho here $*\n", 0700);
	put("file", "", 0600);
	if (symlink("loop", "loop") != 0 || symlink("none", "a/dangling") != 0)
		errno = 0;
	chmod("d", 0);
	memset(longname, 'n', 299);
	longname[299] = '\0';
	memset(longpath, 'p', 4990);
	strcpy(longpath + 4990, ":a");
	for (size_t h = 0; h < COUNT(hows); h++) {
		for (size_t p = 0; p < COUNT(paths); p++)
			for (size_t f = 0; f < COUNT(files); f++)
				try(hows[h], paths[p], files[f]);
		try(hows[h], "a:b", longname);
		try(hows[h], longpath, "tool");
		try(hows[h], NULL, "true");
		try(hows[h], NULL, "tool");
	}
	chmod("d", 0700);
}

int
main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0 || argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(argv[1], "child") == 0)
		return child(argc, argv);
	if (strcmp(argv[1], "search") == 0) {
		search();
		return 0;
	}
	if (strcmp(argv[1], "list") == 0) {
		for (size_t i = 0; i < COUNT(methods); i++)
			printf("%s\n", methods[i].name);
		return 0;
	}
	clearenv();
	for (size_t i = 0; i < COUNT(methods); i++)
		if (strcmp(methods[i].name, argv[1]) == 0) {
			if (strstr(argv[1], "vec") == NULL)
				putenv(env[0]);
			methods[i].run();
			perror(argv[1]);
		}
	return 1;
}
