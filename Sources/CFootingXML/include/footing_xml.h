/* What libxml2 reads in a document, as a table with the place of everything in the source.
 *
 * Kept narrow on purpose: no network, no files, no document types (hence no entities but the five
 * of XML), UTF-8 alone, and limits on size, depth and the number of elements. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A part of the source: bytes from `start` up to but not including `end`. */
struct footing_xml_range {
	uint32_t start;
	uint32_t end;
};

/* What was found; the order is the document's. */
enum footing_xml_kind {
	FOOTING_XML_START = 1,
	FOOTING_XML_ATTRIBUTE = 2,
	FOOTING_XML_END = 3,
	FOOTING_XML_TEXT = 4,
};

/* One step through the document.
 *
 * START: `name`, `prefix`, `uri`; `place` is the start tag, from `<` to behind `>`.
 * ATTRIBUTE, behind its START: `name`, `prefix`, `uri`, `value`; `place` is the value between its
 *   quotes, or empty at 0 where what stands there is not what it means (references, line feeds).
 * END: `place` is the end tag, empty behind `/>`.
 * TEXT: `value`, what stands between two tags, its references resolved; `place` is not set.
 *
 * The texts live as long as the call, and are not terminated by a zero. */
struct footing_xml_step {
	int kind;
	struct footing_xml_range place;
	const char *name;
	const char *prefix;
	const char *uri;
	const char *value;
	size_t value_count;
};

/* Called for each step; anything but 0 ends the reading with that. */
typedef int (*footing_xml_visitor)(void *context, const struct footing_xml_step *step);

enum footing_xml_problem {
	/* Not well-formed; the message says what and where. */
	FOOTING_XML_MALFORMED = -1,
	/* Declares a document type. */
	FOOTING_XML_DOCTYPE = -2,
	/* Not in UTF-8, or declared to be in something else. */
	FOOTING_XML_ENCODING = -3,
	/* More elements within each other than allowed. */
	FOOTING_XML_DEPTH = -4,
	/* More elements and attributes than allowed. */
	FOOTING_XML_COUNT = -5,
	/* No memory. */
	FOOTING_XML_MEMORY = -6,
	/* Positions that libxml2 tells do not fit the source: nothing of it may be used. */
	FOOTING_XML_POSITION = -7,
	/* Larger than allowed. */
	FOOTING_XML_SIZE = -8,
};

/* Reads one document of at most `size_max` bytes; gives 0, a problem, or what the visitor gave.
 *
 * `message` gets libxml2's own words on a malformed document, as a text that ends with a zero. */
int footing_xml_read(const char *bytes, size_t count, size_t size_max, int depth_max, int count_max,
		     footing_xml_visitor visitor, void *context, char *message,
		     size_t message_size);
