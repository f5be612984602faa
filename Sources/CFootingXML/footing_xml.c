#include "footing_xml.h"

#include <stdio.h>
#include <string.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>

/* What the callbacks know; libxml2 hands them its own context, whose _private this is. */
struct reading {
	const char *bytes;
	size_t count;
	int depth;
	int depth_max;
	int count_left;
	/* Where the start tag that was also an end tag ended; 0 if the last tag was none. */
	uint32_t empty_end;
	/* The first problem; it ends the reading. */
	int problem;
	footing_xml_visitor visitor;
	void *context;
};

static void end_with(xmlParserCtxtPtr parser, struct reading *reading, int problem)
{
	if (reading->problem == 0)
		reading->problem = problem;
	xmlStopParser(parser);
}

static void visit(xmlParserCtxtPtr parser, struct reading *reading,
		  const struct footing_xml_step *step)
{
	int status = reading->visitor(reading->context, step);

	if (status != 0)
		end_with(parser, reading, status);
}

/* How far libxml2 has read in the source. Only true while it does not convert the source's bytes,
 * which start_document() makes sure of; each use compares with the source besides. */
static size_t position(xmlParserCtxtPtr parser)
{
	const xmlParserInput *input = parser->input;

	return (size_t)input->consumed + (size_t)(input->cur - input->base);
}

static int is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Whether `[prefix:]name` stands in the source at a place, and ends there. */
static int has_name(const struct reading *reading, size_t at, const xmlChar *prefix,
		    const xmlChar *name)
{
	const char *parts[3] = { (const char *)prefix, ":", (const char *)name };

	for (int part = prefix != NULL ? 0 : 2; part < 3; part++) {
		size_t length = strlen(parts[part]);

		if (reading->count - at < length)
			return 0;
		if (memcmp(reading->bytes + at, parts[part], length) != 0)
			return 0;
		at += length;
	}
	if (at >= reading->count)
		return 0;
	return is_space(reading->bytes[at]) || strchr("/>", reading->bytes[at]) != NULL;
}

/* The place of the start tag whose end libxml2 has reached; a problem if the source has none there:
 * libxml2 also tells of a tag that does not end, before it finds that. */
static int start_tag(struct reading *reading, size_t at, const xmlChar *prefix,
		     const xmlChar *name, struct footing_xml_range *place)
{
	size_t end = at;
	size_t start = at;

	while (end < reading->count && is_space(reading->bytes[end]))
		end++;
	if (end < reading->count && reading->bytes[end] == '/') {
		end++;
		reading->empty_end = (uint32_t)end + 1;
	} else {
		reading->empty_end = 0;
	}
	if (end >= reading->count || reading->bytes[end] != '>')
		return FOOTING_XML_MALFORMED;
	/* No `<` can stand within a tag, not even between quotes. */
	while (start > 0 && reading->bytes[start - 1] != '<')
		start--;
	if (start == 0 || !has_name(reading, start, prefix, name))
		return FOOTING_XML_POSITION;
	place->start = (uint32_t)start - 1;
	place->end = (uint32_t)end + 1;
	return 0;
}

/* The place of a value between its quotes, if libxml2 took it from the source as it stands there:
 * one with references or line feeds is a copy elsewhere. */
static struct footing_xml_range value_place(xmlParserCtxtPtr parser, struct reading *reading,
					    struct footing_xml_range tag, const xmlChar *value,
					    const xmlChar *value_end)
{
	const xmlParserInput *input = parser->input;
	uintptr_t base = (uintptr_t)input->base;
	struct footing_xml_range none = { 0, 0 };
	size_t start;
	size_t count = (size_t)(value_end - value);
	char quote;

	if ((uintptr_t)value < base || (uintptr_t)value_end >= (uintptr_t)input->end)
		return none;
	start = (size_t)input->consumed + (size_t)((uintptr_t)value - base);
	if (start <= tag.start || start + count >= tag.end)
		return none;
	quote = reading->bytes[start - 1];
	if ((quote != '"' && quote != '\'') || reading->bytes[start + count] != quote ||
	    memcmp(reading->bytes + start, value, count) != 0)
		return none;
	return (struct footing_xml_range){ (uint32_t)start, (uint32_t)(start + count) };
}

static void start_document(void *context)
{
	xmlParserCtxtPtr parser = context;
	const xmlParserInput *input = parser->input;
	const xmlChar *names[2] = { parser->encoding, input->encoding };
	int is_converted = input->buf != NULL && input->buf->encoder != NULL;

	for (int index = 0; index < 2; index++)
		if (names[index] != NULL &&
		    xmlStrcasecmp(names[index], (const xmlChar *)"UTF-8") != 0)
			is_converted = 1;
	if (is_converted)
		end_with(parser, parser->_private, FOOTING_XML_ENCODING);
}

static void document_type(void *context, const xmlChar *name, const xmlChar *external,
			  const xmlChar *system)
{
	xmlParserCtxtPtr parser = context;

	(void)name;
	(void)external;
	(void)system;
	end_with(parser, parser->_private, FOOTING_XML_DOCTYPE);
}

