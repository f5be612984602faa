/* libxml2's writer to memory, without its variadic and optional parts.
 *
 * Names and texts end with a zero and are UTF-8 that XML can hold: the caller has checked them.
 * Elements are indented by two blanks; one with a text is not broken into lines. */
#pragma once

#include <stddef.h>

struct footing_xml_writer;

/* Gives NULL without memory. */
struct footing_xml_writer *footing_xml_writer_create(void);
void footing_xml_writer_destroy(struct footing_xml_writer *self);

/* All give 0, or -1 without memory. */
int footing_xml_writer_start(struct footing_xml_writer *self, const char *name);
int footing_xml_writer_attribute(struct footing_xml_writer *self, const char *name,
				 const char *value);
int footing_xml_writer_text(struct footing_xml_writer *self, const char *text);
int footing_xml_writer_end(struct footing_xml_writer *self);

/* The document, which lives as long as the writer; NULL without memory. */
const char *footing_xml_writer_finish(struct footing_xml_writer *self, size_t *count);
