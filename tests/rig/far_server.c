#include "tests/rig/far_server.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/rig/loopback.h"

uint8_t
far_byte(uint64_t i)
{
	return (uint8_t)(i * 2654435761u >> 13 ^ i);
}

static void *
serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	enum { N = 65536 };
	uint8_t *buf = malloc(N);
	uint64_t at = 0, want = 0;
	ssize_t n;
	char mode = 0;

	if (read(fd, &mode, 1) != 1)
		goto out;
	if (mode == 'e') {		/* echo until end of file, then end */
		while ((n = read(fd, buf, N)) > 0)
			if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
				break;
	} else if (mode == 's') {	/* source: eight bytes of length follow */
		if (read(fd, &want, 8) != 8)
			goto out;
		for (size_t i = 0; i < N; i++)
			buf[i] = far_byte(i);
		while (at < want) {
			size_t k = want - at < N ? (size_t)(want - at) : N;

			/* the pattern repeats with each buffer */
			if (send(fd, buf, k, MSG_NOSIGNAL) != (ssize_t)k)
				break;
			at += k;
		}
	} else if (mode == 'k') {	/* sink; tells the count when right */
		while ((n = read(fd, buf, N)) > 0)
			for (ssize_t i = 0; i < n; i++, at++)
				if (buf[i] != far_byte(at % N))
					goto out;
		if (write(fd, &at, 8) != 8)
			goto out;
	} else if (mode == 'h') {	/* half-close at once, then sink */
		shutdown(fd, SHUT_WR);
		while ((n = read(fd, buf, N)) > 0)
			;
	} else if (mode == 'q') {	/* reads nothing */
		sleep(30);
	}
out:
	free(buf);
	close(fd);
	return NULL;
}

static void
serve_all(int fd)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 65536);
	for (;;) {
		int c = accept(fd, NULL, NULL);
		pthread_t id;

		if (c >= 0 && pthread_create(&id, &attr, serve,
		    (void *)(intptr_t)c) != 0)
			close(c);
	}
}

pid_t
far_server_start(uint16_t *port)
{
	int fd = loopback_listen(port);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_all(fd);
	}
	close(fd);
	return pid;
}