static void start_element(void *context, const xmlChar *name, const xmlChar *prefix,
			  const xmlChar *uri, int namespace_count, const xmlChar **namespaces,
			  int attribute_count, int defaulted_count, const xmlChar **attributes)
{
	xmlParserCtxtPtr parser = context;
	struct reading *reading = parser->_private;
	struct footing_xml_step step = { .kind = FOOTING_XML_START };
	int status;

	(void)namespaces;
	(void)defaulted_count;
	if (reading->problem != 0)
		return;
	reading->count_left -= 1 + attribute_count + namespace_count;
	if (++reading->depth > reading->depth_max) {
		end_with(parser, reading, FOOTING_XML_DEPTH);
		return;
	}
	if (reading->count_left < 0) {
		end_with(parser, reading, FOOTING_XML_COUNT);
		return;
	}
	status = start_tag(reading, position(parser), prefix, name, &step.place);
	if (status != 0) {
		end_with(parser, reading, status);
		return;
	}
	step.name = (const char *)name;
	step.prefix = (const char *)prefix;
	step.uri = (const char *)uri;
	visit(parser, reading, &step);
	for (int index = 0; index < attribute_count && reading->problem == 0; index++) {
		const xmlChar **attribute = attributes + 5 * index;
		const xmlChar *value = attribute[3];
		struct footing_xml_step found = {
			.kind = FOOTING_XML_ATTRIBUTE,
			.place = value_place(parser, reading, step.place, value, attribute[4]),
			.name = (const char *)attribute[0],
			.prefix = (const char *)attribute[1],
			.uri = (const char *)attribute[2],
			.value = (const char *)value,
			.value_count = (size_t)(attribute[4] - value),
		};

		visit(parser, reading, &found);
	}
}

static void end_element(void *context, const xmlChar *name, const xmlChar *prefix,
			const xmlChar *uri)
{
	xmlParserCtxtPtr parser = context;
	struct reading *reading = parser->_private;
	struct footing_xml_step step = { .kind = FOOTING_XML_END };
	size_t end = position(parser);
	size_t start = end;

	(void)uri;
	if (reading->problem != 0)
		return;
	reading->depth--;
	if (end > reading->count) {
		end_with(parser, reading, FOOTING_XML_POSITION);
		return;
	}
	if (reading->empty_end != 0) {
		start = end = reading->empty_end;
		reading->empty_end = 0;
	} else {
		while (start > 0 && reading->bytes[start - 1] != '<')
			start--;
		if (start == 0 || reading->bytes[end - 1] != '>' || reading->bytes[start] != '/' ||
		    !has_name(reading, start + 1, prefix, name)) {
			end_with(parser, reading, FOOTING_XML_POSITION);
			return;
		}
		start--;
	}
	step.place = (struct footing_xml_range){ (uint32_t)start, (uint32_t)end };
	visit(parser, reading, &step);
}

static void characters(void *context, const xmlChar *text, int length)
{
	xmlParserCtxtPtr parser = context;
	struct reading *reading = parser->_private;
	struct footing_xml_step step = {
		.kind = FOOTING_XML_TEXT,
		.value = (const char *)text,
		.value_count = (size_t)length,
	};

	if (reading->problem == 0)
		visit(parser, reading, &step);
}

/* libxml2's words on the first mistake, without their line feed. */
static void tell(xmlParserCtxtPtr parser, char *message, size_t size)
{
	const xmlError *error = xmlCtxtGetLastError(parser);

	if (error == NULL || error->message == NULL) {
		snprintf(message, size, "it is not well-formed");
		return;
	}
	snprintf(message, size, "line %d: %.*s", error->line,
		 (int)strcspn(error->message, "\n"), error->message);
}

static int read_with(xmlParserCtxtPtr parser, struct reading *reading, char *message, size_t size)
{
	memset(parser->sax, 0, sizeof(*parser->sax));
	parser->sax->initialized = XML_SAX2_MAGIC;
	parser->sax->startDocument = start_document;
	parser->sax->internalSubset = document_type;
	parser->sax->startElementNs = start_element;
	parser->sax->endElementNs = end_element;
	parser->sax->characters = characters;
	parser->sax->ignorableWhitespace = characters;
	parser->sax->cdataBlock = characters;
	parser->_private = reading;
	xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlParseDocument(parser);
	if (reading->problem != 0 && reading->problem != FOOTING_XML_MALFORMED)
		return reading->problem;
	if (parser->errNo == XML_ERR_NO_MEMORY)
		return FOOTING_XML_MEMORY;
	if (parser->wellFormed && reading->problem == 0)
		return 0;
	tell(parser, message, size);
	return FOOTING_XML_MALFORMED;
}

int footing_xml_read(const char *bytes, size_t count, size_t size_max, int depth_max, int count_max,
		     footing_xml_visitor visitor, void *context, char *message,
		     size_t message_size)
{
	struct reading reading = {
		.bytes = bytes,
		.count = count,
		.depth_max = depth_max,
		.count_left = count_max,
		.visitor = visitor,
		.context = context,
	};
	xmlParserCtxtPtr parser;
	int status;

	if (count > size_max || count > INT32_MAX / 2)
		return FOOTING_XML_SIZE;
	if (count == 0) {
		snprintf(message, message_size, "it is empty");
		return FOOTING_XML_MALFORMED;
	}
	parser = xmlCreateMemoryParserCtxt(bytes, (int)count);
	if (parser == NULL)
		return FOOTING_XML_MEMORY;
	status = read_with(parser, &reading, message, message_size);
	if (parser->myDoc != NULL) {
		xmlFreeDoc(parser->myDoc);
		parser->myDoc = NULL;
	}
	xmlFreeParserCtxt(parser);
	return status;
}
