/* What lsattr(1) and chattr(1) do, for the two attributes that matter here:
 *
 *   attributes PATH       prints "j", "C", "jC" or "-"
 *   attributes PATH +j    gives the file an attribute: +j or +C
 *   attributes PATH -j    takes it */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static int fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

int main(int count, char **words)
{
	int flags = 0;
	int file = count < 2 ? -1 : open(words[1], O_RDONLY | O_CLOEXEC);
	if (file < 0 || ioctl(file, FS_IOC_GETFLAGS, &flags) < 0)
		return fail(count < 2 ? "no path" : words[1]);
	if (count > 2) {
		int flag = words[2][1] == 'j' ? FS_JOURNAL_DATA_FL : FS_NOCOW_FL;
		flags = words[2][0] == '+' ? flags | flag : flags & ~flag;
		return ioctl(file, FS_IOC_SETFLAGS, &flags) < 0 ? fail(words[2]) : 0;
	}
	int is_journaled = flags & FS_JOURNAL_DATA_FL, is_in_place = flags & FS_NOCOW_FL;
	printf("%s%s%s\n", is_journaled ? "j" : "", is_in_place ? "C" : "",
		is_journaled || is_in_place ? "" : "-");
	return 0;
}
