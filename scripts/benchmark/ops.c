/*
 * One operation after the other on files of a mount, from one process: what programs cost that start for each is not
 * measured. Prints microseconds for each operation.
 *
 *   ops stat LIST     stat(2) of all paths in LIST, which are separated by NUL: names not known yet, then known ones
 *   ops cat LIST      the same for open(2), read(2) to the end and close(2)
 *   ops wake          a byte to another process and one back: what a file system in user space waits for
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void stat_one(const char *path)
{
	struct stat facts;

	if (stat(path, &facts) != 0)
		fail(path);
}

static void cat_one(const char *path)
{
	static char buffer[1 << 17];
	int fd = open(path, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		fail(path);
	while ((got = read(fd, buffer, sizeof buffer)) > 0)
		;
	if (got < 0)
		fail(path);
	close(fd);
}

static void wake(void)
{
	enum { ROUNDS = 20000 };
	int there[2], back[2];
	char byte = 0;
	double begin;
	pid_t child;

	if (pipe(there) != 0 || pipe(back) != 0)
		fail("pipe");
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		close(there[1]);
		close(back[0]);
		while (read(there[0], &byte, 1) == 1)
			if (write(back[1], &byte, 1) != 1)
				break;
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	begin = now();
	for (int i = 0; i < ROUNDS; i++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			fail("pipe");
	printf("%.2f\n", (now() - begin) / ROUNDS);
	close(there[1]);
	wait(NULL);
}

int main(int argc, char **argv)
{
	static char list[1 << 24];
	void (*act)(const char *) = argc > 1 && strcmp(argv[1], "cat") == 0 ? cat_one : stat_one;
	size_t length;
	FILE *file;

	if (argc == 2 && strcmp(argv[1], "wake") == 0) {
		wake();
		return 0;
	}
	if (argc != 3 || !(file = fopen(argv[2], "r")))
		fail("ops stat|cat LIST");
	length = fread(list, 1, sizeof list - 1, file);
	fclose(file);
	if (length == 0 || length == sizeof list - 1)
		fail("an empty or too long LIST");
	for (int pass = 0; pass < 2; pass++) {
		double begin = now();
		size_t count = 0;

		for (size_t at = 0; at < length; at += strlen(list + at) + 1, count++)
			act(list + at);
		printf("%.2f\n", (now() - begin) / count);
	}
	return 0;
}
