#ifndef FOOTING_UNFINISHED_H
#define FOOTING_UNFINISHED_H

/* Notes a file, or an empty folder, that is to go if a signal ends the process: its number, or
 * -errno where there are too many. Relative paths are those of the present folder. */
int footing_add_unfinished(const char *path, int is_folder);

/* Strikes one off again; a negative number is none. */
void footing_forget_unfinished(int index);

/* From now on SIGINT, SIGTERM and SIGHUP remove what is noted, files first, and then end the
 * process as they do without. One that is ignored or has a handler stays so. 0, or -errno. */
int footing_remove_unfinished_on_signals(void);

#endif
